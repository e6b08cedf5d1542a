"""Samplers step by step against diffusers and against the papers' formulas."""

import math
from itertools import pairwise

import pytest
import torch
from diffusers import DDIMScheduler, DDPMScheduler

from guidebench.base import choices
from guidebench.diffusion.convert import to_eps_x0
from guidebench.diffusion.samplers import SAMPLERS, Prediction, ancestral, ddim
from guidebench.diffusion.schedules import DDPMLinear
from guidebench.pipeline.errors import UserError

SHAPE = (2, 3, 4, 4)
T = 400


def _eps(x: torch.Tensor, t: int) -> torch.Tensor:
    """A fixed fake denoiser: smooth, and different at every t."""
    return torch.tanh(0.7 * x + 0.3 * x.roll(1, -1) - t / T)


def _predict(schedule: DDPMLinear, clip: bool = True, shift: torch.Tensor | None = None):
    def predict(x: torch.Tensor, t: int, step: int) -> Prediction:
        level = schedule.alpha(t).to(x.dtype), schedule.sigma(t).to(x.dtype)
        eps, x0 = to_eps_x0("eps", _eps(x, t), x, *level)
        return Prediction(eps, x0.clamp(-1, 1) if clip else x0, shift)

    return predict


def _noise(dtype: torch.dtype):
    def noise(step: int) -> torch.Tensor:
        return torch.randn(SHAPE, generator=_generator(step), dtype=dtype)

    return noise


def _generator(step: int) -> torch.Generator:
    return torch.Generator().manual_seed(100 + step)


