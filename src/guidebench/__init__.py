"""guidebench: a reproducible benchmark of guided diffusion sampling.

`load` opens an experiment: its tables, its networks, more samples, and their scores (README, "From
Python"). `evaluate` scores anybody's samples.
"""

import importlib
from typing import TYPE_CHECKING, Any

from guidebench.pipeline import recording

if TYPE_CHECKING:
    from guidebench.api import Experiment, evaluate, load

__all__ = ["Experiment", "evaluate", "load"]
recording.install()


def __getattr__(name: str) -> Any:
    """What is public, imported when it is asked for: torch and pandas take seconds."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module("guidebench.api"), name)
