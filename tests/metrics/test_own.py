"""A user's own metric: its value on the images that count, and its error from scratch."""

import math
import sys
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from guidebench.base.jackknife import blocked, scattered
from guidebench.metrics import score
from guidebench.metrics.own import Facts, Metric, facts
from guidebench.metrics.reference import Real
from guidebench.metrics.score import Scorer
from guidebench.pipeline.errors import UserError
from guidebench.pipeline.experiment.config import OwnMetric

BLOCKS = 4
CHANCE = np.random.default_rng(0)


def gap(samples, reference, power=1.0):
    """Squared distance of the means: it has a bias of order 1/n."""
    return ((samples.mean(axis=0) - reference.mean(axis=0)) ** 2).sum() ** power


gap.title, gap.caption, gap.smaller_is_better, gap.biased = "gap", "Of means.", True, True


@pytest.fixture
def metric(monkeypatch):
    """(keys of the section, the function's facts) -> a metric named `mean_gap`."""
    module = ModuleType("mine")
    monkeypatch.setitem(sys.modules, "mine", module)

    def make(function=gap, **keys: Any) -> Metric:
        module.method = function
        section = {"name": "mine:method", "of": "judge", "reference": "all", "options": {}}
        return Metric("mean_gap", OwnMetric(**section | keys))

    return make


def _set(count: int, shift: float = 0.0) -> dict[str, np.ndarray]:
    return {
        "labels": np.arange(count) % 3,
        "diverged": np.zeros(count, bool),
        "hidden:judge": CHANCE.normal(shift, size=(count, 5)).astype(np.float32),
        "images": CHANCE.integers(0, 256, (count, 1, 4, 4), np.uint8),
        "probabilities:judge": CHANCE.dirichlet(np.ones(3), count),
    }


@pytest.fixture
def real() -> Real:
    return Real({"reference": _set(90), "floor": _set(24), "floor_target": _set(24)}, target=1)


def _of(scores) -> score.Score:
    (found,) = [one for one in scores if one.metric == "mean_gap"]
    return found


def test_value_and_error_from_scratch(metric, real) -> None:
    found = _set(24, 0.5)
    found["diverged"][[3, 17]] = True
    found["hidden:judge"][3] = np.nan
    scorer = Scorer(real, True, BLOCKS, [metric(options={"power": 0.5})])
    rows = found["hidden:judge"][~found["diverged"]]
    block, reference = (
        blocked(24, BLOCKS)[~found["diverged"]],
        real.sets["reference"]["hidden:judge"],
    )
    value = _of(scorer.score(found, None))
    raw = gap(rows, reference, 0.5)
    left = [gap(rows[block != k], reference, 0.5) for k in range(BLOCKS)]
    out = [gap(rows, reference[scattered(90, BLOCKS) != k], 0.5) for k in range(BLOCKS)]
    assert value.raw == pytest.approx(raw)
    expected = raw + sum((BLOCKS - 1) * (raw - np.mean(part)) for part in (left, out))
    assert value.value == pytest.approx(expected)
    variance = sum((BLOCKS - 1) * np.var(part) for part in (left, out))
    assert value.se == pytest.approx(math.sqrt(variance))
    assert (value.n, value.reference_n, value.features) == (22, 90, 0)
    assert value.reference == "90 training images, unseen by the judge"
    np.testing.assert_allclose(value.replicates, left)
    np.testing.assert_allclose(value.reference_replicates, out)


def test_the_correction_makes_equal_distributions_equal(metric, real) -> None:
    """Over many draws; the raw value is 5 / 24 too large, and what the reference adds."""
    own = metric()
    values = []
    for _ in range(300):
        samples, reference = (CHANCE.normal(size=(n, 5)) for n in (24, 96))
        raw, *both = own.values(samples, blocked(24, BLOCKS), reference, BLOCKS)
        values.append((raw, score.corrected(raw, *both)))
    raw, corrected = np.mean(values, axis=0)
    error = np.std(values, axis=0) / math.sqrt(300)
    assert raw == pytest.approx(5 / 24 + 5 / 96, abs=4 * error[0])
    assert corrected == pytest.approx(0, abs=4 * error[1])