def _states(sampler, schedule: DDPMLinear, steps: int, dtype: torch.dtype, **options):
    """Every state x, from the start noise to the image."""
    states: list[torch.Tensor] = []
    x = torch.randn(SHAPE, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    predict = _predict(schedule, options.pop("clip", True), options.pop("shift", None))
    noise = options.pop("noise", _noise(dtype))
    last = sampler(
        predict,
        x.to(dtype),
        schedule,
        schedule.grid(steps),
        noise,
        callback=lambda step, t, x, prediction: states.append(x),
        **options,
    )
    return [*states, last]


def _overwrite(scheduler, schedule: DDPMLinear) -> None:
    """diffusers keeps float32 tables: with float64 ones the formulas themselves are compared."""
    scheduler.betas = schedule.betas
    scheduler.alphas = 1 - schedule.betas
    scheduler.alphas_cumprod = torch.cumprod(scheduler.alphas, 0)
    scheduler.one = torch.tensor(1.0, dtype=torch.float64)
    scheduler.final_alpha_cumprod = torch.tensor(1.0, dtype=torch.float64)


def _compare(states, step_theirs, grid: list[int], dtype: torch.dtype) -> None:
    """Relative 1e-5 in float32, 1e-10 in float64.

    At t <= 10 their float32 tables lose digits in 1 - alpha^2 (relative 2e-4 at t = 0): 1e-4 there.
    """
    for step, (x, after) in enumerate(pairwise(states)):
        assert after.dtype == dtype
        tolerance = 1e-10 if dtype == torch.float64 else 1e-4 if grid[step] <= 10 else 1e-5
        theirs = step_theirs(step, x)
        error = (after - theirs).norm() / theirs.norm()
        assert error < tolerance, f"step {step}: relative error {error:.2e}"


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("variance", "name"), [(0.0, "fixed_small"), (1.0, "fixed_large")])
@pytest.mark.parametrize("steps", [T, 32])
def test_ancestral_is_diffusers_ddpm(
    dtype: torch.dtype, variance: float, name: str, steps: int
) -> None:
    """Step by step from our states, so that float32 rounding (theirs: tables too) cannot add up."""
    schedule = DDPMLinear(T)
    scheduler = DDPMScheduler(
        T, beta_schedule="linear", variance_type=name, clip_sample=True, timestep_spacing="trailing"
    )
    scheduler.set_timesteps(steps)
    if dtype == torch.float64:
        _overwrite(scheduler, schedule)
    states = _states(ancestral, schedule, steps, dtype, variance=variance)

    def theirs(step: int, x: torch.Tensor) -> torch.Tensor:
        t = int(scheduler.timesteps[step])
        after = scheduler.step(_eps(x, t), t, x, generator=_generator(step)).prev_sample
        if step == steps - 1 and t > 0:
            # they add noise at the last step of a strided grid, whose end is not t = 0
            noise = torch.randn(SHAPE, generator=_generator(step), dtype=dtype)
            after = after - scheduler._get_variance(t) ** 0.5 * noise
        return after

    _compare(states, theirs, schedule.grid(steps), dtype)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("eta", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("steps", [T, 50])
def test_ddim_is_diffusers_ddim(dtype: torch.dtype, eta: float, steps: int) -> None:
    """`steps` divides T: diffusers' DDIM steps back by T // steps."""
    schedule = DDPMLinear(T)
    scheduler = DDIMScheduler(
        T, beta_schedule="linear", clip_sample=True, timestep_spacing="trailing"
    )
    scheduler.set_timesteps(steps)
    if dtype == torch.float64:
        _overwrite(scheduler, schedule)
    states = _states(ddim, schedule, steps, dtype, eta=eta)

    def theirs(step: int, x: torch.Tensor) -> torch.Tensor:
        t = int(scheduler.timesteps[step])
        # their last step adds noise of variance 0 for eta > 0: the same result
        noise = torch.randn(SHAPE, generator=_generator(step), dtype=dtype)
        given = {"variance_noise": noise} if eta > 0 else {}
        return scheduler.step(_eps(x, t), t, x, eta=eta, **given).prev_sample

    _compare(states, theirs, schedule.grid(steps), dtype)


@pytest.mark.parametrize("variance", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("steps", [T, 32, 7])
def test_ancestral_is_the_beta_formula(variance: float, steps: int) -> None:
    """Ho et al. 2020, eq. 7, in plain Python floats with beta = 1 - abar_s / abar_r."""
    schedule = DDPMLinear(T)
    bar = [1.0]
    for beta in schedule.betas.tolist():
        bar.append(bar[-1] * (1 - beta))
    grid = schedule.grid(steps)
    states = _states(ancestral, schedule, steps, torch.float64, variance=variance)
    noise = _noise(torch.float64)
    for step, (s, r) in enumerate(pairwise(grid)):
        x, at_s, at_r = states[step], bar[s + 1], bar[r + 1]
        beta = 1 - at_s / at_r
        x0 = ((x - math.sqrt(1 - at_s) * _eps(x, s)) / math.sqrt(at_s)).clamp(-1, 1)
        mean = math.sqrt(at_r) * beta / (1 - at_s) * x0
        mean = mean + math.sqrt(at_s / at_r) * (1 - at_r) / (1 - at_s) * x
        small = beta * (1 - at_r) / (1 - at_s)
        if r >= 0:
            mean = mean + math.sqrt(small ** (1 - variance) * beta**variance) * noise(step)
        torch.testing.assert_close(states[step + 1], mean, rtol=0, atol=1e-12)


def test_ancestral_is_the_notebooks_step() -> None:
    """mean (x - beta / sqrt(1 - abar) eps) / sqrt(alpha), variance beta~, without a clip."""
    schedule = DDPMLinear(T)
    betas = schedule.betas.tolist()
    states = _states(ancestral, schedule, T, torch.float64, clip=False)
    noise, bar = _noise(torch.float64), [1.0]
    for beta in betas:
        bar.append(bar[-1] * (1 - beta))
    for step, t in enumerate(reversed(range(T))):
        x, beta = states[step], betas[t]
        mean = (x - beta / math.sqrt(1 - bar[t + 1]) * _eps(x, t)) / math.sqrt(1 - beta)
        if t > 0:
            mean = mean + math.sqrt((1 - bar[t]) / (1 - bar[t + 1]) * beta) * noise(step)
        torch.testing.assert_close(states[step + 1], mean, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", choices.SAMPLERS)
def test_a_step_evaluates_as_often_as_its_record_says(name: str) -> None:
    """A second evaluation within a step says `corrector`; the last step may do without it."""
    schedule, calls = DDPMLinear(T), []
    predict = _predict(schedule)

    def counting(x: torch.Tensor, t: int, step: int, corrector: bool = False) -> Prediction:
        calls.append((step, corrector))
        return predict(x, t, step)

    x = torch.randn(SHAPE, generator=_generator(1))
    SAMPLERS[name](counting, x, schedule, schedule.grid(5), _noise(torch.float32))
    expected = choices.SAMPLERS[name].evaluations
    for step in range(4):
        assert [call for call in calls if call[0] == step] == [
            (step, number > 0) for number in range(expected)
        ]
    assert len(calls) == choices.SAMPLERS[name].calls(5)


@pytest.mark.parametrize("name", choices.SAMPLERS)
def test_a_step_has_a_mean_to_shift_or_refuses_to_ignore_a_shift(name: str) -> None:
    schedule = DDPMLinear(T)
    sampler, push = SAMPLERS[name], torch.ones(SHAPE, dtype=torch.float64)
    if choices.SAMPLERS[name].has_mean:
        plain = _states(sampler, schedule, 4, torch.float64)
        pushed = _states(sampler, schedule, 4, torch.float64, shift=push)
        # from the same start, the first step already goes up everywhere
        assert (pushed[0] == plain[0]).all()
        assert (pushed[1] > plain[1]).all()
    else:
        with_mean = [name for name, record in choices.SAMPLERS.items() if record.has_mean]
        with pytest.raises(UserError, match=f"allowed with this guide: {', '.join(with_mean)}$"):
            _states(sampler, schedule, 4, torch.float64, shift=push)


@pytest.mark.parametrize("steps", [T, 20])
def test_ddim_with_eta_one_is_ancestral(steps: int) -> None:
    """Song et al. 2021, section 4.1; without a clip, since it parts eps and x0_pred."""
    schedule = DDPMLinear(T)
    a = _states(ancestral, schedule, steps, torch.float64, clip=False)
    b = _states(ddim, schedule, steps, torch.float64, clip=False, eta=1.0)
    for one, other in zip(a, b, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("variance", [0.0, 1.0])
def test_shift_moves_the_mean_by_the_posterior_variance(variance: float) -> None:
    """nrCG, algorithm 1: mean + scale * variance * g; `shift` is scale * g."""
    schedule = DDPMLinear(T)
    push = torch.randn(SHAPE, generator=_generator(77), dtype=torch.float64)
    x = torch.randn(SHAPE, generator=_generator(78), dtype=torch.float64)
    noise = _noise(torch.float64)
    for s, r in ((200, 150), (150, -1)):
        plain, pushed = (
            ancestral(
                _predict(schedule, shift=shift), x, schedule, [s, r], noise, variance=variance
            )
            for shift in (None, push)
        )
        level = schedule.sigma(r) if variance == 0 else schedule.sigma(s)
        beta = 1 - (schedule.alpha(s) / schedule.alpha(r)) ** 2
        expected = beta * level**2 / schedule.sigma(s) ** 2 * push
        torch.testing.assert_close(pushed - plain, expected, rtol=1e-9, atol=1e-13)


@pytest.mark.parametrize(
    ("sampler", "options"),
    [
        (ancestral, {"variance": 0.0}),
        (ancestral, {"variance": 1.0}),
        (ddim, {"eta": 1.0}),
    ],
)
def test_no_noise_at_the_last_step(sampler, options) -> None:
    asked: list[int] = []

    def noise(step: int) -> torch.Tensor:
        asked.append(step)
        return torch.zeros(SHAPE)

    schedule = DDPMLinear(T)
    states = _states(sampler, schedule, 8, torch.float32, noise=noise, **options)
    assert asked == list(range(7))
    expected = _predict(schedule)(states[-2], schedule.grid(8)[-2], 7).x0
    torch.testing.assert_close(states[-1], expected, rtol=1e-6, atol=1e-6)


def test_ddim_with_eta_zero_asks_for_no_noise() -> None:
    def noise(step: int) -> torch.Tensor:
        raise AssertionError(f"noise asked at step {step}")

    _states(ddim, DDPMLinear(T), 8, torch.float32, noise=noise, eta=0.0)


def test_callback_sees_each_step_once() -> None:
    schedule = DDPMLinear(T)
    seen: list[tuple[int, int]] = []
    grid = schedule.grid(5)
    ancestral(
        _predict(schedule),
        torch.zeros(SHAPE),
        schedule,
        grid,
        _noise(torch.float32),
        callback=lambda step, t, x, prediction: seen.append((step, t)),
    )
    assert seen == list(enumerate(grid[:-1]))


@pytest.mark.parametrize("sampler", [ancestral, ddim])
def test_exact_denoiser_of_one_point_ends_there(sampler) -> None:
    """Data at one point x*: the true eps is known, and every sampler must end in x* exactly."""
    schedule = DDPMLinear(T)
    point = torch.full(SHAPE, 0.3, dtype=torch.float64)

    def predict(x: torch.Tensor, t: int, step: int) -> Prediction:
        return Prediction((x - schedule.alpha(t) * point) / schedule.sigma(t), point)

    x = torch.randn(SHAPE, generator=_generator(1), dtype=torch.float64)
    last = sampler(predict, x, schedule, schedule.grid(10), _noise(torch.float64))
    torch.testing.assert_close(last, point, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("variance", [0.0, 1.0])
def test_ancestral_keeps_gaussian_data_gaussian(variance: float) -> None:
    """For x_0 ~ N(0, s^2) the best x0_pred is linear: the variance after each step is exact.

    On the full grid the last state has the data's variance within the discretisation error.
    """
    schedule = DDPMLinear(T, rescale=True)
    spread = 0.25

    def predict(x: torch.Tensor, t: int, step: int) -> Prediction:
        alpha, sigma = schedule.alpha(t), schedule.sigma(t)
        x0 = alpha * spread / (alpha**2 * spread + sigma**2) * x
        return Prediction((x - alpha * x0) / sigma, x0)

    def noise(step: int) -> torch.Tensor:
        return torch.randn(4, 3, 32, 32, generator=_generator(step), dtype=torch.float64)

    x = ancestral(predict, noise(999), schedule, schedule.grid(T), noise, variance=variance)
    count = x.numel()
    assert float(x.var()) == pytest.approx(spread, rel=0.02 + 4 * math.sqrt(2 / count))
