"""What a sampler does to known data, without guidance and with the exact denoiser."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from guidebench.diffusion.by_name import sampler_of
from guidebench.diffusion.samplers import Prediction, own_options
from guidebench.diffusion.schedule import Schedule
from guidebench.diffusion.time_grid import times

if TYPE_CHECKING:
    from guidebench.pipeline.experiment import sections


def variance_ratios(
    schedule: Schedule, sampler: sections.Steps, deviations: list[float]
) -> list[float]:
    """Variance of its samples over that of the data N(0, s^2 I), for each s of `deviations`.

    Exact: the denoiser of Gaussian data is linear, so the last state is a sum of the start noise
    and of each step's, and unit vectors read its weights off. Nothing is clipped, neither x0_pred
    nor x_t.
    """
    name, steps = sampler.sampler, sampler.steps
    variance = torch.tensor(deviations, dtype=torch.float64) ** 2

    def predict(x: Tensor, t: Any, step: int, *, corrector: bool = False) -> Prediction:
        alpha, sigma = schedule.alpha(t), schedule.sigma(t)
        x0 = alpha * variance / (alpha**2 * variance + sigma**2) * x
        return Prediction((x - alpha * x0) / sigma, x0)

    def unit(row: int) -> Tensor:
        vector = torch.zeros(1 + steps, len(deviations), dtype=torch.float64)
        vector[row] = 1
        return vector

    # row 0 starts from one, row k + 1 gets its one as the noise of step k
    own = own_options(name, sampler.model_copy(update={"limit": None}))
    last = sampler_of(name)(
        predict,
        unit(0),
        schedule,
        times(name, schedule, steps),
        lambda step: unit(step + 1),
        **own,
    )
    ratios: list[float] = (last.square().sum(0) / variance).tolist()
    return ratios
