"""Samplers: one signature, each body is the algorithm of its paper.

predict(x, t, step) -> Prediction: eps, x0_pred and the guidance shift, whatever the guide is.
noise(step) -> standard normal noise of x's shape. callback(step, t, x, prediction) sees each state.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple, Protocol

import torch
from torch import Tensor


class Prediction(NamedTuple):
    """What a sampler knows at x_t: eps and x0_pred like x, the scaled guidance vector or None."""

    eps: Tensor
    x0: Tensor
    shift: Tensor | None = None


class Levels(Protocol):
    """The part of a schedule that samplers use."""

    def alpha(self, t: int) -> Tensor:
        """Signal level."""
        ...

    def sigma(self, t: int) -> Tensor:
        """Noise level."""
        ...

    def logsnr(self, t: int) -> Tensor:
        """log(alpha_t^2 / sigma_t^2)."""
        ...


Predict = Callable[[Tensor, int, int], Prediction]
Noise = Callable[[int], Tensor]
Callback = Callable[[int, int, Tensor, Prediction], None]


def ancestral(
    predict: Predict,
    x: Tensor,
    schedule: Levels,
    grid: list[int],
    noise: Noise,
    variance: float = 0.0,
    callback: Callback | None = None,
) -> Tensor:
    """Ancestral sampling, DDPM on the full grid (Ho & Salimans 2021, eq. 4; nrCG, algorithm 1).

    `variance` v interpolates in the log between c sigma_r^2 (0) and c sigma_s^2 (1).
    """
    for step, (s, r) in enumerate(pairwise(grid)):
        prediction = predict(x, s, step)
        if callback:
            callback(step, s, x, prediction)
        # the clean end has infinite logsnr: exp(-inf) = 0, c = 1, and the mean is x0_pred
        ratio = torch.exp(schedule.logsnr(s) - schedule.logsnr(r))
        c = -torch.expm1(schedule.logsnr(s) - schedule.logsnr(r))
        mean = (ratio * schedule.alpha(r) / schedule.alpha(s)).to(x.dtype) * x
        mean = mean + (c * schedule.alpha(r)).to(x.dtype) * prediction.x0
        small, large = schedule.sigma(r), schedule.sigma(s)
        deviation = (torch.sqrt(c) * small ** (1 - variance) * large**variance).to(x.dtype)
        if prediction.shift is not None:
            mean = mean + deviation**2 * prediction.shift
        x = mean if r < 0 else mean + deviation * noise(step)
    return x


def ddim(
    predict: Predict,
    x: Tensor,
    schedule: Levels,
    grid: list[int],
    noise: Noise,
    eta: float = 0.0,
    callback: Callback | None = None,
) -> Tensor:
    """DDIM; eta = 0 is deterministic, eta = 1 `ancestral` with v = 0 (Song et al. 2021, eq. 12)."""
    for step, (s, r) in enumerate(pairwise(grid)):
        prediction = predict(x, s, step)
        if callback:
            callback(step, s, x, prediction)
        c = -torch.expm1(schedule.logsnr(s) - schedule.logsnr(r))
        deviation = eta * torch.sqrt(c) * schedule.sigma(r)
        direction = torch.sqrt((schedule.sigma(r) ** 2 - deviation**2).clamp(min=0))
        x = schedule.alpha(r).to(x.dtype) * prediction.x0 + direction.to(x.dtype) * prediction.eps
        if r >= 0 and eta > 0:
            x = x + deviation.to(x.dtype) * noise(step)
    return x


SAMPLERS = {"ancestral": ancestral, "ddim": ddim}
