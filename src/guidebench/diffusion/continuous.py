"""Continuous forward processes: the VP-SDE, and logsnr schedules with t in (0, 1]."""

import math
from abc import abstractmethod

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from guidebench.diffusion.schedule import CLEAN, Schedule, Time


class Continuous(Schedule):
    """A process with t in (0, 1], which is its time; `_level` makes it one."""

    def __init__(self, timesteps: int, device: torch.device | str = "cpu") -> None:
        self.timesteps, self.device = timesteps, device

    @abstractmethod
    def _level(self, t: Tensor) -> Tensor:
        """The logsnr at t in [0, 1]."""

    def logsnr(self, t: Time) -> Tensor:
        """log(alpha_t^2 / sigma_t^2); infinite for negative t."""
        times = torch.as_tensor(t, dtype=torch.float64, device=self.device)
        return torch.where(times < 0, torch.inf, self._level(times.clamp(min=0)))

    def time(self, t: Time) -> Time:
        """t, and 0 for clean data."""
        return t.clamp(min=0) if isinstance(t, Tensor) else max(0.0, t)

    def at_time(self, time: float) -> float:
        """The time itself, CLEAN at 0."""
        return time if time > 0 else CLEAN

    def network_time(self, t: Time) -> Time:
        """1000 t."""
        return 1000 * t

    def grid(self, steps: int) -> list[float]:
        """The times 1, 1 - 1/n, .., 1/n, then CLEAN; ValueError for less than one step.

        >>> VPSDE().grid(4)
        [1.0, 0.75, 0.5, 0.25, -1]
        """
        if steps < 1:
            raise ValueError(f"steps is {steps}, allowed: 1 or more")
        return [(steps - i) / steps for i in range(steps)] + [CLEAN]

    def draw(self, count: int, chance: torch.Generator) -> Tensor:
        """Uniform in (0, 1]."""
        return 1 - torch.rand(count, generator=chance, dtype=torch.float64)

    def discrete_betas(self) -> Tensor:
        """1 - alpha_k^2 / alpha_{k-1}^2 at t = k / 1000 for k = 0 .. 999."""
        times = torch.arange(1000, dtype=torch.float64, device=self.device) / 1000
        log_alpha_squared = logsigmoid(self.logsnr(times))
        before = torch.cat((torch.zeros_like(log_alpha_squared[:1]), log_alpha_squared[:-1]))
        return (-torch.expm1(log_alpha_squared - before)).clamp(min=1e-8, max=0.999)


class VPSDE(Continuous):
    """beta linear from b_min >= 0 to b_max > 0 (Song et al. 2021, eq. 32; the MNIST notebook)."""

    def __init__(
        self,
        timesteps: int = 1000,
        b_min: float = 0.01,
        b_max: float = 10.0,
        device: torch.device | str = "cpu",
    ) -> None:
        super().__init__(timesteps, device)
        self.b_min, self.b_max = b_min, b_max

    def _level(self, t: Tensor) -> Tensor:
        # log alpha^2 = -integral of beta, and sigma^2 = 1 - alpha^2 without cancellation
        log_alpha_squared = -(t**2) * (self.b_max - self.b_min) / 2 - t * self.b_min
        return log_alpha_squared - torch.log(-torch.expm1(log_alpha_squared))

    def beta(self, t: Time) -> Tensor:
        """b_min + t (b_max - b_min)."""
        times = torch.as_tensor(t, dtype=torch.float64, device=self.device)
        return self.b_min + times * (self.b_max - self.b_min)

    def at_logsnr(self, logsnr: Tensor) -> Tensor:
        """The root in [0, 1] of log(alpha_t^2) = log sigmoid(logsnr)."""
        level, slope = -logsigmoid(logsnr.double()), self.b_max - self.b_min
        # the root of slope t^2 / 2 + b_min t = level that does not cancel
        return (2 * level / (self.b_min + torch.sqrt(self.b_min**2 + 2 * slope * level))).clamp(
            max=1
        )


class LogSNRCosine(Continuous):
    """logsnr from logsnr_max at t = 0 to logsnr_min at 1, a cosine (Ho & Salimans 2021, sec. 2).

    >>> schedule = LogSNRCosine(logsnr_min=-20, logsnr_max=20)
    >>> [round(float(schedule.logsnr(t)), 4) for t in (0.0, 0.25, 1.0)]
    [20.0, 1.7626, -20.0]
    """

    def __init__(
        self,
        timesteps: int = 1000,
        logsnr_min: float = -20.0,
        logsnr_max: float = 20.0,
        device: torch.device | str = "cpu",
    ) -> None:
        super().__init__(timesteps, device)
        self.b = math.atan(math.exp(-logsnr_max / 2))
        self.a = math.atan(math.exp(-logsnr_min / 2)) - self.b

    def _level(self, t: Tensor) -> Tensor:
        return -2 * torch.log(torch.tan(self.a * t + self.b))

    def beta(self, t: Time) -> Tensor:
        """2 a tan(a t + b): alpha is the cosine of the angle, sigma its sine."""
        times = torch.as_tensor(t, dtype=torch.float64, device=self.device)
        return 2 * self.a * torch.tan(self.a * times + self.b)

    def at_logsnr(self, logsnr: Tensor) -> Tensor:
        """(arctan(exp(-logsnr / 2)) - b) / a, within [0, 1]."""
        return ((torch.atan(torch.exp(-logsnr.double() / 2)) - self.b) / self.a).clamp(0, 1)


class LogSNRUniform(Continuous):
    """logsnr linear in t from logsnr_max to logsnr_min (Ho & Salimans 2021, section 2)."""

    def __init__(
        self,
        timesteps: int = 1000,
        logsnr_min: float = -20.0,
        logsnr_max: float = 20.0,
        device: torch.device | str = "cpu",
    ) -> None:
        super().__init__(timesteps, device)
        self.low, self.high = logsnr_min, logsnr_max

    def _level(self, t: Tensor) -> Tensor:
        return self.high + t * (self.low - self.high)

    def beta(self, t: Time) -> Tensor:
        """sigma_t^2 (logsnr_max - logsnr_min)."""
        return self.sigma(t) ** 2 * (self.high - self.low)

    def at_logsnr(self, logsnr: Tensor) -> Tensor:
        """The inverse, within [0, 1]."""
        return ((self.high - logsnr.double()) / (self.high - self.low)).clamp(0, 1)
