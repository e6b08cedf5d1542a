"""Every sampler on every schedule at 10, 20 and 50 steps, against a mixture's exact flow."""

import importlib.util
import math
import re
from itertools import pairwise

import pytest
import torch
from conftest import REPOSITORY
from torch.utils._python_dispatch import TorchDispatchMode

from guidebench.analysis.sampler import variance_ratios
from guidebench.data.gaussian_mixture import GaussianMixture
from guidebench.diffusion.continuous import VPSDE, LogSNRCosine, LogSNRUniform
from guidebench.diffusion.samplers import SAMPLERS, Prediction
from guidebench.diffusion.schedule import CLEAN, Schedule
from guidebench.diffusion.schedules import DDPMLinear
from guidebench.diffusion.time_grid import times
from guidebench.pipeline.experiment.sections import Steps

_spec = importlib.util.spec_from_file_location("bench", REPOSITORY / "benchmarks/samplers.py")
assert _spec is not None
bench = importlib.util.module_from_spec(_spec)
assert _spec.loader is not None
_spec.loader.exec_module(bench)

PAGE = (REPOSITORY / "docs/samplers.md").read_text()
# largest error on each process at 10, 20 and 50 steps: of ddim, heun and dpmpp_2m the root mean
# square distance to the exact flow, of the others the sliced Wasserstein distance to the data
# (exact samples: 0.018); the mixture's own root mean square spread is 1.5
WALKED = ("ddpm_linear", "vp_sde", "logsnr_cosine", "logsnr_uniform")
ROWS = """\
ddim               | 0.29 0.16 0.07   | 0.21 0.11 0.05   | 0.18 0.1 0.045   | 0.59 0.33 0.15
heun               | 0.14 0.06 0.015  | 0.09 0.03 0.006  | 0.24 0.045 0.006 | 0.2 0.045 0.007
dpmpp_2m           | 0.18 0.07 0.017  | 0.11 0.045 0.008 | 0.08 0.025 0.005 | 0.19 0.09 0.02
ancestral, v = 0   | 0.18 0.12 0.06   | 0.14 0.1 0.055   | 0.12 0.08 0.045  | 0.35 0.23 0.11
ancestral, v = 0.5 | 0.13 0.08 0.04   | 0.09 0.065 0.04  | 0.075 0.055 0.035 | 0.23 0.14 0.065
ancestral, v = 0.8 | 0.09 0.05 0.03   | 0.06 0.045 0.03  | 0.045 0.04 0.03  | 0.11 0.07 0.045
ancestral, v = 1   | 0.06 0.04 0.03   | 0.04 0.035 0.03  | 0.03 0.03 0.03   | 0.12 0.07 0.04
ddim, eta = 1      | 0.18 0.12 0.06   | 0.14 0.1 0.055   | 0.12 0.08 0.045  | 0.35 0.23 0.11
euler_maruyama     | 0.11 0.045 0.025 | 0.07 0.04 0.025  | 0.045 0.035 0.025 | 0.06 0.045 0.025
"""
BOUNDS = {
    title.strip(): [[float(bound) for bound in cell.split()] for cell in cells]
    for title, *cells in (row.split("|") for row in ROWS.splitlines())
}


def _written(title: str, page: str = PAGE) -> list[float]:
    """The numbers of a sampler's row in the page's first table."""
    found = re.search(rf"^\| {re.escape(title)} \|(.*)\|$", page, re.MULTILINE)
    assert found, title
    return [float(cell) for cell in found[1].split("|")]


@pytest.mark.parametrize("schedule", WALKED)
def test_errors_at_few_steps(schedule: str) -> None:
    """Each cell below its bound, and what docs/samplers.md says of it."""
    one = bench.Bench(bench.SCHEDULES[schedule])
    column = len(bench.STEPS) * list(bench.SCHEDULES).index(schedule)
    assert list(BOUNDS) == list(bench.SAMPLERS)
    for title, options in bench.SAMPLERS.items():
        bounds = BOUNDS[title][WALKED.index(schedule)]
        for number, (steps, bound) in enumerate(zip(bench.STEPS, bounds, strict=True)):
            error = one.error(options, steps)
            assert (error.flow is not None) == (title in bench.FLOWS)
            value = error.law if error.flow is None else error.flow
            where = f"{schedule}, {title}, {steps} steps"
            assert value < bound, where
            assert value == pytest.approx(_written(title)[column + number], abs=2e-3), where


