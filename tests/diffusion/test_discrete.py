"""The discrete processes: betas of diffusers' schedulers, and what every schedule offers."""

from typing import Any
from unittest.mock import patch

import pytest
import torch
from diffusers import DDPMScheduler

from guidebench.diffusion.samplers import Prediction, ancestral
from guidebench.diffusion.schedules import (
    DDPMBetas,
    DDPMCosine,
    DDPMLinear,
    DDPMScaledLinear,
    Discrete,
    build,
)
from guidebench.pipeline.experiment import sections
from guidebench.pipeline.jobs.agreement import VARIANCES

RISING = [0.001 + 0.0004 * k for k in range(50)]
# ours, and the same as diffusers' scheduler says it
CASES: dict[str, tuple[Discrete, dict[str, Any]]] = {
    "linear": (DDPMLinear(1000), {}),
    "linear, short": (DDPMLinear(400, 2e-4, 0.03), {"beta_start": 2e-4, "beta_end": 0.03}),
    "scaled_linear": (
        DDPMScaledLinear(1000, 0.00085, 0.012),
        {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012},
    ),
    "squaredcos_cap_v2": (DDPMCosine(1000), {"beta_schedule": "squaredcos_cap_v2"}),
    "squaredcos_cap_v2, short": (DDPMCosine(50), {"beta_schedule": "squaredcos_cap_v2"}),
    "trained_betas": (DDPMBetas(50, RISING), {"trained_betas": RISING}),
}
NAMES = list(CASES)


@pytest.mark.parametrize("name", NAMES)
def test_alphas_are_diffusers(name: str) -> None:
    """Theirs in float64: their constructor asks for float32 by its name."""
    ours, said = CASES[name]
    with patch.object(torch, "float32", torch.float64):
        theirs = DDPMScheduler(ours.timesteps, **said)
    assert theirs.alphas_cumprod.dtype == torch.float64
    squared = ours.alpha(torch.arange(ours.timesteps)) ** 2
    torch.testing.assert_close(squared, theirs.alphas_cumprod, rtol=0, atol=1e-12)
    torch.testing.assert_close(ours.discrete_betas(), theirs.betas, rtol=1e-9, atol=0)


@pytest.mark.parametrize("name", NAMES)
def test_what_a_schedule_offers(name: str) -> None:
    schedule, _ = CASES[name]
    t = torch.arange(schedule.timesteps)
    alpha, sigma, logsnr = schedule.alpha(t), schedule.sigma(t), schedule.logsnr(t)
    torch.testing.assert_close(alpha**2 + sigma**2, torch.ones_like(alpha), rtol=1e-14, atol=0)
    torch.testing.assert_close(logsnr, 2 * torch.log(alpha / sigma), rtol=1e-10, atol=1e-10)
    assert (logsnr.diff() < 0).all()
    assert torch.equal(schedule.at_logsnr(logsnr), t)
    assert (float(schedule.alpha(-1)), float(schedule.sigma(-1))) == (1.0, 0.0)
    # its rate is exact in its integral over a step
    amount = schedule.beta(t) / schedule.timesteps
    torch.testing.assert_close(torch.exp(-amount), 1 - schedule.betas, rtol=1e-10, atol=1e-12)
    assert schedule.grid(schedule.timesteps)[0] == schedule.timesteps - 1


@pytest.mark.parametrize("name", NAMES)
def test_ancestral_sampling_of_one_image_ends_in_it(name: str) -> None:
    schedule, _ = CASES[name]
    image, chance = torch.tensor([[0.5]]), torch.Generator().manual_seed(0)

    def predict(x, t, step, **_):
        return Prediction((x - schedule.alpha(t) * image) / schedule.sigma(t), image)

    noise = torch.randn(11, 1, 1, generator=chance)
    last = ancestral(
        predict, noise[0], schedule, schedule.grid(10), lambda step: noise[step + 1], variance=1.0
    )
    torch.testing.assert_close(last, image)


@pytest.mark.parametrize("variance", ["fixed_small", "fixed_small_log", "fixed_large"])
@pytest.mark.parametrize("name", NAMES)
def test_the_large_and_the_small_variance_are_diffusers(name: str, variance: str) -> None:
    """The words that `sampling.variance` has for a file's variance_type."""
    ours, said = CASES[name]
    with patch.object(torch, "float32", torch.float64):
        theirs = DDPMScheduler(ours.timesteps, variance_type=variance, **said)
    t = ours.timesteps // 2
    found = theirs._get_variance(t)
    deviation = found if variance == "fixed_small_log" else found**0.5
    # with no estimate and no state the step is its noise alone
    nothing = torch.zeros(1, 1, dtype=torch.float64)
    step = ancestral(
        lambda x, t, step: Prediction(nothing, nothing),
        nothing,
        ours,
        [t, t - 1],
        lambda step: nothing + 1,
        variance=VARIANCES[variance],
    )
    torch.testing.assert_close(step.squeeze(), deviation, rtol=1e-7, atol=0)


@pytest.mark.parametrize(
    ("section", "kind"),
    [
        (sections.DDPMScaledLinear(name="ddpm_scaled_linear", timesteps=50), DDPMScaledLinear),
        (sections.DDPMCosine(name="ddpm_cosine", timesteps=50), DDPMCosine),
        (sections.DDPMBetas(name="ddpm_betas", timesteps=50, betas=RISING), DDPMBetas),
    ],
)
def test_build_by_name(section: Any, kind: type) -> None:
    made = build(section)
    assert type(made) is kind
    assert made.timesteps == 50
