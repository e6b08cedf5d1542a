"""Every sampler converges to the data distribution at its theoretical order, without Monte Carlo.

For Gaussian data the exact denoiser is linear, so a sampler's last state is an affine function of
its start and of each step's noise. A batch of unit vectors reads that function off, and the mean
and the variance of what the sampler would draw follow exactly.
"""

import math
from itertools import pairwise

import pytest
import torch
from torch import Tensor

from guidebench.diffusion.continuous import VPSDE, LogSNRCosine, LogSNRUniform
from guidebench.diffusion.samplers import SAMPLERS, Prediction
from guidebench.diffusion.schedule import CLEAN, Schedule
from guidebench.diffusion.schedules import DDPMLinear
from guidebench.guidance.guides import ClassifierFree

MEAN, VARIANCE = 0.7, 0.3
CASES = {
    "ancestral small": ("ancestral", {"variance": 0.0}, 1),
    "ancestral between": ("ancestral", {"variance": 0.5}, 1),
    "ancestral large": ("ancestral", {"variance": 1.0}, 1),
    "euler_maruyama": ("euler_maruyama", {}, 1),
    "ddim": ("ddim", {}, 1),
    "ddim eta 1": ("ddim", {"eta": 1.0}, 1),
    "heun": ("heun", {}, 2),
    "dpmpp_2m": ("dpmpp_2m", {}, 2),
}
SCHEDULES = {
    "ddpm_linear": DDPMLinear(8192, rescale=True),
    "vp_sde": VPSDE(),
    "logsnr_cosine": LogSNRCosine(logsnr_min=-6, logsnr_max=6),
    "logsnr_uniform": LogSNRUniform(logsnr_min=-6, logsnr_max=6),
}


def gaussian(schedule: Schedule, mean: float = MEAN, variance: float = VARIANCE):
    """The exact denoiser of N(mean, variance)."""

    def predict(x: Tensor, t, step: int, corrector: bool = False) -> Prediction:
        alpha, sigma = schedule.alpha(t), schedule.sigma(t)
        gain = alpha * variance / (alpha**2 * variance + sigma**2)
        x0 = mean + gain * (x - alpha * mean)
        return Prediction((x - alpha * x0) / sigma, x0)

    return predict


def moments(name: str, options: dict, predict, schedule, grid, start: tuple[float, float]):
    """Exact mean and variance of the sampler's last state from a Gaussian start."""
    steps = len(grid) - 1
    x = torch.zeros(2 + steps, 1, dtype=torch.float64)
    x[1] = 1

    def noise(step: int) -> Tensor:
        unit = torch.zeros_like(x)
        unit[2 + step] = 1
        return unit

    last = SAMPLERS[name](predict, x, schedule, grid, noise, **options)[:, 0]
    slopes = last[1:] - last[0]
    mean = last[0] + slopes[0] * start[0]
    return float(mean), float(slopes[0] ** 2 * start[1] + (slopes[1:] ** 2).sum())


def marginal(schedule: Schedule, t) -> tuple[float, float]:
    """Mean and variance of p_t: not N(0, 1), which a short schedule never reaches."""
    alpha, sigma = float(schedule.alpha(t)), float(schedule.sigma(t))
    return alpha * MEAN, alpha**2 * VARIANCE + sigma**2


def grid_to(schedule: Schedule, steps: int, end: float) -> list:
    """Evenly spaced from the noisy end to a time before clean data, where all is smooth."""
    times = [1 - (1 - end) * i / steps for i in range(steps + 1)]
    return [schedule.at_time(time) for time in times]


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("case", CASES)
def test_order(case: str, schedule: str) -> None:
    """The error in mean and variance falls by 2^order when the steps double."""
    name, options, order = CASES[case]
    process = SCHEDULES[schedule]
    errors = []
    for steps in (256, 512, 1024):
        grid = grid_to(process, steps, 0.125)
        found = moments(name, options, gaussian(process), process, grid, marginal(process, grid[0]))
        exact = marginal(process, grid[-1])
        errors.append([abs(a - b) for a, b in zip(found, exact, strict=True)])
    slopes = [
        [math.log2(coarse / fine) for coarse, fine in zip(*two, strict=True) if coarse > 1e-12]
        for two in pairwise(errors)
    ]
    assert slopes[-1]
    # noise of the wrong size leaves an error that is of first order as well
    assert order - 0.15 < min(slopes[-1]) < order + 0.25
    assert max(errors[-1]) < 0.02


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("case", CASES)
def test_reaches_the_data(case: str, schedule: str) -> None:
    """On the schedule's own grid, down to clean data, the error falls with the steps."""
    name, options, _ = CASES[case]
    process = SCHEDULES[schedule]
    if isinstance(process, LogSNRCosine | LogSNRUniform):
        # its last step skips what noise is left at logsnr_max
        process = type(process)(logsnr_min=-6, logsnr_max=14)
    errors = []
    for steps in (64, 256, 1024):
        grid = process.grid(steps)
        assert grid[-1] == CLEAN
        found = moments(name, options, gaussian(process), process, grid, marginal(process, grid[0]))
        errors.append(max(abs(found[0] - MEAN), abs(found[1] - VARIANCE)))
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] < 0.005


