"""A sampler by its name: one of ours, or a user's own (docs/extending.md)."""

from collections.abc import Callable
from functools import partial
from typing import Any

from torch import Tensor

from guidebench.base import choices
from guidebench.base.plugins import call
from guidebench.diffusion.samplers import (
    SAMPLERS,
    Callback,
    Noise,
    Predict,
    Prediction,
    no_callback,
    unshifted,
)
from guidebench.diffusion.schedule import Schedule
from guidebench.pipeline.errors import UserError


def sampler_of(name: str) -> Callable[..., Tensor]:
    """The sampler of that name; a user's `module:attribute` is held to what samplers promise."""
    found: Callable[..., Tensor] = partial(_of_user, name) if ":" in name else SAMPLERS[name]
    return found


def _of_user(
    name: str,
    predict: Predict,
    x: Tensor,
    schedule: Schedule,
    grid: list[Any],
    noise: Noise,
    callback: Callback = no_callback,
    **options: Any,
) -> Tensor:
    """A user's sampler; UserError for options that it does not take, and an answer unlike x.

    A guide that asks to shift the mean is refused where the step has none.
    """
    has_mean = choices.sampler(name).has_mean

    def guarded(x: Tensor, t: Any, step: int, *, corrector: bool = False) -> Prediction:
        prediction = predict(x, t, step, corrector=corrector)
        return prediction if has_mean else unshifted(prediction)

    last = call(name, guarded, x, schedule, grid, noise, callback, **options)
    found = tuple(last.shape) if isinstance(last, Tensor) else type(last).__name__
    if found != tuple(x.shape):
        raise UserError(f"{name}: answered {found}, allowed: the last x, {tuple(x.shape)}")
    return last