def test_an_unbiased_one_is_as_it_is(metric, real, monkeypatch) -> None:
    monkeypatch.setattr(gap, "biased", False)
    scorer = Scorer(real, True, BLOCKS, [metric()])
    value = _of(scorer.score(_set(24), None))
    assert value.value == value.raw
    assert value.se > 0


def test_of_images_and_of_the_target_class(metric, real) -> None:
    found = _set(24)
    scorer = Scorer(real, True, BLOCKS, [metric(of="images", reference="target")])
    value = _of(scorer.score(found, None))
    target = real.sets["reference"]["images"][real.sets["reference"]["labels"] == 1]
    assert value.raw == pytest.approx(gap(found["images"], target))
    assert value.reference == "30 target-class training images"
    floor = _of(scorer.floor())
    assert floor.raw == pytest.approx(gap(real.sets["floor_target"]["images"], target))
    real.target = None  # each class in turn: there is no target class
    assert [one for one in scorer.score(found, None) if one.metric == "mean_gap"] == []


def test_what_is_not_finite_is_not_measured(metric, real, monkeypatch, caplog) -> None:
    found = _set(24)
    monkeypatch.setattr("guidebench.metrics.own.facts", lambda name: facts_of(gap))
    own = metric(lambda samples, reference: np.float32("inf"))
    value = _of(Scorer(real, True, BLOCKS, [own]).score(found, None))
    assert math.isinf(value.raw)
    assert math.isnan(value.se)
    assert "metrics.own.mean_gap: inf of 24 samples" in caplog.text
    found["diverged"][:] = True
    nothing = metric(lambda samples, reference: 1 / 0)  # is not asked
    values = nothing.values(found["images"][:0], np.array([], int), found["images"], BLOCKS)
    assert math.isnan(values.raw)


def test_replicates_that_are_not_finite_are_told(metric, real, monkeypatch, caplog) -> None:
    """Of 24 samples it has a value, of the 18 without a block none: no error, and not 0."""

    def large(samples, reference):
        return 1.0 if len(samples) == 24 else np.nan

    for biased, more in ((False, ""), (True, ", and cannot be corrected: no value")):
        said = facts_of(gap)._replace(biased=biased)
        monkeypatch.setattr("guidebench.metrics.own.facts", lambda name, said=said: said)
        value = _of(Scorer(real, True, BLOCKS, [metric(large)]).score(_set(24), None))
        assert value.raw == 1
        assert math.isnan(value.se)
        assert math.isnan(value.value) == biased
        line = f"metrics.own.mean_gap: 4 of 8 replicates are not finite: it has no error{more}"
        assert caplog.messages.pop() == line


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (np.ones(3), r"answered values of shape \(3,\), allowed: one number"),
        ([1.0], "answered list, allowed: one number"),
        (None, "answered NoneType, allowed: one number"),
        ("one", "answered str, allowed: one number"),
    ],
)
def test_an_answer_that_is_no_number_is_one_line(value, said, metric, monkeypatch) -> None:
    monkeypatch.setattr("guidebench.metrics.own.facts", lambda name: facts_of(gap))
    own = metric(lambda samples, reference: value)
    with pytest.raises(UserError, match=f"mine:method: {said}"):
        own(np.ones((4, 2)), np.ones((4, 2)))


def test_options_that_it_does_not_take_are_one_line(metric) -> None:
    with pytest.raises(UserError, match="mine:method: got an unexpected keyword argument 'root'"):
        metric(options={"root": 2})(np.ones((4, 2)), np.ones((4, 2)))


def test_its_arrays_cannot_be_changed(metric, monkeypatch) -> None:
    def sorting(samples, reference):
        samples.sort()

    monkeypatch.setattr("guidebench.metrics.own.facts", lambda name: facts_of(gap))
    samples = np.ones((4, 2))
    with pytest.raises(ValueError, match="read-only"):
        metric(sorting)(samples, samples)
    samples[0] = 2  # the array itself can


def facts_of(function) -> Facts:
    return Facts(function.title, function.caption, function.smaller_is_better)


def test_facts(metric) -> None:
    metric()
    assert facts("mine:method") == ("gap", "Of means.", True, True)
    del sys.modules["mine"].method
    with pytest.raises(UserError, match="mine:method: module 'mine' has no attribute 'method'"):
        facts("mine:method")
