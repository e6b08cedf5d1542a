"""The continuous schedules against their formulas, each other and the discrete one."""

import math

import pytest
import torch

from guidebench.diffusion.continuous import VPSDE, LogSNRCosine, LogSNRUniform
from guidebench.diffusion.schedule import CLEAN
from guidebench.diffusion.schedules import DDPMLinear, build
from guidebench.pipeline.experiment import sections
from guidebench.train.denoiser import times

SCHEDULES = {
    "vp_sde": VPSDE(),
    "logsnr_cosine": LogSNRCosine(),
    "logsnr_uniform": LogSNRUniform(),
}
TIMES = torch.linspace(0.001, 1, 1000, dtype=torch.float64)


@pytest.mark.parametrize("t", [0.0, 0.1, 0.5, 1.0])
def test_vp_sde_is_the_notebooks(t: float) -> None:
    """m = exp(-t^2 (b_max - b_min) / 4 - t b_min / 2), v = 1 - exp(2 log m)."""
    schedule = VPSDE(b_min=0.01, b_max=10.0)
    m = math.exp(-0.25 * t**2 * 9.99 - 0.5 * t * 0.01)
    v = 1 - math.exp(-0.5 * t**2 * 9.99 - t * 0.01)
    assert float(schedule.alpha(t)) == pytest.approx(m, rel=1e-12)
    assert float(schedule.sigma(t)) == pytest.approx(math.sqrt(v), rel=1e-12)
    assert float(schedule.beta(t)) == pytest.approx(0.01 + t * 9.99, rel=1e-12)


@pytest.mark.parametrize("u", [0.0, 0.25, 0.5, 1.0])
def test_logsnr_schedules_are_the_papers(u: float) -> None:
    """-2 log tan(a u + b) with b = arctan(exp(-max / 2)), a = arctan(exp(-min / 2)) - b."""
    b = math.atan(math.exp(-10))
    a = math.atan(math.exp(10)) - b
    expected = -2 * math.log(math.tan(a * u + b))
    assert float(LogSNRCosine().logsnr(u)) == pytest.approx(expected, rel=1e-9, abs=1e-9)
    assert float(LogSNRUniform().logsnr(u)) == pytest.approx(20 - 40 * u, abs=1e-12)


def test_golden_terminal_snr() -> None:
    found = {name: float(s.logsnr(1.0).exp()) for name, s in SCHEDULES.items()}
    assert found["vp_sde"] == pytest.approx(1 / (math.exp(5.005) - 1), rel=1e-9)
    assert found["logsnr_cosine"] == pytest.approx(math.exp(-20), rel=1e-6)
    assert found["logsnr_uniform"] == pytest.approx(math.exp(-20), rel=1e-12)


@pytest.mark.parametrize("name", SCHEDULES)
def test_levels_are_variance_preserving_and_follow_logsnr(name: str) -> None:
    schedule = SCHEDULES[name]
    alpha, sigma, logsnr = (f(TIMES) for f in (schedule.alpha, schedule.sigma, schedule.logsnr))
    torch.testing.assert_close(alpha**2 + sigma**2, torch.ones_like(alpha), rtol=1e-12, atol=0)
    torch.testing.assert_close(logsnr, 2 * torch.log(alpha / sigma), rtol=1e-9, atol=1e-9)
    # the notes' discrete-continuous correspondence: alpha^2 = 1 / (1 + exp(-logsnr))
    torch.testing.assert_close(alpha**2, 1 / (1 + torch.exp(-logsnr)), rtol=1e-12, atol=0)
    assert (logsnr.diff() < 0).all()


