"""The schedules by name, and the discrete ones; `continuous` holds the others."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from guidebench.diffusion.continuous import VPSDE, LogSNRCosine, LogSNRUniform
from guidebench.diffusion.schedule import CLEAN, Schedule, Time
from guidebench.pipeline.recording import Methods

if TYPE_CHECKING:
    from guidebench.pipeline.experiment import sections


class Discrete(Schedule):
    """A process given by its betas [T] in (0, 1): alpha_t^2 = prod(1 - beta_s) (DDPM, eq. 4)."""

    def __init__(self, betas: Tensor, device: torch.device | str) -> None:
        self.timesteps, self.betas = len(betas), betas
        # log alpha^2 = sum log(1 - beta), and sigma^2 without cancellation
        log_alpha_squared = torch.log1p(-self.betas).cumsum(0)
        sigma_squared = -torch.expm1(log_alpha_squared)
        # index -1 + 1 = 0 holds clean data: alpha 1, sigma 0, logsnr infinite
        zero = torch.zeros(1, dtype=torch.float64)
        log_alpha_squared = torch.cat((zero, log_alpha_squared))
        sigma_squared = torch.cat((zero, sigma_squared))
        self._alpha = torch.exp(log_alpha_squared / 2).to(device)
        self._sigma = torch.sqrt(sigma_squared).to(device)
        self._logsnr = (log_alpha_squared - torch.log(sigma_squared)).to(device)

    def alpha(self, t: Time) -> Tensor:
        """Signal level; t in -1 .. T-1."""
        return self._alpha[t + 1]

    def sigma(self, t: Time) -> Tensor:
        """Noise level; t in -1 .. T-1."""
        return self._sigma[t + 1]

    def logsnr(self, t: Time) -> Tensor:
        """log(alpha_t^2 / sigma_t^2); infinite at t = -1."""
        return self._logsnr[t + 1]

    def beta(self, t: Time) -> Tensor:
        """-T log(1 - beta_t): constant between two steps, exact in its integral over each."""
        return -2 * self.timesteps * torch.log(self._alpha[t + 1] / self._alpha[t])

    def time(self, t: Time) -> Time:
        """(t + 1) / T."""
        return (t + 1) / self.timesteps

    def at_time(self, time: float) -> int:
        """The nearest index."""
        return round(time * self.timesteps) - 1

    def network_time(self, t: Time) -> Time:
        """The index itself."""
        return t

    def grid(self, steps: int) -> list[int]:
        """`steps` indices from T-1 down, then CLEAN; ValueError when steps is not in 1 .. T."""
        if not 1 <= steps <= self.timesteps:
            raise ValueError(f"steps is {steps}, allowed: 1 to {self.timesteps}")
        ratio = self.timesteps / steps
        return [round(self.timesteps - i * ratio) - 1 for i in range(steps)] + [CLEAN]

    def draw(self, count: int, chance: torch.Generator) -> Tensor:
        """Each index with the same probability."""
        return torch.randint(self.timesteps, (count,), generator=chance)

    def discrete_betas(self) -> Tensor:
        """The betas themselves [T]."""
        return self.betas

    def at_logsnr(self, logsnr: Tensor) -> Tensor:
        """The index with the nearest logsnr."""
        levels = self._logsnr[1:].flip(0).contiguous()  # rising
        middles = (levels[1:] + levels[:-1]) / 2
        return self.timesteps - 1 - torch.searchsorted(middles, logsnr.to(levels))


class DDPMLinear(Discrete):
    """Betas linear in t (Ho et al. 2020, section 4).

    `rescale` multiplies the betas, from `beta_start` to `beta_end` in (0, 1), by 1000 / T; none is
    above 0.999.

    >>> [round(float(DDPMLinear(steps).alpha(steps - 1) ** 2), 4) for steps in (1000, 400, 200)]
    [0.0, 0.0175, 0.1322]
    """

    def __init__(
        self,
        timesteps: int,
        beta_start: float = 1e-4,
        beta_end: float = 0.02,
        rescale: bool = False,
        device: torch.device | str = "cpu",
    ) -> None:
        factor = 1000 / timesteps if rescale else 1.0
        betas = torch.linspace(
            beta_start * factor, beta_end * factor, timesteps, dtype=torch.float64
        )
        super().__init__(betas.clamp(max=0.999), device)


class DDPMScaledLinear(Discrete):
    """Betas whose square roots are linear in t (diffusers' `scaled_linear`)."""

    def __init__(
        self,
        timesteps: int,
        beta_start: float = 1e-4,
        beta_end: float = 0.02,
        device: torch.device | str = "cpu",
    ) -> None:
        start, end = math.sqrt(beta_start), math.sqrt(beta_end)
        super().__init__(torch.linspace(start, end, timesteps, dtype=torch.float64) ** 2, device)


class DDPMCosine(Discrete):
    """alpha_t^2 as cos^2((t / T + s) / (1 + s) pi / 2), s = 0.008 (Nichol & Dhariwal 2021, eq. 17).

    No beta is above 0.999 (diffusers' `squaredcos_cap_v2`).
    """

    def __init__(self, timesteps: int, device: torch.device | str = "cpu") -> None:
        times = torch.arange(timesteps + 1, dtype=torch.float64) / timesteps
        signal = torch.cos((times + 0.008) / 1.008 * math.pi / 2) ** 2
        super().__init__((1 - signal[1:] / signal[:-1]).clamp(max=0.999), device)


class DDPMBetas(Discrete):
    """Betas one by one, `timesteps` of them (diffusers' `trained_betas`)."""

    def __init__(
        self, timesteps: int, betas: Sequence[float], device: torch.device | str = "cpu"
    ) -> None:
        assert len(betas) == timesteps
        super().__init__(torch.tensor(betas, dtype=torch.float64), device)


SCHEDULES: Methods[Callable[..., Schedule]] = Methods(
    ddpm_linear=DDPMLinear,
    ddpm_scaled_linear=DDPMScaledLinear,
    ddpm_cosine=DDPMCosine,
    ddpm_betas=DDPMBetas,
    vp_sde=VPSDE,
    logsnr_cosine=LogSNRCosine,
    logsnr_uniform=LogSNRUniform,
)


def build(process: sections.Process, device: torch.device | str = "cpu") -> Schedule:
    """The schedule of a config section, whose keys are its arguments."""
    return SCHEDULES[process.name](**process.model_dump(exclude={"name"}), device=device)