@pytest.mark.parametrize("title", bench.ENDED)
def test_the_last_evaluation(title: str) -> None:
    """What docs/samplers.md says of u = 1/n, which is ours, and of u = 0, which is the paper's."""
    section = PAGE.partition("## The last evaluation")[2].partition("\n## ")[0]
    assert bench.endings(title) == pytest.approx(_written(title, section), abs=2e-3)


@pytest.mark.parametrize("title", [title for title in bench.SAMPLERS if title != "ddim, eta = 1"])
def test_error_against_evaluations(title: str) -> None:
    """What docs/samplers.md says: evaluations, counted, and variance ratios, which are exact."""
    section = PAGE.partition("## Error against evaluations")[2].partition("\n## ")[0]
    found = re.findall(rf"^\| {re.escape(title)} \|(.*)\|$", section, re.MULTILINE)
    assert len(found) == 5
    for cells in (row.split("|") for row in found):
        steps = int(cells[0])
        assert bench.evaluations(bench.SAMPLERS[title], steps) == int(cells[1])
        options = Steps(steps=steps, **bench.SAMPLERS[title])
        ratios = variance_ratios(bench.SCHEDULES["ddpm_linear"], options, bench.DEVIATIONS)
        assert [float(cell) for cell in cells[4:]] == pytest.approx(ratios, abs=0.0051)


def test_the_flow_keeps_quantiles() -> None:
    """In one dimension the exact map is known: from each quantile of p_t to that of the data."""
    means, deviations, weights = [-1.5, 0.2, 1.0], [0.4, 0.2, 0.5], [0.3, 0.5, 0.2]
    mixture = GaussianMixture(
        torch.tensor(means)[:, None],
        torch.tensor(deviations) ** 2,
        torch.tensor(weights),
        torch.zeros(3, dtype=torch.long),
    )

    def below(x: float, alpha: float, sigma: float) -> float:
        return sum(
            w * 0.5 * math.erfc((alpha * m - x) / math.sqrt(2 * (alpha**2 * d**2 + sigma**2)))
            for w, m, d in zip(weights, means, deviations, strict=True)
        )

    for ratio in (1.0, 30.0, 20_000.0):
        alpha = 1 / math.sqrt(1 + ratio**2)
        start = torch.linspace(-2, 2, 9, dtype=torch.float64)[:, None]
        ends = mixture.flow(start, alpha, ratio * alpha)
        for x, end in zip(start[:, 0].tolist(), ends[:, 0].tolist(), strict=True):
            quantile = below(x, alpha, ratio * alpha)
            assert below(end, 1.0, 0.0) == pytest.approx(quantile, abs=1e-6)


def moments(name: str, schedule: Schedule, grid: list) -> tuple[float, float]:
    """Exact mean and variance of N(0.7, 0.3) sampled from its p_T, by unit vectors."""

    def predict(x, t, step: int, *, corrector: bool = False) -> Prediction:
        alpha, sigma = schedule.alpha(t), schedule.sigma(t)
        x0 = 0.7 + alpha * 0.3 / (alpha**2 * 0.3 + sigma**2) * (x - alpha * 0.7)
        return Prediction((x - alpha * x0) / sigma, x0)

    alpha, sigma = schedule.alpha(grid[0]), schedule.sigma(grid[0])
    x = torch.zeros(1 + len(grid), 1, dtype=torch.float64)
    x += alpha * 0.7
    x[1] += torch.sqrt(alpha**2 * 0.3 + sigma**2)
    unit = torch.eye(len(x), dtype=torch.float64)[..., None]
    last = SAMPLERS[name](predict, x, schedule, grid, lambda step: unit[2 + step])[:, 0]
    return float(last[0]), float((last[1:] - last[0]).square().sum())


