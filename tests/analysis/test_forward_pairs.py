"""Sensitivities on classifiers whose logits and gradients are known in closed form."""

import math

import pytest
import torch
from torch import Tensor, nn

from guidebench.analysis.sensitivity import Table, Views, accuracy, indices, norm, pairs
from guidebench.base.seeds import normal
from guidebench.diffusion.schedules import DDPMLinear
from guidebench.guidance.gradients import ClassifierGradient
from guidebench.guidance.stabilizers import EMA, Adam, Identity
from guidebench.models.classifier import Classifier

SCHEDULE = DDPMLinear(30, rescale=True)
SHAPE = (3, 4, 4)
SIZE = 48


class Linear(Classifier):
    """logits = W x + b."""

    def __init__(self, classes: int = 3) -> None:
        nn.Module.__init__(self)
        chance = torch.Generator().manual_seed(0)
        outputs = 1 if classes == 2 else classes
        self.weight = torch.randn(outputs, SIZE, generator=chance, dtype=torch.float64) / 4
        self.bias = torch.randn(outputs, generator=chance, dtype=torch.float64)

    def forward(self, x: Tensor, time: float = 0.0) -> Tensor:
        return x.flatten(1) @ self.weight.T + self.bias


def _views(count: int = 5, per_t: bool = False) -> Views:
    chance = torch.Generator().manual_seed(1)
    images = torch.rand(count, *SHAPE, generator=chance, dtype=torch.float64) * 2 - 1
    return Views(images, torch.arange(count) % 3, torch.arange(count) + 50, per_t)


def _silent(x: Tensor, t: int) -> Tensor:
    return torch.zeros_like(x)


def _found(evaluate, views, grid, target, stabilizers) -> dict[tuple[int, str, str], Tensor]:
    rows = list(pairs(evaluate, SCHEDULE, views, grid, target, stabilizers))
    found = {(t, name, quantity): value for t, name, quantity, value in rows}
    assert len(found) == len(rows)
    return found


def _states(views: Views, t: int) -> tuple[Tensor, Tensor]:
    """x_t and x_{t-1} from the same x_0 and noise, written anew."""
    noise = normal(views.seeds, t if views.per_t else 0, SHAPE).double()
    made = []
    for time in (t, t - 1):
        squared = float(torch.prod(1 - SCHEDULE.betas[: time + 1]))
        made.append(math.sqrt(squared) * views.images + math.sqrt(1 - squared) * noise)
    return made[0], made[1]


def _gradient(classifier: Linear, logits: Tensor, target: int) -> Tensor:
    """W^T (e_target - softmax(logits)) [N, SIZE]."""
    residual = -torch.softmax(logits, dim=1)
    residual[:, target] += 1
    return residual @ classifier.weight


def _row(x: Tensor) -> Tensor:
    return x.flatten(1).norm(dim=1)


@pytest.mark.parametrize("prediction", ["eps", "v", "x0", "score"])
@pytest.mark.parametrize("kind", ["x0", "x0_frozen"])
def test_clean_images_are_their_own_estimate(prediction: str, kind: str) -> None:
    """At t = 0 the pair's second image is clean; no network was trained to answer there."""

    def asked(x: Tensor, t: int) -> Tensor:
        assert t >= 0
        return 0.1 * x

    classifier, views = Linear(), _views()
    evaluate = ClassifierGradient(asked, prediction, SCHEDULE, classifier, kind, "straight_through")
    found = evaluate(views.images, -1, 1)
    expected = _gradient(classifier, classifier(views.images), 1)
    torch.testing.assert_close(found.gradient.flatten(1), expected)
    rows = _found(evaluate, views, [0], 1, {"none": Identity})
    assert all(torch.isfinite(value).all() for value in rows.values())


