"""What every forward process offers (docs/mathematics.md, Forward process).

`t` is a number or a tensor of them, int64 indices in 0 .. T-1 of a discrete process, floats in
(0, 1] of a continuous one; a negative t is clean data for both. Levels are float64 tensors of the
shape of t.
"""

from abc import ABC, abstractmethod
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

CLEAN = -1
Time = Any  # an int or a float, or a tensor of them


class Schedule(ABC):
    """A variance-preserving forward process x_t = alpha_t x_0 + sigma_t eps.

    `timesteps` is T; of a continuous process the size of the full time grid, to which stabilizers'
    betas and the sensitivity analysis refer.
    """

    timesteps: int

    @abstractmethod
    def logsnr(self, t: Time) -> Tensor:
        """log(alpha_t^2 / sigma_t^2); infinite for clean data."""

    def alpha(self, t: Time) -> Tensor:
        """Signal level in [0, 1]."""
        # alpha^2 = sigmoid(logsnr), sigma^2 = sigmoid(-logsnr)
        return torch.exp(logsigmoid(self.logsnr(t)) / 2)

    def sigma(self, t: Time) -> Tensor:
        """Noise level in [0, 1]."""
        return torch.exp(logsigmoid(-self.logsnr(t)) / 2)

    @abstractmethod
    def beta(self, t: Time) -> Tensor:
        """Rate of the forward SDE dx = -beta x / 2 dt + sqrt(beta) dW (Song et al. 2021, eq. 11).

        -d log(alpha^2) / d time, which is g^2; `time` as below.
        """

    @abstractmethod
    def time(self, t: Time) -> Time:
        """Fraction of the whole process that has passed at t, in [0, 1]: 0 clean, 1 its end."""

    @abstractmethod
    def at_time(self, time: float) -> Time:
        """The t of a fraction of the process in [0, 1]; CLEAN at 0."""

    @abstractmethod
    def network_time(self, t: Time) -> Time:
        """What the network receives at t."""

    @abstractmethod
    def grid(self, steps: int) -> list[Any]:
        """`steps` times from the noisy end down, spaced `trailing`, followed by CLEAN.

        ValueError for a number of steps that the process does not have.
        """

    @abstractmethod
    def draw(self, count: int, chance: torch.Generator) -> Tensor:
        """Training times [count], uniform over the process."""

    @abstractmethod
    def discrete_betas(self) -> Tensor:
        """Betas with which diffusers' discrete samplers, which feed an index, fit the network."""

    @abstractmethod
    def at_logsnr(self, logsnr: Tensor) -> Tensor:
        """The (nearest) time at which the process has this logsnr."""

    def diffuse(self, x0: Tensor, noise: Tensor, t: Time) -> Tensor:
        """x_t like x0 [N, ...] (Ho et al. 2020, eq. 4), for one t or the t [N] of each row.

        `noise`: standard normal, like x0.
        """
        alpha, sigma = self.alpha(t), self.sigma(t)
        if alpha.ndim:
            alpha, sigma = (level.view(-1, *[1] * (x0.ndim - 1)) for level in (alpha, sigma))
        return alpha.to(x0.dtype) * x0 + sigma.to(x0.dtype) * noise.to(x0.dtype)