def gap(name: str, schedule: Schedule, grid: list) -> float:
    """Error of the mean or of the variance, whichever is larger."""
    mean, variance = moments(name, schedule, grid)
    return max(abs(mean - 0.7), abs(variance - 0.3))


@pytest.mark.parametrize("name", ["heun", "euler_maruyama"])
@pytest.mark.parametrize(
    "schedule",
    [
        LogSNRCosine(),
        LogSNRUniform(),
        VPSDE(b_max=60.0),
        DDPMLinear(4000, rescale=False),
    ],
    ids=["cosine", "uniform", "vp_sde", "ddpm"],
)
def test_a_process_that_ends_far_in_noise_is_walked_where_there_is_signal(name, schedule) -> None:
    """On the schedule's own grid ten steps are much worse; the errors fall with the steps."""
    grid = times(name, schedule, 10)
    assert len(grid) == 11
    assert grid != schedule.grid(10)
    assert -9.2 < float(schedule.logsnr(grid[0])) < -8.8
    for steps, bound in ((10, 0.15), (40, 0.025), (160, 0.006), (640, 0.002)):
        assert gap(name, schedule, times(name, schedule, steps)) < bound
    worse = 8 if "LogSNR" in type(schedule).__name__ else 2
    assert gap(name, schedule, schedule.grid(10)) > worse * gap(name, schedule, grid)


def test_the_variance_of_a_short_process_in_ten_steps() -> None:
    """0.3 is right. A last step longer than the others by one of 20 times made 0.071 and 0.195."""
    schedule = DDPMLinear(20, rescale=True)
    for name, variance in (("euler_maruyama", 0.268), ("heun", 0.273)):
        found = moments(name, schedule, times(name, schedule, 10))[1]
        assert found == pytest.approx(variance, abs=1e-3), name


@pytest.mark.parametrize("timesteps", [16, 18, 20, 22, 25])
@pytest.mark.parametrize(("name", "bound"), [("euler_maruyama", 0.21), ("heun", 0.065)])
def test_a_short_process_in_ten_steps_or_more(name: str, bound: float, timesteps: int) -> None:
    """With half of its times and more, no number of steps is far off the data or diverges."""
    schedule = DDPMLinear(timesteps, rescale=True)
    assert float(schedule.logsnr(timesteps - 1)) < -12
    for steps in range(10, timesteps + 1):
        assert gap(name, schedule, times(name, schedule, steps)) < bound, steps


FAR = {
    "ddpm of 4000": DDPMLinear(4000),
    "ddpm of 20": DDPMLinear(20, rescale=True),
    "steep ddpm": DDPMLinear(60, beta_start=1e-6, beta_end=0.9),
}


