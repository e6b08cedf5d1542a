"""Switches of `paper_compat` (docs/compat.md) that nothing would read where they stand."""

from collections.abc import Iterator, Sequence

from guidebench.base.choices import classes
from guidebench.pipeline.experiment.allowed_names import Mistake, below
from guidebench.pipeline.experiment.config import Config, Dataset
from guidebench.pipeline.experiment.sections import Setup

STATELESS = ("none", "norm_clip")


def compat_mistakes(config: Config) -> Iterator[Mistake]:
    """All of an experiment, and setups' own gradients of clips that are not there."""
    named: dict[str, Sequence[str]] = {"metrics": config.metrics.paper_compat}
    if config.metrics.paper_compat and not config.datasets:
        switches = ", ".join(config.metrics.paper_compat)
        yield "metrics.paper_compat", switches, "nothing without a data set"
    for name, dataset in config.datasets.items():
        key = f"datasets.{name}"
        named |= {
            f"{key}.data": getattr(dataset.data, "paper_compat", []),
            f"{key}.denoiser": dataset.denoiser.paper_compat,
            f"{key}.sensitivity": dataset.sensitivity.paper_compat,
        }
        yield from below(f"{key}.sensitivity", _sensitivity(dataset))
        for setup, options in dataset.setups.items():
            if options.guidance != "classifier":
                continue  # there every switch is refused
            named[f"{key}.setups.{setup}"] = options.paper_compat
            yield from below(f"{key}.setups.{setup}", _setup(dataset, options))
    for key, chosen in named.items():
        if len(set(chosen)) < len(chosen):
            yield f"{key}.paper_compat", ", ".join(chosen), "each switch once"


def _setup(dataset: Dataset, setup: Setup) -> Iterator[Mistake]:
    clips = dataset.sampling.clip if setup.clip is None else setup.clip
    if setup.clip_gradient and not clips:
        yield "clip_gradient", setup.clip_gradient, "null, unless its clip is true"
    key, switches = "paper_compat", setup.paper_compat
    if "carried_state" in switches and setup.stabilizer.name in STATELESS:
        yield key, "carried_state", "it only beside a stabilizer that keeps a state"
    if "raw_logit" in switches and len(classes(dataset.data)) == 2:
        yield key, "raw_logit", "it only with more classes than two: of two, there is one logit"


def _sensitivity(dataset: Dataset) -> Iterator[Mistake]:
    key = "paper_compat"
    switches, options = dataset.sensitivity.paper_compat, dataset.sensitivity
    guides = [guide for name, guide in dataset.classifiers.items() if name != "judge"]
    for switch in ("same_time", "shared_state"):
        if switch in switches and all(guide.noise_trained for guide in guides):
            yield key, switch, "it only with a classifier that guides and is not noise-trained"
    if "shared_state" in switches and not options.stabilizers:
        yield key, "shared_state", "it only with sensitivity.stabilizers"
    timesteps = dataset.schedule.timesteps
    if "clean_at_zero" in switches and options.steps != timesteps:
        allowed = f"it only with sensitivity.steps: {timesteps}, which reach t = 0"
        yield key, "clean_at_zero", allowed
