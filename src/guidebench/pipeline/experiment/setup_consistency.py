"""What the types of a setup cannot see, on a data set as in a world."""

from collections.abc import Iterator

from guidebench.base.choices import SAMPLERS, sampler
from guidebench.pipeline.errors import UserError
from guidebench.pipeline.experiment.allowed_names import Mistake, below
from guidebench.pipeline.experiment.sections import Setup, Stabilizer
from guidebench.pipeline.experiment.unread_keys import BY_GUIDANCE, BY_INPUT, BY_STABILIZER, unread
from guidebench.pipeline.records.user_code import source_digest

PLUGIN = (
    "module:attribute that Python can import, also from a file in the folder that "
    "guidebench is started in"
)
TINY = 1e-30  # smaller scales than axes can show


def plugin_mistakes(key: str, name: str) -> Iterator[Mistake]:
    """A method of the user's own, `module:attribute`, that is not there."""
    if ":" not in name:
        return
    try:
        source_digest(name)
    except UserError as error:
        yield key, error, PLUGIN


def stabilizer_mistakes(key: str, stabilizer: Stabilizer) -> Iterator[Mistake]:
    """A stabilizer that is not there, and keys that it does not read."""
    yield from plugin_mistakes(f"{key}.name", stabilizer.name)
    yield from below(key, unread(stabilizer, BY_STABILIZER, "name"))


def mean_mistakes(setup: Setup, samplers: list[str], imported: bool = False) -> Iterator[Mistake]:
    """A mean to shift that no sampler has; a user's own says so only when it is imported."""
    shifts_mean = setup.guidance == "classifier" and setup.injection == "mean"
    if not shifts_mean or (not imported and any(":" in name for name in samplers)):
        return
    if not any(sampler(name).has_mean for name in samplers):
        without = ", ".join(dict.fromkeys(samplers))
        with_mean = ", ".join(name for name, facts in SAMPLERS.items() if facts.has_mean)
        allowed = f"score ({without} has no posterior mean to shift), or a sampler of {with_mean}"
        yield "injection", "mean", allowed


def setup_mistakes(setup: Setup, guides: list[str]) -> Iterator[Mistake]:
    """Keys of one setup that do not fit each other; `guides` are the classifiers that may guide."""
    yield from stabilizer_mistakes("stabilizer", setup.stabilizer)
    yield from plugin_mistakes("guidance", setup.guidance)
    yield from unread(setup, BY_GUIDANCE, "guidance")
    yield from unread(setup, BY_INPUT, "input")
    scales, own = setup.scales, ":" in setup.guidance
    if setup.interval[0] > setup.interval[1]:
        yield "interval", list(setup.interval), "low <= high"
    guided = own or setup.guidance == "classifier"
    if guided and setup.classifier not in guides and not (own and setup.classifier is None):
        names = ", ".join(guides) or "there is none"
        allowed = f"a defined classifier that is not the judge ({names})"
        yield "classifier", setup.classifier or "nothing", allowed
    if setup.guidance == "none":
        if scales:
            yield "scales", scales, "none without guidance"
    elif not scales:
        yield "scales", "none", "at least one in a guided setup"
    if tiny := [scale for scale in scales if 0 < scale < TINY]:
        yield "scales", tiny, f"0, or at least {TINY:g}"
    if len({f"{scale:g}" for scale in scales}) < len(scales):
        yield "scales", scales, "each scale once (six digits count)"
