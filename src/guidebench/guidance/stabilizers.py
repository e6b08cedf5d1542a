"""Stabilizers of the guidance vector g (docs/mathematics.md, Guidance).

A stabilizer is called once a step with g [N, ...], returns what is used in its place, and keeps
state, which is zero at the start of a trajectory and has no bias correction. Betas are in [0, 1)
and meant for a step of the full time grid: `exponent` is how many of those a step stands for. A
stabilizer of the user's has the same form: it is constructed with keyword `exponent` and its
options.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from guidebench.base.plugins import call
from guidebench.guidance.answers import check_like, without_chance
from guidebench.pipeline.recording import Methods

if TYPE_CHECKING:
    from guidebench.pipeline.experiment import sections

Stabilize = Callable[[Tensor], Tensor]


class Identity:
    """No stabilization."""

    def __call__(self, gradient: Tensor) -> Tensor:
        """The gradient itself."""
        return gradient


class EMA:
    """Exponential moving average m of g (nrCG, eq. 7).

    >>> average = EMA(beta=0.9)
    >>> [round(average(torch.ones(1)).item(), 3) for step in range(3)]
    [0.1, 0.19, 0.271]
    """

    def __init__(self, beta: float, exponent: float = 1.0) -> None:
        self.beta = beta**exponent
        self.mean: Tensor | None = None

    def __call__(self, gradient: Tensor) -> Tensor:
        """Advance m by one step and return it."""
        # m <- beta m + (1 - beta) g
        mean = torch.zeros_like(gradient) if self.mean is None else self.mean
        self.mean = self.beta * mean + (1 - self.beta) * gradient
        return self.mean


class Adam:
    """ADAM's update m / (sqrt(v) + eps) from the moments m of g and v of g^2 (nrCG, eq. 8)."""

    def __init__(self, beta1: float, beta2: float, eps: float, exponent: float = 1.0) -> None:
        self.mean, self.square = EMA(beta1, exponent), EMA(beta2, exponent)
        self.eps = eps

    def __call__(self, gradient: Tensor) -> Tensor:
        """Advance m and v by one step and return the update."""
        # m and v by eq. 7, each with a beta of its own
        return self.mean(gradient) / (self.square(gradient**2).sqrt() + self.eps)


class Nesterov:
    """beta m + (1 - beta) g, a step ahead of the m of `EMA` (Dozat 2016)."""

    def __init__(self, beta: float, exponent: float = 1.0) -> None:
        self.mean = EMA(beta, exponent)

    def __call__(self, gradient: Tensor) -> Tensor:
        """Advance m by one step and return the look-ahead."""
        beta = self.mean.beta
        return beta * self.mean(gradient) + (1 - beta) * gradient


class RMSProp:
    """g / (sqrt(v) + eps) from the moment v of g^2 alone (Tieleman & Hinton 2012)."""

    def __init__(self, beta: float, eps: float, exponent: float = 1.0) -> None:
        self.square, self.eps = EMA(beta, exponent), eps

    def __call__(self, gradient: Tensor) -> Tensor:
        """Advance v by one step and return the normalized g."""
        return gradient / (self.square(gradient**2).sqrt() + self.eps)


class NormClip:
    """Each row's g scaled down to an L2 norm of at most `max_norm` > 0; it keeps no state."""

    def __init__(self, max_norm: float) -> None:
        self.max_norm = max_norm

    def __call__(self, gradient: Tensor) -> Tensor:
        """The clipped g."""
        # g min(1, max_norm / |g|) (Pascanu et al. 2013, algorithm 1)
        norm = torch.linalg.vector_norm(gradient.flatten(1), dim=1)
        factor = (self.max_norm / norm).clamp(max=1)
        return gradient * factor.view(-1, *[1] * (gradient.ndim - 1))


class Own:
    """A user's stabilizer, whose answers are looked at."""

    def __init__(self, name: str, stabilize: Stabilize) -> None:
        self.name, self.stabilize = name, stabilize

    def __call__(self, gradient: Tensor) -> Tensor:
        """The user's update; UserError where it is no tensor like the gradient."""
        with without_chance(self.name):
            update = self.stabilize(gradient)
        check_like(f"{self.name}: answered an update", update, gradient, "the gradient")
        return update


# each makes its stabilizer from a config section and the full-grid steps per step taken
STABILIZERS: Methods[Callable[[sections.Stabilizer, float], Stabilize]] = Methods(
    none=lambda options, exponent: Identity(),
    ema=lambda options, exponent: EMA(options.beta, exponent),
    nesterov=lambda options, exponent: Nesterov(options.beta, exponent),
    rmsprop=lambda options, exponent: RMSProp(options.beta, options.eps, exponent),
    adam=lambda options, exponent: Adam(options.beta1, options.beta2, options.eps, exponent),
    norm_clip=lambda options, exponent: NormClip(options.max_norm),
)


def build(options: sections.Stabilizer, timesteps: int, steps: int) -> Stabilize:
    """A fresh stabilizer from its config section for one trajectory of `steps` of T timesteps."""
    exponent = timesteps / steps if options.per_step == "full_grid" else 1.0
    if ":" in options.name:
        return Own(options.name, call(options.name, exponent=exponent, **options.options))
    return STABILIZERS[options.name](options, exponent)
