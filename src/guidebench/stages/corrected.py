"""The data set of an experiment against which one with switches of `paper_compat` is held."""

from __future__ import annotations

from typing import Any

from guidebench.pipeline.experiment.config import Config, Dataset
from guidebench.pipeline.jobs.kept_keys import RUNTIME_KEYS

# what neither images nor their scores rest on: analyses and pictures of their own. The gradient of
# the clip is a switch, and each setup's entry of the summary says its own
_ASIDE = {"grid_images", "grid_setups", "grid_steps", "trajectories", "clip_gradient"}
_LEFT_OUT: Any = {
    **dict.fromkeys(("setups", "sensitivity", "attributes", "strip"), True),
    "data": {"paper_compat"},
    "denoiser": {"paper_compat", *RUNTIME_KEYS},
    "classifiers": {"__all__": RUNTIME_KEYS},
    "sampling": _ASIDE | RUNTIME_KEYS,
}


def switches(dataset: Dataset) -> list[str]:
    """The choices of the public code in a data set's images and in its denoiser's training."""
    return [*getattr(dataset.data, "paper_compat", []), *dataset.denoiser.paper_compat]


def corrected(config: Config, dataset: str) -> str | None:
    """The first data set without switches that is this one but for them, setups and analyses.

    None where there is none, or where this one has no switches.
    """
    options = config.datasets[dataset]
    if not switches(options):
        return None
    for name, other in config.datasets.items():
        if not switches(other) and _made(other) == _made(options):
            return name
    return None


def _made(dataset: Dataset) -> dict[str, Any]:
    """How its data, trainings, samples and scores are made."""
    return dataset.model_dump(mode="json", exclude=_LEFT_OUT)
