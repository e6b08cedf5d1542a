"""Conversions between eps, v and x0, and the clip with its two gradients."""

import pytest
import torch

from guidebench.diffusion.convert import clip, target, to_eps_x0
from guidebench.diffusion.schedules import DDPMLinear


def _draw() -> tuple[torch.Tensor, torch.Tensor]:
    chance = torch.Generator().manual_seed(1)
    x0, noise = torch.randn(2, 3, 2, 4, 4, generator=chance, dtype=torch.float64)
    return x0, noise


@pytest.mark.parametrize("prediction", ["eps", "v", "x0", "score"])
@pytest.mark.parametrize("t", [0, 13, 250, 399])
def test_a_perfect_network_gives_back_noise_and_image(prediction: str, t: int) -> None:
    schedule = DDPMLinear(400, rescale=True)
    alpha, sigma = schedule.alpha(t), schedule.sigma(t)
    x0, noise = _draw()
    x = alpha * x0 + sigma * noise
    output = target(prediction, x0, noise, alpha, sigma)
    if prediction == "score":  # trained as sigma times the output
        output = output / sigma
    eps_found, x0_found = to_eps_x0(prediction, output, x, alpha, sigma)
    torch.testing.assert_close(eps_found, noise, rtol=1e-10, atol=1e-11)
    torch.testing.assert_close(x0_found, x0, rtol=1e-10, atol=1e-11)


@pytest.mark.parametrize("prediction", ["eps", "v", "x0", "score"])
def test_any_output_keeps_x_t(prediction: str) -> None:
    """alpha x0_pred + sigma eps = x_t whatever the network says."""
    schedule = DDPMLinear(400)
    alpha, sigma = schedule.alpha(100), schedule.sigma(100)
    x, output = _draw()
    eps, x0 = to_eps_x0(prediction, output, x, alpha, sigma)
    torch.testing.assert_close(alpha * x0 + sigma * eps, x, rtol=1e-12, atol=1e-13)


def test_targets_by_hand() -> None:
    x0, noise = torch.tensor([2.0]), torch.tensor([-1.0])
    alpha, sigma = torch.tensor(0.6), torch.tensor(0.8)
    assert target("eps", x0, noise, alpha, sigma).item() == -1.0
    assert target("x0", x0, noise, alpha, sigma).item() == 2.0
    assert target("v", x0, noise, alpha, sigma).item() == pytest.approx(-0.6 - 1.6)


def test_score_is_minus_eps_over_sigma() -> None:
    """The notebook's text has the inverse factor, eps = -s / sqrt(v)."""
    x, score = _draw()
    alpha, sigma = torch.tensor(0.6), torch.tensor(0.8)
    eps, x0 = to_eps_x0("score", score, x, alpha, sigma)
    torch.testing.assert_close(score, -eps / sigma)
    # Tweedie: E[x_0 | x_t] = (x_t + sigma^2 score) / alpha
    torch.testing.assert_close(x0, (x + sigma**2 * score) / alpha)


def test_clip_gradients() -> None:
    values = [-3.0, -0.9, 0.5, 0.9, 2.0]
    weight = torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0])
    for gradient, expected in (
        ("zero", [0.0, 2.0, 3.0, 4.0, 0.0]),
        ("straight_through", weight.tolist()),
    ):
        x = torch.tensor(values, requires_grad=True)
        clipped = clip(x, gradient)
        torch.testing.assert_close(clipped, torch.tensor([-1.0, -0.9, 0.5, 0.9, 1.0]))
        (clipped * weight).sum().backward()
        assert x.grad is not None
        assert x.grad.tolist() == expected