@pytest.mark.parametrize("name", SCHEDULES)
def test_beta_is_the_derivative_of_the_level(name: str) -> None:
    """g^2 = -d log(alpha^2) / dt, by central differences."""
    schedule, h = SCHEDULES[name], 1e-6
    t = torch.linspace(0.05, 0.95, 19, dtype=torch.float64)
    slope = (torch.log(schedule.alpha(t + h)) - torch.log(schedule.alpha(t - h))) / h
    torch.testing.assert_close(schedule.beta(t), -slope, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("name", [*SCHEDULES, "ddpm_linear"])
def test_at_logsnr_is_the_inverse(name: str) -> None:
    if name == "ddpm_linear":
        schedule, t = DDPMLinear(400), torch.arange(400)
        assert torch.equal(schedule.at_logsnr(schedule.logsnr(t)), t)
        # between two steps the nearer one is taken, beyond the ends the last
        middle = (0.9 * schedule.logsnr(7) + 0.1 * schedule.logsnr(8)).view(1)
        assert schedule.at_logsnr(middle).tolist() == [7]
        assert schedule.at_logsnr(torch.tensor([99.0, -99.0])).tolist() == [0, 399]
    else:
        schedule = SCHEDULES[name]
        found = schedule.at_logsnr(schedule.logsnr(TIMES))
        torch.testing.assert_close(found, TIMES, rtol=1e-6, atol=1e-6)


def test_the_vp_sde_is_the_limit_of_ddpm() -> None:
    """Betas b(t) / T: the discrete alpha-bar tends to the continuous one, with an error in 1/T."""
    continuous, gaps = VPSDE(b_min=0.1, b_max=20.0), []
    for steps in (1000, 2000, 4000):
        discrete = DDPMLinear(steps, beta_start=0.1 / steps, beta_end=20.0 / steps)
        t = torch.arange(steps)
        gap = discrete.alpha(t) - continuous.alpha((t + 1.0).double() / steps)
        gaps.append(float(gap.abs().max()))
    assert gaps[0] < 2e-3
    assert gaps[0] / gaps[1] == pytest.approx(2, abs=0.05)
    assert gaps[1] / gaps[2] == pytest.approx(2, abs=0.05)


@pytest.mark.parametrize("name", SCHEDULES)
def test_clean_end_and_grid(name: str) -> None:
    schedule = SCHEDULES[name]
    assert float(schedule.alpha(CLEAN)) == 1
    assert float(schedule.sigma(CLEAN)) == 0
    assert float(schedule.logsnr(CLEAN)) == math.inf
    assert schedule.grid(4) == [1.0, 0.75, 0.5, 0.25, CLEAN]
    assert [schedule.time(t) for t in schedule.grid(2)] == [1.0, 0.5, 0.0]
    assert [schedule.at_time(schedule.time(t)) for t in schedule.grid(2)] == schedule.grid(2)
    assert schedule.network_time(0.25) == 250
    with pytest.raises(ValueError, match="allowed: 1 or more"):
        schedule.grid(0)


@pytest.mark.parametrize("name", SCHEDULES)
def test_discrete_betas_give_the_levels_back(name: str) -> None:
    """A scheduler of diffusers that feeds k to the network has the level of t = k / 1000."""
    schedule = SCHEDULES[name]
    squared = torch.cumprod(1 - schedule.discrete_betas(), 0)
    expected = schedule.alpha(torch.arange(1000, dtype=torch.float64) / 1000) ** 2
    inside = expected > 1e-4  # nearer to noise, betas are held below 0.999
    torch.testing.assert_close(squared[inside], expected[inside], rtol=1e-6, atol=1e-6)


def test_build_by_name() -> None:
    made = build(sections.VPSDE(name="vp_sde", timesteps=500, b_min=0.2, b_max=5.0))
    assert isinstance(made, VPSDE)
    assert (made.timesteps, made.b_min, made.b_max) == (500, 0.2, 5.0)
    discrete = build(sections.DDPMLinear(timesteps=50))
    assert isinstance(discrete, DDPMLinear)


@pytest.mark.parametrize("name", [*SCHEDULES, "ddpm_linear"])
def test_training_times(name: str) -> None:
    """Uniform over the process, or with the cosine schedule's distribution of logsnr."""
    schedule = SCHEDULES.get(name, DDPMLinear(1000))
    chance = torch.Generator().manual_seed(0)
    uniform = schedule.time(times("uniform", schedule, 40_000, chance)).double()
    assert float(uniform.mean()) == pytest.approx(0.5, abs=0.01)
    assert float(uniform.var()) == pytest.approx(1 / 12, abs=0.005)
    assert float(uniform.min()) > 0
    cosine = schedule.logsnr(times("logsnr_cosine", schedule, 40_000, chance))
    # half of a hyperbolic secant distribution lies within |logsnr| < 2 log(1 + sqrt(2))
    inside = (cosine.abs() < 2 * math.log(1 + math.sqrt(2))).double().mean()
    assert float(inside) == pytest.approx(0.5, abs=0.02)


def test_notebooks_start_noise_is_not_standard_normal() -> None:
    """Its start is clipped to [-1, 1]: variance 0.516, where the process ends in 0.993."""
    z = torch.randn(2_000_000, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert float(z.clamp(-1, 1).var()) == pytest.approx(0.516, abs=0.001)
    assert float(VPSDE().sigma(1.0) ** 2) == pytest.approx(0.9933, abs=1e-4)
