"""Stabilizers of the guidance vector; the state starts at zero for every trajectory.

A user's own one has the same form: a class whose call maps a gradient [N, C, H, W] to another,
constructed with keyword `exponent` (full-grid steps per step taken) and its options.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from guidebench.base.plugins import made
from guidebench.pipeline.recording import Methods

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


class Nesterov:
    """beta m + (1 - beta) g with m of `EMA`: one step ahead of it (Dozat 2016, eq. 7)."""

    def __init__(self, beta: float, exponent: float = 1.0) -> None:
        self.mean = EMA(beta, exponent)

    def __call__(self, gradient: Tensor) -> Tensor:
        """Advance the state by one step; returns the look-ahead."""
        beta = self.mean.beta
        return beta * self.mean(gradient) + (1 - beta) * gradient


class RMSProp:
    """g / (sqrt(v) + eps) with the second moment v alone (Tieleman & Hinton 2012)."""

    def __init__(self, beta: float, eps: float, exponent: float = 1.0) -> None:
        self.square, self.eps = EMA(beta, exponent), eps

    def __call__(self, gradient: Tensor) -> Tensor:
        """Advance the state by one step; returns the normalised gradient."""
        return gradient / (self.square(gradient**2).sqrt() + self.eps)


class NormClip:
    """Each row's gradient scaled down to an L2 norm of at most `max_norm`; it keeps no state."""

    def __init__(self, max_norm: float) -> None:
        self.max_norm = max_norm

    def __call__(self, gradient: Tensor) -> Tensor:
        """The clipped gradient."""
        norm = torch.linalg.vector_norm(gradient.flatten(1), dim=1)
        factor = (self.max_norm / norm).clamp(max=1)
        return gradient * factor.view(-1, *[1] * (gradient.ndim - 1))


# each makes its stabilizer from a config section and the full-grid steps per step taken
STABILIZERS = Methods(
    none=lambda options, exponent: Identity(),
    ema=lambda options, exponent: EMA(options["beta"], exponent),
    nesterov=lambda options, exponent: Nesterov(options["beta"], exponent),
    rmsprop=lambda options, exponent: RMSProp(options["beta"], options["eps"], exponent),
    adam=lambda options, exponent: Adam(
        options["beta1"], options["beta2"], options["eps"], exponent
    ),
    norm_clip=lambda options, exponent: NormClip(options["max_norm"]),
)


def build(options: dict[str, Any], timesteps: int, steps: int) -> Stabilize:
    """A fresh stabilizer from its config section for one trajectory of `steps` of T timesteps."""
    exponent = timesteps / steps if options["per_step"] == "full_grid" else 1.0
    name = options["name"]
    if ":" in name:
        own: Stabilize = made(name, exponent=exponent, **options["options"])
        return own
    made_of: Stabilize = STABILIZERS[name](options, exponent)
    return made_of
