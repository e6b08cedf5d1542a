"""Forward processes x_t = alpha_t x_0 + sigma_t eps, variance preserving, from clean to noise.

Discrete t is an index 0 .. T-1, continuous t lies in (0, 1]; a negative t is clean data for both.
Levels are float64. The network receives t, or 1000 t when t is continuous.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

CLEAN = -1
Time = Any  # an int or a float, or a tensor of them


class Schedule(ABC):
    """What training, samplers and guides ask of a forward process.

    `timesteps` is T; of a continuous process it is the full grid that stabilizers' betas and the
    sensitivity analysis refer to.
    """

    timesteps: int

    @abstractmethod
    def logsnr(self, t: Time) -> Tensor:
        """log(alpha_t^2 / sigma_t^2); infinite for clean data."""

    def alpha(self, t: Time) -> Tensor:
        """Signal level."""
        return torch.exp(logsigmoid(self.logsnr(t)) / 2)

    def sigma(self, t: Time) -> Tensor:
        """Noise level."""
        return torch.exp(logsigmoid(-self.logsnr(t)) / 2)

    @abstractmethod
    def beta(self, t: Time) -> Tensor:
        """g^2 = -d log(alpha^2) / d time of the forward SDE dx = -beta x / 2 + sqrt(beta) dW."""

    @abstractmethod
    def time(self, t: Time) -> Time:
        """Fraction of the whole process that has passed at t: 0 clean, 1 its end."""

    @abstractmethod
    def at_time(self, time: float) -> Time:
        """The t of a fraction of the process."""

    @abstractmethod
    def network_time(self, t: Time) -> Time:
        """What the network receives."""

    @abstractmethod
    def grid(self, steps: int) -> list[Any]:
        """`steps` times from the noisy end down, spaced `trailing`, followed by CLEAN."""

    @abstractmethod
    def draw(self, count: int, chance: torch.Generator) -> Tensor:
        """Training times [count], uniform over the process."""

    @abstractmethod
    def discrete_betas(self) -> Tensor:
        """Betas with which a discrete sampler that feeds its index to the network fits."""

    @abstractmethod
    def at_logsnr(self, logsnr: Tensor) -> Tensor:
        """The (nearest) time at which the process has this logsnr."""

    def diffuse(self, x0: Tensor, noise: Tensor, t: Time) -> Tensor:
        """x_t like x0 from clean data, noise of the same shape and t (one, or one a row)."""
        alpha, sigma = self.alpha(t), self.sigma(t)
        if alpha.ndim:
            alpha, sigma = (level.view(-1, *[1] * (x0.ndim - 1)) for level in (alpha, sigma))
        return alpha.to(x0.dtype) * x0 + sigma.to(x0.dtype) * noise.to(x0.dtype)