def test_dpmpp_2m_and_ddim_agree_in_the_limit() -> None:
    schedule = VPSDE()
    x = torch.randn(4, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    gaps = []
    for steps in (50, 100, 200):
        ends = [
            SAMPLERS[name](gaussian(schedule), x, schedule, schedule.grid(steps), None)
            for name in ("ddim", "dpmpp_2m")
        ]
        gaps.append(float((ends[0] - ends[1]).abs().max()))
    assert gaps[0] > 1.8 * gaps[1] > 3.2 * gaps[2] > 0
    assert gaps[2] < 0.02


def test_euler_maruyama_on_a_fixed_brownian_path_has_strong_order_one() -> None:
    """The noise is additive, so the pathwise error halves with the step too."""
    schedule, finest = VPSDE(), 4096
    grid = grid_to(schedule, finest, 0.125)
    chance = torch.Generator().manual_seed(1)
    path = torch.randn(finest, 200, 1, dtype=torch.float64, generator=chance)
    start = torch.randn(200, 1, dtype=torch.float64, generator=chance)

    def end(steps: int) -> Tensor:
        size = finest // steps
        # the Brownian increments of the fine grid, g dW, added up over each coarse step
        amounts = torch.stack([schedule.beta(s) * (s - r) for s, r in pairwise(grid)])
        fine = torch.sqrt(amounts).view(-1, 1, 1) * path
        coarse = fine.view(steps, size, 200, 1).sum(1)
        own = grid[::size]
        scale = [math.sqrt(float(schedule.beta(s) * (s - r))) for s, r in pairwise(own)]
        return SAMPLERS["euler_maruyama"](
            gaussian(schedule), start, schedule, own, lambda step: coarse[step] / scale[step]
        )

    exact = end(finest)
    errors = [float((end(steps) - exact).abs().mean()) for steps in (64, 128, 256)]
    for coarse, fine in pairwise(errors):
        assert math.log2(coarse / fine) == pytest.approx(1, abs=0.2)


@pytest.mark.parametrize("weight", [0.0, 1.0, 3.0])
@pytest.mark.parametrize("name", ["ddim", "heun", "dpmpp_2m"])
def test_cfg_of_gaussians_is_its_closed_form_and_not_the_tilted_density(name, weight):
    """The guided flow d(x/alpha) = eps d(sigma/alpha) of two centred Gaussians is linear.

    With S = sigma_T / alpha_T, from p_T(. | y), its last variance is
    s1^2 (s1^2 / (s1^2 + S^2))^w ((s0^2 + S^2) / s0^2)^w; the density p(x) p(y|x)^(1+w) has the
    precision (1 + w) / s1^2 - w / s0^2 instead.
    """
    narrow, wide = 0.25, 1.0
    schedule = VPSDE(b_min=0.1, b_max=8.0)

    def network(variance: float):
        return lambda x, t: gaussian(schedule, 0.0, variance)(x, t, 0).eps

    def both(x: Tensor, t) -> Tensor:
        first, second = x.chunk(2)
        return torch.cat((network(narrow)(first, t), network(wide)(second, t)))

    guide = ClassifierFree(both, lambda t: weight, network(narrow), "eps", schedule, False)
    noisy = float(schedule.sigma(1.0) / schedule.alpha(1.0)) ** 2
    start = float(schedule.alpha(1.0) ** 2) * narrow + float(schedule.sigma(1.0) ** 2)
    exact = narrow * (narrow / (narrow + noisy)) ** weight * ((wide + noisy) / wide) ** weight
    tilted = 1 / ((1 + weight) / narrow - weight / wide)
    errors = []
    for steps in (200, 400, 800):
        grid = schedule.grid(steps)
        _, variance = moments(name, {}, guide, schedule, grid, (0.0, start))
        errors.append(abs(variance - exact))
    # sigma / alpha goes as the root of t: on this grid the last steps make it first order for all
    assert errors[2] < 0.05 * exact
    assert errors[2] < max(errors[0] / 3, 0.002 * exact)
    if weight == 0:
        assert exact == pytest.approx(tilted) == pytest.approx(narrow)
    else:
        assert abs(exact - tilted) > 0.3 * tilted
        assert errors[2] < abs(exact - tilted) / 20
