"""Stabilizers of the guidance vector; the state starts at zero for every trajectory.

A user's own one has the same form: a class whose call maps a gradient [N, C, H, W] to another,
constructed with keyword `exponent` (full-grid steps per step taken) and its options.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from guidebench.errors import UserError

Stabilize = Callable[[Tensor], Tensor]


class Identity:
    """No stabilisation."""

    def __call__(self, gradient: Tensor) -> Tensor:
        """The gradient itself."""
        return gradient


class EMA:
    """m <- beta m + (1 - beta) g, without bias correction (nrCG, eq. 7)."""

    def __init__(self, beta: float, exponent: float = 1.0) -> None:
        self.beta = beta**exponent
        self.mean: Tensor | None = None

    def __call__(self, gradient: Tensor) -> Tensor:
        """Advance the state by one step; returns m."""
        mean = torch.zeros_like(gradient) if self.mean is None else self.mean
        self.mean = self.beta * mean + (1 - self.beta) * gradient
        return self.mean


class Adam:
    """m / (sqrt(v) + eps) of both moments, without bias correction (nrCG, eq. 8)."""

    def __init__(self, beta1: float, beta2: float, eps: float, exponent: float = 1.0) -> None:
        self.mean, self.square = EMA(beta1, exponent), EMA(beta2, exponent)
        self.eps = eps

    def __call__(self, gradient: Tensor) -> Tensor:
        """Advance both states by one step; returns m / (sqrt(v) + eps)."""
        return self.mean(gradient) / (self.square(gradient**2).sqrt() + self.eps)


def build(options: dict[str, Any], timesteps: int, steps: int) -> Stabilize:
    """A fresh stabilizer from its config section for one trajectory of `steps` of T timesteps."""
    exponent = timesteps / steps if options["per_step"] == "full_grid" else 1.0
    name = options["name"]
    if name == "none":
        return Identity()
    if name == "ema":
        return EMA(options["beta"], exponent)
    if name == "adam":
        return Adam(options["beta1"], options["beta2"], options["eps"], exponent)
    made: Stabilize = plugin(name)(exponent=exponent, **options["options"])
    return made


def plugin(name: str) -> Any:
    """The object that `module:attribute` names; UserError when there is none."""
    module, _, attribute = name.partition(":")
    try:
        return getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise UserError(
            f"{name}: {error}; allowed: module:attribute that Python can import"
        ) from error
