"""Keys that would do nothing: which value of one key reads which others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from guidebench.base.choices import SAMPLERS
from guidebench.pipeline.experiment.allowed_names import Mistake
from guidebench.pipeline.experiment.sections import Classifier, Denoiser, Model

OWN = "module:attribute of your own"
SOME, SOMEWHERE, OFF, FILE = "above 0", "true at some level", "null or left out", "a file"
Readers = Mapping[str, tuple[str, ...]]
# a key that is in no table is always read
BY_GUIDANCE: Readers = {
    "options": (OWN,),
    "classifier": ("classifier", OWN),
    "input": ("classifier",),
    "injection": ("classifier",),
    "clip_gradient": ("classifier",),
    "stabilizer": ("classifier",),
    "temperature": ("classifier",),
    "interval": ("classifier", "cfg"),
    "ramp": ("classifier", "cfg"),
    "conditional": ("none", "classifier", "cfg"),
    "paper_compat": ("classifier",),
}
BY_INPUT: Readers = {"hold": ("x0_frozen",), "clip_gradient": ("x0", "x0_frozen")}
BY_STABILIZER: Readers = {
    "beta": ("ema", "nesterov", "rmsprop"),
    "beta1": ("adam",),
    "beta2": ("adam",),
    "eps": ("adam", "rmsprop"),
    "max_norm": ("norm_clip",),
    "options": (OWN,),
    "per_step": ("ema", "nesterov", "rmsprop", "adam", OWN),
}
BY_SAMPLER: Readers = {
    **{key: (name,) for name, sampler in SAMPLERS.items() for key in sampler.options},
    "options": (OWN,),
}
BY_SAMPLER_OF_IMAGES: Readers = {
    **BY_SAMPLER,
    "recompute_eps": (*(name for name, facts in SAMPLERS.items() if "eps" in facts.uses), OWN),
}
BY_CLIP: Readers = {"clip_gradient": ("true",)}
BY_ARCHITECTURE: Readers = dict.fromkeys(
    ("patch", "layers_per_block", "attention", "head_dim", "norm_groups"), ("unet2d",)
)
BY_ATTENTION: Readers = {"head_dim": (SOMEWHERE,)}
# of a classifier's file: nothing is trained, but what it was trained on is said
TRAINED_ON = ("noise_trained", "adversarial")
BY_WEIGHTS: Readers = {
    **{
        key: (OFF,)
        for key in Classifier.model_fields
        if key not in ("architecture", "checkpoint", "mean", "std", "input_size", *TRAINED_ON)
    },
    **dict.fromkeys(("prefix", "outputs"), (FILE,)),
}
# beside a checkpoint nothing is built or trained
BY_CHECKPOINT: Readers = {
    key: (OFF,)
    for key in Denoiser.model_fields
    if key not in ("checkpoint", "revision", "prediction")
}
BY_RATE: Readers = {"warmup": ("warmup_cosine",)}
BY_GRIDS: Readers = dict.fromkeys(("grid_setups", "grid_steps"), (SOME,))
BY_DIAMETERS: Readers = {"scale": (OFF,)}
BY_SOURCE: Readers = {"otherwise": ("mnist",)}
BY_DOWNLOAD: Readers = {"otherwise": ("false",)}


def unread(
    section: Model, readers: Readers, by: str, others: Iterable[str] = ()
) -> Iterator[Mistake]:
    """Keys of a section that ask for something which nothing reads at its value of the key `by`.

    Their defaults may be written: a base's key can be overridden, but not taken away. So may be
    any value where `by` is written, too, as 0 or null: that one key turns a base's feature off.
    `others`: more values of `by`, which other sections ask for.
    """
    decides = getattr(section, by)
    chosen = FILE if by == "checkpoint" and decides is not None else _chosen(decides)
    if chosen == OFF and by in section.model_fields_set:
        return
    reading = {chosen, *map(_chosen, others)}
    for key, names in readers.items():
        setting, field = getattr(section, key), type(section).model_fields[key]
        default = field.get_default(call_default_factory=True)
        if not reading & set(names) and setting != default:
            yield key, _shown(setting), f"{_shown(default)}, unless {by} is {' or '.join(names)}"


def _chosen(value: object) -> str:
    """The value of a key as the tables name it."""
    if isinstance(value, list):
        return SOMEWHERE if any(value) else "false"
    if value is None:
        return OFF
    if isinstance(value, int) and not isinstance(value, bool):
        return SOME if value > 0 else OFF
    return OWN if ":" in str(value) else str(value).lower()


def _shown(value: object) -> object:
    """A value as a message shows it: of a section, the keys that are set."""
    if isinstance(value, Model):
        return value.model_dump(mode="json", exclude_defaults=True) or "nothing"
    if value in (None, {}, []):
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    return list(value) if isinstance(value, tuple | dict) else value