@pytest.mark.parametrize("per_t", [False, True])
def test_raw_input_in_closed_form(per_t: bool) -> None:
    """nrCG, eq. 3 and 4: |W (x_t - x_{t-1})| and |W^T (p_{t-1} - p_t)| over |x_t - x_{t-1}|."""
    classifier, views, target = Linear(), _views(per_t=per_t), 1
    evaluate = ClassifierGradient(_silent, "v", SCHEDULE, classifier, "raw", None)
    found = _found(evaluate, views, [29, 12, 0], target, {"none": Identity})
    for t in (29, 12, 0):
        x, before = _states(views, t)
        distance = _row(x - before)
        s_logit = ((x - before).flatten(1) @ classifier.weight.T).norm(dim=1) / distance
        torch.testing.assert_close(found[t, "none", "logit_sensitivity"], s_logit)
        g, g_before = (_gradient(classifier, classifier(state), target) for state in (x, before))
        s_grad = (g - g_before).norm(dim=1) / distance
        torch.testing.assert_close(found[t, "none", "grad_sensitivity"], s_grad)
        torch.testing.assert_close(found[t, "none", "grad_relative"], s_grad / g.norm(dim=1))
        cosine = (g * g_before).sum(1) / (g.norm(dim=1) * g_before.norm(dim=1))
        torch.testing.assert_close(found[t, "none", "grad_cosine"], cosine)
        torch.testing.assert_close(found[t, "none", "update_norm"], g.norm(dim=1))


@pytest.mark.parametrize("kind", ["x0", "x0_frozen"])
def test_x0_input_in_closed_form(kind: str) -> None:
    """Eq. 6 with a network whose v is 0.5 x: x0_pred = (alpha - sigma / 2) x at its own time."""
    classifier, views, target = Linear(), _views(), 2
    evaluate = ClassifierGradient(lambda x, t: x / 2, "v", SCHEDULE, classifier, kind, None)
    found = _found(evaluate, views, [20], target, {"none": Identity})
    states, logits, gradients = _states(views, 20), [], []
    for time, x in zip((20, 19), states, strict=True):
        alpha, sigma = float(SCHEDULE.alpha(time)), float(SCHEDULE.sigma(time))
        factor = alpha - sigma / 2
        logits.append(classifier(factor * x))
        gradient = _gradient(classifier, logits[-1], target)
        gradients.append((factor if kind == "x0" else alpha) * gradient)
    distance = _row(states[0] - states[1])
    expected = (logits[0] - logits[1]).norm(dim=1) / distance
    torch.testing.assert_close(found[20, "none", "logit_sensitivity"], expected)
    expected = (gradients[0] - gradients[1]).norm(dim=1) / distance
    torch.testing.assert_close(found[20, "none", "grad_sensitivity"], expected)


def test_the_network_sees_each_state_with_its_own_time() -> None:
    """The public code denoises x_{t-1} with t."""
    asked: list[tuple[int, Tensor]] = []

    def network(x: Tensor, t: int) -> Tensor:
        asked.append((t, x.detach().clone()))
        return torch.zeros_like(x)

    views = _views()
    evaluate = ClassifierGradient(network, "v", SCHEDULE, Linear(), "x0", None)
    _found(evaluate, views, [17, 5], 0, {"none": Identity})
    assert [t for t, _ in asked] == [17, 16, 5, 4]
    torch.testing.assert_close(asked[0][1], _states(views, 17)[0])
    torch.testing.assert_close(asked[1][1], _states(views, 17)[1])


def test_both_chains_have_states_of_their_own() -> None:
    """EMA of x_t's gradients and of x_{t-1}'s, walked from noise to clean by every t (figure 4)."""
    classifier, views, target, beta = Linear(), _views(), 1, 0.8
    evaluate = ClassifierGradient(_silent, "v", SCHEDULE, classifier, "raw", None)
    grid = [25, 15, 5]
    found = _found(evaluate, views, grid, target, {"none": Identity, "ema": lambda: EMA(beta)})
    means = [torch.zeros(5, SIZE, dtype=torch.float64) for _ in range(2)]
    for t in range(29, 4, -1):
        states = _states(views, t)
        for chain, x in enumerate(states):
            gradient = _gradient(classifier, classifier(x), target)
            means[chain] = beta * means[chain] + (1 - beta) * gradient
        if t not in grid:
            continue
        expected = (means[0] - means[1]).norm(dim=1) / _row(states[0] - states[1])
        torch.testing.assert_close(found[t, "ema", "grad_sensitivity"], expected)
        torch.testing.assert_close(found[t, "ema", "update_norm"], means[0].norm(dim=1))


