"""What a user's own method answers, looked at before it is used."""

from __future__ import annotations

from typing import Any

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
