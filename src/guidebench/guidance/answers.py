"""What a user's own method answers, looked at before it is used."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from guidebench.pipeline.errors import UserError


def check_like(answered: str, value: Any, like: Tensor, name: str) -> None:
    """UserError where `value` is no tensor of the shape and dtype of another, called `name`."""
    shape = tuple(value.shape) if isinstance(value, Tensor) else type(value).__name__
    if shape != tuple(like.shape):
        allowed = f"that of {name}, {tuple(like.shape)}"
        raise UserError(f"{answered} of shape {shape}, allowed: {allowed}")
    if value.dtype != like.dtype:
        raise UserError(f"{answered} of {value.dtype}, allowed: that of {name}, {like.dtype}")


@contextmanager
def without_chance(name: str) -> Iterator[None]:
    """UserError where what is done inside moves a random generator of torch's own.

    Its numbers follow the order and size of batches, and an image is to follow its seed alone.
    """
    before = _generators()
    yield
    if any(not torch.equal(old, new) for old, new in zip(before, _generators(), strict=True)):
        raise UserError(
            f"{name}: used torch's global random generator, whose numbers follow the batch, "
            "allowed: nothing random, so that an image follows its seed alone"
        )


def _generators() -> list[Tensor]:
    states = [torch.get_rng_state()]
    return [*states, torch.cuda.get_rng_state()] if torch.cuda.is_initialized() else states
