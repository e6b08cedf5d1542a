"""Guidance gradients against finite differences in float64."""

import pytest
import torch
from torch import Tensor

from guidebench.diffusion.convert import to_eps_x0
from guidebench.diffusion.schedules import DDPMLinear
from guidebench.guidance.gradients import ClassifierGradient
from guidebench.models.classifier import Classifier
from guidebench.models.denoiser import build
from guidebench.pipeline.experiment.sections import Denoiser

OPTIONS = Denoiser(channels=[8, 16], norm_groups=4)
SCHEDULE = DDPMLinear(40, rescale=True)


class Counted:
    """A denoiser in float64 that counts its calls."""

    def __init__(self) -> None:
        torch.manual_seed(0)
        self.model = build(OPTIONS, 8, 3, 4).double().eval().requires_grad_(False)
        self.calls = 0

    def __call__(self, x: Tensor, t: int) -> Tensor:
        self.calls += 1
        output: Tensor = self.model(x, t, return_dict=False)[0]
        return output


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    torch.manual_seed(1)
    return Classifier("small_cnn", 3, 8).double().eval().requires_grad_(False)


def _x(scale: float = 1.0) -> Tensor:
    chance = torch.Generator().manual_seed(2)
    return scale * torch.randn(2, 3, 8, 8, generator=chance, dtype=torch.float64)


def _log_prob(evaluate: ClassifierGradient, x: Tensor, t: int, held: Tensor | None) -> Tensor:
    """log p of the whole composition, written anew; `held` is the frozen network output."""
    alpha, sigma = SCHEDULE.alpha(t), SCHEDULE.sigma(t)
    if evaluate.kind == "raw":
        seen = x
    else:
        output = evaluate.network(x, t) if held is None else held
        seen = to_eps_x0(evaluate.prediction, output, x, alpha, sigma)[1]
        if evaluate.clip_gradient:
            seen = seen.clamp(-1, 1)
    logits = evaluate.classifier(seen) / evaluate.temperature
    return torch.log_softmax(logits, dim=1)[:, 2]


def _check(evaluate: ClassifierGradient, x: Tensor, t: int) -> None:
    held = evaluate.network(x, t) if evaluate.kind == "x0_frozen" else None
    gradient = evaluate(x, t, 2).gradient
    chance = torch.Generator().manual_seed(3)
    h = 1e-6
    for _ in range(6):
        direction = torch.randn(x.shape, generator=chance, dtype=x.dtype)
        up, down = (_log_prob(evaluate, x + s * h * direction, t, held) for s in (1, -1))
        difference = (up - down) / (2 * h)
        along = (gradient * direction).sum(dim=(1, 2, 3))
        # truncation h^2 and cancellation 1e-16 / h
        torch.testing.assert_close(along, difference, rtol=1e-5, atol=1e-9)


PREDICTIONS = {"raw": ["v", "x0"], "x0": ["eps", "v", "x0"], "x0_frozen": ["eps", "v"]}


@pytest.mark.parametrize(
    ("kind", "prediction"), [(kind, name) for kind in PREDICTIONS for name in PREDICTIONS[kind]]
)
@pytest.mark.parametrize("t", [1, 20, 39])
def test_unclipped(kind: str, prediction: str, t: int, classifier: Classifier) -> None:
    # what is held is the network's output
    hold = "eps" if prediction == "eps" else "v"
    evaluate = ClassifierGradient(
        Counted(), prediction, SCHEDULE, classifier, kind, None, hold=hold
    )
    _check(evaluate, _x(), t)


@pytest.mark.parametrize("kind", ["x0", "x0_frozen"])
def test_clip_with_gradient_zero(kind: str, classifier: Classifier) -> None:
    """The true derivative of the clipped composition; about a third of x0_pred saturates."""
    evaluate = ClassifierGradient(Counted(), "v", SCHEDULE, classifier, kind, "zero")
    saturated = evaluate(_x(), 10, 2).x0.abs() == 1
    assert 0.1 < saturated.double().mean() < 0.9
    _check(evaluate, _x(), 10)


@pytest.mark.parametrize("kind", ["x0", "x0_frozen"])
def test_straight_through_is_the_derivative_inside(kind: str, classifier: Classifier) -> None:
    x = _x(0.1)
    evaluate = ClassifierGradient(Counted(), "v", SCHEDULE, classifier, kind, "straight_through")
    assert evaluate(x, 1, 2).x0.abs().max() < 1
    _check(evaluate, x, 1)


