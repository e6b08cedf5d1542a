"""Forward processes x_t = alpha_t x_0 + sigma_t eps, variance preserving, with zero-based t."""

from __future__ import annotations

import torch
from torch import Tensor


class DDPMLinear:
    """Betas linear in t: alpha_t^2 = prod(1 - beta_s) (Ho et al. 2020, eq. 4).

    `rescale` multiplies the betas by 1000 / T. Tables are float64, results float32 [len(t)].
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
        self.timesteps = timesteps
        self.betas = torch.linspace(
            beta_start * factor, beta_end * factor, timesteps, dtype=torch.float64
        ).clamp(max=0.999)
        log_alpha_squared = torch.log1p(-self.betas).cumsum(0)
        sigma_squared = -torch.expm1(log_alpha_squared)
        # index -1 + 1 = 0 holds clean data: alpha 1, sigma 0, logsnr infinite
        zero = torch.zeros(1, dtype=torch.float64)
        log_alpha_squared = torch.cat((zero, log_alpha_squared))
        sigma_squared = torch.cat((zero, sigma_squared))
        self._alpha = torch.exp(log_alpha_squared / 2).to(device)
        self._sigma = torch.sqrt(sigma_squared).to(device)
        self._logsnr = (log_alpha_squared - torch.log(sigma_squared)).to(device)

    def alpha(self, t: Tensor | int) -> Tensor:
        """Signal level; t in -1 .. T-1 (-1 is clean data)."""
        return self._alpha[t + 1]

    def sigma(self, t: Tensor | int) -> Tensor:
        """Noise level; t in -1 .. T-1."""
        return self._sigma[t + 1]

    def logsnr(self, t: Tensor | int) -> Tensor:
        """log(alpha_t^2 / sigma_t^2); infinite at t = -1."""
        return self._logsnr[t + 1]

    def grid(self, steps: int) -> list[int]:
        """`steps` timesteps from T-1 down, spaced `trailing`, followed by -1 (clean data).

        Raises ValueError when steps is not in 1 .. T.
        """
        if not 1 <= steps <= self.timesteps:
            raise ValueError(f"steps is {steps}, allowed: 1 to {self.timesteps}")
        ratio = self.timesteps / steps
        return [round(self.timesteps - i * ratio) - 1 for i in range(steps)] + [-1]

    def diffuse(self, x0: Tensor, noise: Tensor, t: Tensor | int) -> Tensor:
        """x_t [N, C, H, W] from clean images, noise of the same shape and t (one, or one a row)."""
        alpha, sigma = self.alpha(t), self.sigma(t)
        if alpha.ndim:
            alpha, sigma = (level.view(-1, 1, 1, 1) for level in (alpha, sigma))
        return alpha.to(x0.dtype) * x0 + sigma.to(x0.dtype) * noise.to(x0.dtype)