def test_first_step_of_ema_is_the_plain_one_times_one_minus_beta() -> None:
    evaluate = ClassifierGradient(_silent, "v", SCHEDULE, Linear(), "raw", None)
    found = _found(evaluate, _views(), [29], 1, {"none": Identity, "ema": lambda: EMA(0.9)})
    plain, smooth = (found[29, name, "grad_sensitivity"] for name in ("none", "ema"))
    torch.testing.assert_close(smooth, 0.1 * plain)
    for quantity in ("grad_relative", "grad_cosine"):
        torch.testing.assert_close(found[29, "none", quantity], found[29, "ema", quantity])


@pytest.mark.parametrize("per_t", [False, True])
def test_how_many_t_are_reported_changes_no_value(per_t: bool) -> None:
    """Figure 4's level was 2.2 times too high when the stabilizers walked 40 of 400 t alone."""
    asked: list[int] = []

    def network(x: Tensor, t: int) -> Tensor:
        asked.append(t)
        return x / 2

    evaluate = ClassifierGradient(network, "v", SCHEDULE, Linear(), "x0", None)
    makers = {"none": Identity, "ema": lambda: EMA(0.99), "adam": lambda: Adam(0.9, 0.999, 1e-4)}
    views, every = _views(per_t=per_t), list(range(29, -1, -1))
    whole = _found(evaluate, views, every, 1, makers)
    # x_{t-1} of one pair is x_t of the next, unless each has noise of its own; clean is not asked
    assert len(asked) == (2 * 30 - 1 if per_t else 30)
    for grid in ([29, 19, 9], [3], indices(SCHEDULE, 4)):
        part = _found(evaluate, views, grid, 1, makers)
        assert {key[0] for key in part} == set(grid)
        for key, value in part.items():
            assert torch.equal(value, whole[key])
    asked.clear()
    _found(evaluate, views, [20, 10], 1, {"none": Identity})
    assert asked == [20, 19, 10, 9]


def test_more_images_than_a_batch_change_nothing() -> None:
    """70 images walk in batches of 64 and 6."""
    evaluate = ClassifierGradient(_silent, "v", SCHEDULE, Linear(), "raw", None)
    many, few = _views(70), _views(70)
    few = Views(few.images[60:], few.labels[60:], few.seeds[60:], few.per_t)
    makers = {"ema": lambda: EMA(0.9)}
    all_rows = _found(evaluate, many, [20, 10], 1, makers)
    for key, value in _found(evaluate, few, [20, 10], 1, makers).items():
        torch.testing.assert_close(all_rows[key][60:], value)


@pytest.mark.parametrize("kind", ["raw", "x0"])
def test_accuracy_by_hand(kind: str) -> None:
    classifier, views = Linear(), _views(70)
    evaluate = ClassifierGradient(lambda x, t: x / 2, "v", SCHEDULE, classifier, kind, "zero")
    for t, correct in accuracy(evaluate, SCHEDULE, views, [29, 3]):
        x = _states(views, t)[0]
        if kind == "x0":
            x = ((SCHEDULE.alpha(t) - SCHEDULE.sigma(t) / 2) * x).clamp(-1, 1)
        expected = (classifier(x).argmax(1) == views.labels).double()
        assert torch.equal(correct, expected)


def test_noise_is_one_per_image_or_fresh_per_pair() -> None:
    one, fresh = _views(), _views(per_t=True)
    assert torch.equal(one.noise(3), one.noise(20))
    assert not torch.equal(fresh.noise(3), fresh.noise(20))


def test_norm_is_over_all_of_a_row() -> None:
    x = torch.zeros(2, 3, 4, 4)
    x[0, 0, 0, 0], x[0, 2, 3, 3] = 3, 4
    assert norm(x).tolist() == [5.0, 0.0]


def test_table_rows_have_every_image() -> None:
    table = Table()
    for t, values in ((9, [1.0, 2.0]), (3, [4.0, 8.0])):
        table.add("x0", "none", "grad_sensitivity", t, torch.tensor(values))
        table.add("x0", "none", "accuracy", t, torch.tensor(values))
    assert [row["mean"] for row in table.rows if row["t"] == 9] == [1.5, 1.5]
    assert table.rows[0]["sd"] == pytest.approx(math.sqrt(0.5))
    assert [row["values"].tolist() for row in table.rows[::2]] == [[1.0, 2.0], [4.0, 8.0]]