def test_temperature(classifier: Classifier) -> None:
    evaluate = ClassifierGradient(Counted(), "v", SCHEDULE, classifier, "x0", None, 3.0)
    _check(evaluate, _x(), 20)


def _at_x0(classifier: Classifier, x0: Tensor) -> Tensor:
    x0 = x0.clone().requires_grad_()
    log_prob = torch.log_softmax(classifier(x0), dim=1)[:, 2].sum()
    return torch.autograd.grad(log_prob, x0)[0]


@pytest.mark.parametrize(
    ("hold", "factor"),
    [
        ("v", SCHEDULE.alpha(30)),
        ("eps", 1 / SCHEDULE.alpha(30)),
    ],
)
@pytest.mark.parametrize("prediction", ["v", "eps", "x0", "score"])
@pytest.mark.parametrize("clip", [None, "zero", "straight_through"])
def test_frozen_is_a_factor_times_the_gradient_at_x0(
    prediction: str, hold: str, factor: Tensor, clip: str | None, classifier: Classifier
) -> None:
    """Holding v gives alpha_t grad_{x0}, holding eps grad_{x0} / alpha_t.

    Whatever the network predicts.
    """
    evaluate = ClassifierGradient(
        Counted(), prediction, SCHEDULE, classifier, "x0_frozen", clip, hold=hold
    )
    answer = evaluate(_x(), 30, 2)
    expected = factor * _at_x0(classifier, answer.x0)
    if clip == "zero":
        saturated = answer.x0.abs() == 1
        assert saturated.any()
        assert (answer.gradient[saturated] == 0).all()
        expected = expected.masked_fill(saturated, 0)
    torch.testing.assert_close(answer.gradient, expected, rtol=1e-10, atol=1e-14)


def test_straight_through_skips_the_clip_alone(classifier: Classifier) -> None:
    """Where x0_pred saturates, the gradient is J^T grad_{clip(x0)}, J = d x0_pred / d x_t."""
    network = Counted()
    x = _x().requires_grad_()
    t = 10
    x0 = to_eps_x0("v", network(x, t), x, SCHEDULE.alpha(t), SCHEDULE.sigma(t))[1]
    assert (x0.abs() > 1).any()
    at_x0 = _at_x0(classifier, x0.detach().clamp(-1, 1))
    (expected,) = torch.autograd.grad(x0, x, at_x0)
    evaluate = ClassifierGradient(network, "v", SCHEDULE, classifier, "x0", "straight_through")
    torch.testing.assert_close(evaluate(x, t, 2).gradient, expected, rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("kind", ["raw", "x0", "x0_frozen"])
def test_one_denoiser_call_and_nothing_left_attached(kind: str, classifier: Classifier) -> None:
    network = Counted()
    evaluate = ClassifierGradient(network, "v", SCHEDULE, classifier, kind, "zero")
    x = _x()
    with torch.no_grad():
        answer = evaluate(x, 20, 0)
    assert network.calls == 1
    assert not any(tensor.requires_grad for tensor in answer)
    assert not x.requires_grad
    assert all(p.grad is None for p in [*network.model.parameters(), *classifier.parameters()])


@pytest.mark.parametrize("kind", ["raw", "x0", "x0_frozen"])
def test_rows_do_not_mix(kind: str, classifier: Classifier) -> None:
    evaluate = ClassifierGradient(Counted(), "v", SCHEDULE, classifier, kind, "zero")
    x = _x()
    together = evaluate(x, 20, 1).gradient
    alone = torch.cat([evaluate(x[i : i + 1], 20, 1).gradient for i in range(2)])
    torch.testing.assert_close(together, alone, rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("target", [0, 1])
def test_binary_attribute_pushes_opposite_ways(target: int) -> None:
    """grad logsigmoid(+-f) = +-sigmoid(-+f) grad f."""
    torch.manual_seed(4)
    classifier = Classifier("small_cnn", 2, 8).double().eval().requires_grad_(False)
    evaluate = ClassifierGradient(Counted(), "v", SCHEDULE, classifier, "raw", None)
    x = _x().requires_grad_()
    f = classifier(x)[:, 0]
    (slope,) = torch.autograd.grad(f.sum(), x)
    sign = 1 if target == 1 else -1
    expected = sign * torch.sigmoid(-sign * f).view(-1, 1, 1, 1) * slope
    torch.testing.assert_close(evaluate(x, 5, target).gradient, expected.detach())
