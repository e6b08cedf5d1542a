"""Switches of `paper_compat` (docs/compat.md) that nothing would read where they stand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from guidebench.base.choices import classes
from guidebench.pipeline.experiment.allowed_names import Mistake
from guidebench.pipeline.experiment.config import Config, Dataset
from guidebench.pipeline.experiment.sections import Setup

STATELESS = ("none", "norm_clip")


def setup_switches(dataset: Dataset, setup: Setup) -> Iterator[Mistake]:
    """Of a setup, and its own gradient of a clip that is not there."""
    if setup.clip_gradient and not dataset.sampling.clip:
        yield "clip_gradient", setup.clip_gradient, "null, unless sampling.clip is true"
    if setup.guidance != "classifier":
        return  # there every switch is refused
    key, switches = "paper_compat", setup.paper_compat
    yield from _repeated(key, switches)
    if "carried_state" in switches and setup.stabilizer.name in STATELESS:
        yield key, "carried_state", "it only beside a stabilizer that keeps a state"
    if "raw_logit" in switches and len(classes(dataset.data)) == 2:
        yield key, "raw_logit", "it only with more classes than two: of two, there is one logit"


def metric_switches(config: Config) -> Iterator[Mistake]:
    """Of the metrics."""
    key, switches = "metrics.paper_compat", config.metrics.paper_compat
    yield from _repeated(key, switches)
    if switches and not config.datasets:
        yield key, ", ".join(switches), "nothing without a data set"


def sensitivity_switches(dataset: Dataset) -> Iterator[Mistake]:
    """Of the analysis of the forward process."""
    key, options = "sensitivity.paper_compat", dataset.sensitivity
    switches = options.paper_compat
    yield from _repeated(key, switches)
    guides = [one for name, one in dataset.classifiers.items() if name != "judge"]
    if "shared_state" in switches and not options.stabilizers:
        yield key, "shared_state", "it only with sensitivity.stabilizers"
    for switch in ("same_time", "shared_state"):
        if switch in switches and all(one.noise_trained for one in guides):
            yield key, switch, "it only with a classifier that guides and is not noise-trained"
    if "clean_at_zero" in switches and options.steps != dataset.schedule.timesteps:
        allowed = f"it only with sensitivity.steps: {dataset.schedule.timesteps}, which reach t = 0"
        yield key, "clean_at_zero", allowed


def _repeated(key: str, switches: Sequence[str]) -> Iterator[Mistake]:
    if len(set(switches)) < len(switches):
        yield key, ", ".join(switches), "each switch once"
