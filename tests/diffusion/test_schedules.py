"""The linear schedule against closed forms, the papers' numbers, and diffusers."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from diffusers import DDPMScheduler

from guidebench.diffusion.schedules import DDPMLinear

# (T, rescale): alpha_t^2 at 0, T // 2, T - 1; the third test has them by other means
GOLDEN = {
    (1000, False): (0.9999, 0.07779665836502, 4.0358297653757e-05),
    (400, False): (0.9999, 0.35842296974824, 0.01747287337263868),
    (200, False): (0.9999, 0.59639525422410, 0.13218275425061762),
    (400, True): (0.99975, 0.07590699458070, 3.636006884496579e-05),
    (200, True): (0.9995, 0.07278763023580, 3.031837167231907e-05),
}


@pytest.mark.parametrize("case", GOLDEN)
def test_golden_values(case: tuple[int, bool]) -> None:
    timesteps, rescale = case
    schedule = DDPMLinear(timesteps, rescale=rescale)
    found = [float(schedule.alpha(t) ** 2) for t in (0, timesteps // 2, timesteps - 1)]
    np.testing.assert_allclose(found, GOLDEN[case], rtol=1e-12)


def test_terminal_signal_of_the_papers_schedules() -> None:
    """A short linear schedule does not end in pure noise."""
    assert float(DDPMLinear(400).alpha(399) ** 2) == pytest.approx(0.0175, abs=5e-5)
    assert float(DDPMLinear(200).alpha(199) ** 2) == pytest.approx(0.132, abs=5e-4)


@pytest.mark.parametrize("timesteps", [1000, 400, 200])
def test_product_of_one_minus_beta(timesteps: int) -> None:
    """Plain Python products, in another order of operations than the module's sums of logs."""
    schedule = DDPMLinear(timesteps)
    product = 1.0
    for t in range(timesteps):
        product *= 1 - (1e-4 + (0.02 - 1e-4) * t / (timesteps - 1))
        assert float(schedule.alpha(t)) == pytest.approx(math.sqrt(product), rel=1e-12)


@pytest.mark.parametrize("timesteps", [1000, 400, 200])
def test_equals_diffusers(timesteps: int) -> None:
    """diffusers multiplies in float32: relative 1e-6 where rounding has not added up.

    A float32 product of n factors is off by up to n 2^-24; with diffusers' own betas multiplied in
    float64 the two agree to the rounding of the betas.
    """
    reference = DDPMScheduler(timesteps, beta_start=1e-4, beta_end=0.02, beta_schedule="linear")
    squared = DDPMLinear(timesteps).alpha(torch.arange(timesteps)) ** 2
    exact = torch.cumprod(1 - reference.betas.double(), 0)
    torch.testing.assert_close(squared, exact, rtol=1e-6, atol=0)
    theirs = reference.alphas_cumprod.double()
    torch.testing.assert_close(squared, theirs, rtol=timesteps * 2**-24, atol=0)
    torch.testing.assert_close(squared[:10], theirs[:10], rtol=1e-6, atol=0)


def test_rescale_multiplies_betas() -> None:
    plain, rescaled = DDPMLinear(400), DDPMLinear(400, rescale=True)
    torch.testing.assert_close(rescaled.betas, plain.betas * 2.5, rtol=1e-14, atol=0)
    assert torch.equal(DDPMLinear(1000, rescale=True).betas, DDPMLinear(1000).betas)
    assert DDPMLinear(10, rescale=True).betas.max() == 0.999


@pytest.mark.parametrize("rescale", [False, True])
def test_levels_are_consistent(rescale: bool) -> None:
    schedule = DDPMLinear(400, rescale=rescale)
    t = torch.arange(400)
    alpha, sigma, logsnr = schedule.alpha(t), schedule.sigma(t), schedule.logsnr(t)
    torch.testing.assert_close(alpha**2 + sigma**2, torch.ones_like(alpha), rtol=1e-14, atol=0)
    torch.testing.assert_close(logsnr, 2 * torch.log(alpha / sigma), rtol=1e-12, atol=1e-12)
    assert (logsnr.diff() < 0).all()


def test_clean_end() -> None:
    schedule = DDPMLinear(400)
    assert float(schedule.alpha(-1)) == 1.0
    assert float(schedule.sigma(-1)) == 0.0
    assert float(schedule.logsnr(-1)) == math.inf


@pytest.mark.parametrize(
    ("timesteps", "steps"),
    [
        (400, 400),
        (400, 50),
        (400, 32),
        (400, 7),
        (1000, 50),
        (1000, 48),
        (200, 30),
        (400, 1),
        (40, 39),
    ],
)
def test_grid_is_diffusers_trailing(timesteps: int, steps: int) -> None:
    reference = DDPMScheduler(timesteps, timestep_spacing="trailing")
    reference.set_timesteps(steps)
    grid = DDPMLinear(timesteps).grid(steps)
    assert grid[-1] == -1
    for i, (ours, theirs) in enumerate(zip(grid[:-1], reference.timesteps.tolist(), strict=True)):
        # where T i / steps is a half, numpy.arange's rounding decides theirs: 937 or 936 of 937.5
        tie = (2 * timesteps * i) % steps == 0 and (timesteps * i) % steps != 0
        assert abs(ours - theirs) <= tie


def test_every_grid_falls_strictly_from_the_top() -> None:
    schedule = DDPMLinear(60)
    for steps in range(1, 61):
        grid = schedule.grid(steps)
        assert len(grid) == steps + 1
        assert grid[0] == 59
        assert grid[-1] == -1
        assert all(a > b for a, b in pairwise(grid))


@pytest.mark.parametrize("steps", [0, -1, 61])
def test_grid_refuses(steps: int) -> None:
    with pytest.raises(ValueError, match="allowed: 1 to 60"):
        DDPMLinear(60).grid(steps)


def test_diffuse_takes_one_t_or_one_a_row() -> None:
    schedule = DDPMLinear(100)
    chance = torch.Generator().manual_seed(0)
    x0, noise = torch.randn(2, 5, 3, 4, 4, generator=chance)
    t = torch.tensor([0, 99, 50, -1, 7])
    rows = schedule.diffuse(x0, noise, t)
    assert rows.dtype == torch.float32
    for i in range(5):
        one = schedule.diffuse(x0[i : i + 1], noise[i : i + 1], int(t[i]))
        torch.testing.assert_close(rows[i : i + 1], one, rtol=0, atol=0)
        a, s = float(schedule.alpha(int(t[i]))), float(schedule.sigma(int(t[i])))
        torch.testing.assert_close(one[0], a * x0[i] + s * noise[i], rtol=1e-6, atol=1e-6)
    assert torch.equal(rows[3], x0[3])


@pytest.mark.parametrize("rescale", [False, True])
def test_discrete_levels_are_those_of_their_logsnr(rescale: bool) -> None:
    """The CFG notes' correspondence of discrete and continuous levels, in both directions."""
    schedule = DDPMLinear(400, rescale=rescale)
    t = torch.arange(400)
    logsnr = schedule.logsnr(t)
    torch.testing.assert_close(schedule.alpha(t) ** 2, torch.sigmoid(logsnr), rtol=1e-12, atol=0)
    torch.testing.assert_close(schedule.sigma(t) ** 2, torch.sigmoid(-logsnr), rtol=1e-12, atol=0)