@pytest.mark.parametrize("name", FAR)
def test_steps_of_one_where_there_are_fewer_times_with_signal_than_steps(name: str) -> None:
    """From within +-9 into the noise, one time at a time, until all of them are walked."""
    schedule = FAR[name]
    total, within = schedule.timesteps, times("heun", schedule, 1)[0]
    assert float(schedule.logsnr(total - 1)) < -12
    seen = 0
    for steps in range(total - 1000 if total > 1000 else 1, total + 1, 1 + total // 100):
        grid = times("heun", schedule, steps)
        assert grid[-1] == CLEAN
        assert len(grid) == len(set(grid)) == steps + 1
        moves = [s - r for s, r in pairwise(grid[:-1])]
        if all(move == 1 for move in moves) and steps > 1:
            seen += 1
            # no further in the noise than that takes
            assert grid[0] == max(within, steps - 1)
        else:
            assert min(moves, default=1) >= 1
            assert grid[0] == within
    assert seen > 1
    assert times("heun", schedule, total) == schedule.grid(total)


def test_a_time_that_is_left_out_costs_more_than_noise_without_signal() -> None:
    """Variance of data N(0, 0.3) by Heun; the schedule's own grid adds 9 to 6 % in 16 to 18."""
    schedule = DDPMLinear(20, rescale=True)
    for steps in range(16, 21):
        options = Steps(sampler="heun", steps=steps)
        (ratio,) = variance_ratios(schedule, options, [math.sqrt(0.3)])
        assert ratio == pytest.approx(1.0248, abs=1e-4)


def test_other_processes_and_samplers_walk_the_schedules_grid() -> None:
    for name in SAMPLERS:
        for schedule in (
            DDPMLinear(1000),
            DDPMLinear(400, rescale=True),
            VPSDE(b_min=0.1, b_max=20.0),
        ):
            assert times(name, schedule, 25) == schedule.grid(25)
    for name in ("ancestral", "ddim", "dpmpp_2m"):
        assert times(name, LogSNRCosine(), 25) == LogSNRCosine().grid(25)
    # as many steps as times
    assert times("heun", DDPMLinear(4000), 4000) == DDPMLinear(4000).grid(4000)


@pytest.mark.parametrize("name", ["heun", "euler_maruyama"])
@pytest.mark.parametrize(
    ("schedule", "end"),
    [
        (DDPMLinear(50, rescale=True), -11.77),
        (VPSDE(b_max=23.9), -11.95),
        (VPSDE(b_max=24.1), -12.05),
    ],
    ids=["ddpm", "vp_sde above", "vp_sde below"],
)
def test_a_short_rescaled_process_is_not_far_in_the_noise(name, schedule, end: float) -> None:
    """DDPM's own ends at a logsnr of -10 to -12 with few times, and is walked as a whole."""
    own = schedule.grid(25)
    assert float(schedule.logsnr(own[0])) == pytest.approx(end, abs=0.03)
    assert (times(name, schedule, 25) == own) == (end > -12)


class Largest(TorchDispatchMode):
    """Remembers the largest tensor, in bytes of its storage, that anything within made."""

    size = 0

    def __torch_dispatch__(self, function, kinds, args=(), kwargs=None):
        found = function(*args, **(kwargs or {}))
        if isinstance(found, torch.Tensor):
            self.size = max(self.size, found.untyped_storage().nbytes())
        return found


def test_variance_ratios_of_many_steps_need_no_square_of_them() -> None:
    """A column of unit vectors at a time: all at once, 20,000 steps were 3 GB."""
    with Largest() as largest:
        variance_ratios(VPSDE(), Steps(sampler="ancestral", steps=400), [0.5, 1.0])
    column = 401 * 2 * 8
    assert column <= largest.size < 10 * column


@pytest.mark.parametrize("variance", [0.0, 0.5, 1.0])
def test_variance_ratios_by_recursion(variance: float) -> None:
    """Ancestral sampling of N(0, s^2) in plain numbers: v = 0 loses 32 % in 25 steps."""
    schedule = DDPMLinear(400, rescale=True)
    options = Steps(sampler="ancestral", steps=25, variance=variance)
    deviations = [0.1, math.sqrt(0.3), 1.0]
    found = variance_ratios(schedule, options, deviations)
    for deviation, ratio in zip(deviations, found, strict=True):
        spread, grid = 1.0, schedule.grid(25)
        for s, r in pairwise(grid):
            a_s, a_r = float(schedule.alpha(s)), float(schedule.alpha(r))
            v_s, v_r = 1 - a_s**2, 1 - a_r**2
            beta = 1 - (a_s / a_r) ** 2
            gain = a_s * deviation**2 / (a_s**2 * deviation**2 + v_s)
            slope = a_r * beta / v_s * gain + a_s / a_r * v_r / v_s
            noise = beta * (v_r / v_s) ** (1 - variance) if r >= 0 else 0.0
            spread = slope**2 * spread + noise
        assert ratio == pytest.approx(spread / deviation**2, rel=1e-9)
    if variance == 0:
        assert found[1] == pytest.approx(0.68, abs=0.005)


def test_variance_ratios_of_exact_solvers_tend_to_one() -> None:
    schedule = VPSDE()
    for name in SAMPLERS:
        options = Steps(sampler=name, steps=800)
        # the process ends in a logsnr of -5, and samplers start from N(0, 1)
        assert variance_ratios(schedule, options, [1.0]) == pytest.approx([1.0], abs=0.03), name
