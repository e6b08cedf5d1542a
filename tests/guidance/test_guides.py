"""Guides: one denoiser evaluation a step, classifier-free rows, both injections."""

import pytest
import torch
from torch import Tensor

from guidebench.diffusion.convert import to_eps_x0
from guidebench.diffusion.samplers import ancestral, heun
from guidebench.diffusion.schedules import DDPMLinear
from guidebench.guidance.gradients import ClassifierGradient
from guidebench.guidance.guides import ClassifierFree, ClassifierGuided, Strength, Unguided
from guidebench.guidance.stabilizers import EMA, Adam, Identity
from guidebench.models.classifier import Classifier

SCHEDULE = DDPMLinear(40, rescale=True)
T = 25


class Fake:
    """Output 3 tanh(x + bias): rows of the second half, if `halves`, have another bias."""

    def __init__(self, halves: bool = False) -> None:
        self.halves, self.rows = halves, list[int]()

    def __call__(self, x: Tensor, t: int) -> Tensor:
        self.rows.append(len(x))
        bias = torch.full((len(x), 1, 1, 1), 0.2, dtype=x.dtype)
        if self.halves:
            bias[len(x) // 2 :] = -0.4
        return 3 * torch.tanh(x + bias)


def _x() -> Tensor:
    return torch.randn(3, 3, 8, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def _levels() -> tuple[Tensor, Tensor]:
    return SCHEDULE.alpha(T), SCHEDULE.sigma(T)


def _guided(
    network: Fake,
    injection: str,
    kind: str = "x0",
    scale: float = 2.0,
    clip: str | None = "zero",
    recompute: bool = False,
    stabilize=None,
) -> ClassifierGuided:
    torch.manual_seed(0)
    classifier = Classifier("small_cnn", 3, 8).double().eval().requires_grad_(False)
    evaluate = ClassifierGradient(network, "v", SCHEDULE, classifier, kind, clip)
    unguided = Unguided(network, "v", SCHEDULE, clip is not None, recompute)
    stabilize = stabilize or Identity()
    return ClassifierGuided(evaluate, 1, lambda t: scale, stabilize, injection, unguided)


@pytest.mark.parametrize("kind", ["raw", "x0", "x0_frozen"])
@pytest.mark.parametrize("injection", ["mean", "score"])
def test_one_denoiser_call_a_step(kind: str, injection: str) -> None:
    network = Fake()
    guide = _guided(network, injection, kind, stabilize=EMA(0.9))
    grid = SCHEDULE.grid(7)
    ancestral(guide, _x(), SCHEDULE, grid, lambda step: torch.zeros(3, 3, 8, 8))
    assert network.rows == [3] * 7


def test_unguided_calls_once_and_clips() -> None:
    network = Fake()
    x = _x()
    eps, x0 = to_eps_x0("v", 3 * torch.tanh(x + 0.2), x, *_levels())
    plain = Unguided(network, "v", SCHEDULE, clip_x0=False)(x, T, 0)
    clipped = Unguided(network, "v", SCHEDULE, clip_x0=True)(x, T, 0)
    again = Unguided(network, "v", SCHEDULE, clip_x0=True, recompute_eps=True)(x, T, 0)
    assert network.rows == [3] * 3
    assert (x0.abs() > 1).any()
    torch.testing.assert_close((plain.eps, plain.x0), (eps, x0))
    torch.testing.assert_close((clipped.eps, clipped.x0), (eps, x0.clamp(-1, 1)))
    alpha, sigma = _levels()
    torch.testing.assert_close(again.eps, (x - alpha * x0.clamp(-1, 1)) / sigma)
    assert plain.shift is None


@pytest.mark.parametrize("weight", [0.0, 1.5])
@pytest.mark.parametrize("prediction", ["eps", "v", "x0", "score"])
def test_classifier_free(weight: float, prediction: str) -> None:
    """Ho & Salimans 2021, eq. 6, on eps; one call whatever the network predicts."""
    network, both = Fake(), Fake(halves=True)
    guide = ClassifierFree(both, lambda t: weight, network, prediction, SCHEDULE, clip_x0=False)
    x = _x()
    found = guide(x, T, 0)
    # without weight, the conditional rows are enough
    assert (network.rows, both.rows) == (([], [6]) if weight else ([3], []))
    conditional = to_eps_x0(prediction, 3 * torch.tanh(x + 0.2), x, *_levels())
    null = to_eps_x0(prediction, 3 * torch.tanh(x - 0.4), x, *_levels())
    for value, with_label, without in zip(found, conditional, null, strict=False):
        torch.testing.assert_close(value, (1 + weight) * with_label - weight * without)


def test_strength_is_an_interval_and_a_ramp() -> None:
    times = [SCHEDULE.at_time(time) for time in (1.0, 0.75, 0.5, 0.25)]
    found = {
        ramp: [Strength(SCHEDULE, (0.25, 0.75), ramp)(t) for t in times]
        for ramp in ("constant", "rising", "falling")
    }
    assert found == {
        "constant": [0, 1, 1, 1],
        "rising": [0, 0.25, 0.5, 0.75],
        "falling": [0, 0.75, 0.5, 0.25],
    }


@pytest.mark.parametrize("injection", ["mean", "score"])
def test_outside_its_interval_a_guide_costs_no_gradient(injection: str) -> None:
    network = Fake()
    guide = _guided(network, injection, stabilize=EMA(0.5))
    guide.scale = Strength(SCHEDULE, (0.0, 0.5))
    early, late = SCHEDULE.at_time(0.9), SCHEDULE.at_time(0.2)
    found = guide(_x(), early, 0)
    plain = Unguided(Fake(), "v", SCHEDULE, clip_x0=True)(_x(), early, 0)
    assert torch.equal(found.eps, plain.eps)
    assert torch.equal(found.x0, plain.x0)
    assert guide.stabilize.mean is None
    guide(_x(), late, 1)
    assert guide.stabilize.mean is not None
    assert network.rows == [3, 3]


def test_a_corrector_does_not_advance_the_stabilizer() -> None:
    """Heun asks twice a step: one evaluation each, and the state moves in the first alone."""
    network = Fake()
    guide = _guided(network, "score", stabilize=Adam(0.9, 0.99, 1e-4))
    guide(_x(), T, 0)
    state = guide.stabilize.mean.mean.clone()
    guide(2 * _x(), T - 1, 0, corrector=True)
    assert torch.equal(guide.stabilize.mean.mean, state)
    network.rows.clear()
    heun(guide, _x(), SCHEDULE, SCHEDULE.grid(6), lambda step: None)
    assert network.rows == [3] * 11  # two a step, one in the last


def test_mean_injection_hands_out_scale_times_the_stabilised_gradient() -> None:
    guide = _guided(Fake(), "mean", stabilize=EMA(0.75))
    x = _x()
    answer = guide.evaluate(x, T, 1)
    assert answer.gradient.abs().max() > 1e-6
    for step, share in enumerate((0.25, 0.4375)):
        found = guide(x, T, step)
        torch.testing.assert_close(found.shift, 2.0 * share * answer.gradient)
        # eps and x0_pred stay the denoiser's
        assert torch.equal(found.eps, answer.eps)
        assert torch.equal(found.x0, answer.x0)


@pytest.mark.parametrize("clip", [None, "zero"])
@pytest.mark.parametrize("recompute", [False, True])
def test_score_injection(clip: str | None, recompute: bool) -> None:
    """eps - scale sigma_t g, x0_pred from it, then the clip."""
    alpha, sigma = _levels()
    guide = _guided(Fake(), "score", scale=20.0, clip=clip, recompute=recompute)
    x = _x()
    answer = guide.evaluate(x, T, 1)
    eps = answer.eps - 20.0 * sigma * answer.gradient
    x0 = (x - sigma * eps) / alpha
    if clip:
        x0 = x0.clamp(-1, 1)
        eps = (x - alpha * x0) / sigma if recompute else eps
    found = guide(x, T, 0)
    torch.testing.assert_close((found.eps, found.x0), (eps, x0))
    assert found.shift is None
    assert not torch.allclose(found.x0, answer.x0)


@pytest.mark.parametrize("injection", ["mean", "score"])
def test_scale_zero_is_unguided(injection: str) -> None:
    """With the same clip and recomputed eps on both sides."""
    for recompute in (False, True):
        found = _guided(Fake(), injection, scale=0.0, recompute=recompute)(_x(), T, 0)
        plain = Unguided(Fake(), "v", SCHEDULE, True, recompute)(_x(), T, 0)
        torch.testing.assert_close((found.eps, found.x0), (plain.eps, plain.x0))


def test_both_injections_push_alike_over_a_step() -> None:
    """DDPM without a clip: the score's push on the mean is (beta / sqrt(1 - beta)) scale g.

    The mean's is the posterior variance times scale g (docs/mathematics.md): they differ.
    """
    x, (s, r) = _x(), (T, T - 1)
    silent = torch.zeros(3, 3, 8, 8)
    beta = 1 - (SCHEDULE.alpha(s) / SCHEDULE.alpha(r)) ** 2
    plain = ancestral(Unguided(Fake(), "v", SCHEDULE, False), x, SCHEDULE, [s, r], lambda _: silent)
    gradient = _guided(Fake(), "mean", clip=None).evaluate(x, s, 1).gradient
    variance = beta * (SCHEDULE.sigma(r) / SCHEDULE.sigma(s)) ** 2
    for injection, factor in (("mean", variance), ("score", beta / torch.sqrt(1 - beta))):
        guide = _guided(Fake(), injection, clip=None)
        moved = ancestral(guide, x, SCHEDULE, [s, r], lambda _: silent) - plain
        torch.testing.assert_close(moved, 2.0 * factor * gradient, rtol=1e-7, atol=1e-12)
