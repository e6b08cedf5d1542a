"""Clearness and variety against torch-fidelity's implementations and numbers worked out by hand."""

import math

import numpy as np
import pytest
import torch
from torch_fidelity.metric_isc import isc_features_to_metric
from torch_fidelity.metric_prc import calculate_precision_recall_full

from guidebench.metrics import variety
from guidebench.metrics.reference import Real
from guidebench.metrics.score import Scorer
from guidebench.metrics.variety import Neighbours, diversity, inception_score
from guidebench.metrics.variety import measures as measures_of
from guidebench.pipeline.errors import UserError


def measures(found: dict[str, np.ndarray], neighbours: Neighbours, blocks: int):
    return measures_of(found, neighbours, ~found["diverged"], blocks)


def test_inception_score_is_torch_fidelitys() -> None:
    logits = torch.randn(300, 10, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    reference = isc_features_to_metric(3 * logits, splits=1, shuffle=False)
    found = inception_score(torch.softmax(3 * logits, 1).numpy())
    assert found == pytest.approx(reference["inception_score_mean"], rel=1e-10)


def test_inception_score_by_hand() -> None:
    assert inception_score(np.eye(5)) == pytest.approx(5, rel=1e-9)
    assert inception_score(np.full((4, 5), 0.2)) == pytest.approx(1)
    assert inception_score(np.eye(5)[[0, 0, 0]]) == pytest.approx(1)


@pytest.mark.parametrize("counts", [(60, 80), (200, 50)])
def test_precision_and_recall_are_torch_fidelitys(counts: tuple[int, int]) -> None:
    chance = np.random.default_rng(0)
    generated, real = (
        chance.normal(size=(counts[0], 4)),
        0.3 + 0.7 * chance.normal(size=(counts[1], 4)),
    )
    expected = calculate_precision_recall_full(
        torch.from_numpy(generated), torch.from_numpy(real), neighborhood=3
    )
    neighbours = Neighbours(real)
    assert 0.05 < expected[0] < 1
    assert neighbours.precision(generated).mean() == pytest.approx(expected[0], abs=1e-6)
    assert neighbours.recall(generated) == pytest.approx(expected[1], abs=1e-6)


def test_diversity_by_hand() -> None:
    """Class 0: 3 images, mean distance 4; class 1: two at 2; a class of one has none."""
    features = np.array([[0, 0], [3, 0], [0, 4], [7, 7], [7, 9], [1, 1.0]])
    labels = np.array([0, 0, 0, 1, 1, 2])
    assert diversity(features, labels) == pytest.approx((3 * 4 + 2 * 2) / 5)
    assert math.isnan(diversity(features[:1], labels[:1]))
    classless = np.concatenate([features, features * np.nan])
    with_none = np.concatenate([labels, np.full(len(labels), -1)])
    assert diversity(classless, with_none) == diversity(features, labels)


def test_a_class_counts_by_its_images_in_diversity() -> None:
    """254 images a distance of about 1 apart, and two that are 100 apart."""
    chance = np.random.default_rng(0)
    many = chance.normal(size=(254, 8)) / 4
    both = np.concatenate((many, [np.zeros(8), [100.0, *np.zeros(7)]]))
    labels = np.repeat([0, 1], [254, 2])
    alone = diversity(many, labels[:254])
    assert diversity(both, labels) == pytest.approx((254 * alone + 2 * 100) / 256, rel=1e-12)


def test_diversity_is_unbiased_at_any_n() -> None:
    """Its mean over sets of 8 is its value on a set of 4,000, within three standard errors."""
    chance = np.random.default_rng(0)
    large = diversity(chance.normal(size=(4000, 4)), np.zeros(4000))
    small = [diversity(chance.normal(size=(8, 4)), np.zeros(8)) for _ in range(400)]
    assert abs(np.mean(small) - large) < 3 * np.std(small) / 20


def test_too_few_images_are_no_number_or_one_line() -> None:
    neighbours = Neighbours(_set(300, 0)["hidden:judge"])
    for count in (0, 1, 3):
        found = {one.metric: one for one in measures(_set(count, 1), neighbours, 4)}
        assert math.isnan(found["recall_judge"].raw)
        assert all(one.n == count for one in found.values())
        assert (count > 0) == math.isfinite(found["is_judge"].raw)
    with pytest.raises(UserError, match="found 3 reference images, allowed: at least 4"):
        Neighbours(_set(3, 0)["hidden:judge"])


def test_pairs_of_the_first_images_have_blocks_of_their_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of 96 images 48 count: each of four replicates leaves 12 of these out, diverged or not."""
    monkeypatch.setattr(variety, "LARGEST", 48)
    found, neighbours = _set(96, 1), Neighbours(_set(300, 0)["hidden:judge"])
    found["diverged"][[3, 40, 90]] = True
    one = {one.metric: one for one in measures(found, neighbours, 4)}["diversity_judge"]
    assert one.n == 46
    kept = np.setdiff1d(np.arange(48), [3, 40])
    for number in range(4):
        rows = kept[kept // 12 != number]
        expected = diversity(found["hidden:judge"][rows], found["predicted:judge"][rows])
        assert one.replicates[number] == pytest.approx(expected, rel=1e-12)


def _set(count: int, seed: int, spread: float = 1.0) -> dict[str, np.ndarray]:
    chance = np.random.default_rng(seed)
    labels = np.arange(count) % 3
    hidden = spread * chance.normal(size=(count, 4)) + 3 * np.eye(4)[labels]
    return {
        "labels": labels,
        "hidden:judge": hidden,
        "diverged": np.zeros(count, bool),
        "predicted:judge": labels,
        "predicted:clean": labels,
        "probabilities:judge": chance.dirichlet(np.ones(3), count),
    }


def test_a_narrower_set_is_less_diverse_and_recalls_less() -> None:
    neighbours = Neighbours(_set(300, 0)["hidden:judge"])
    wide, narrow = (
        {one.metric: one.raw for one in measures(_set(96, 1, spread), neighbours, 4)}
        for spread in (1.0, 0.2)
    )
    assert narrow["diversity_judge"] < 0.3 * wide["diversity_judge"]
    assert narrow["recall_judge"] < wide["recall_judge"]
    assert narrow["precision_judge"] >= wide["precision_judge"]


def test_recall_is_of_as_many_images_of_every_cell() -> None:
    """Two thirds more images would recall more; they count for all else."""
    neighbours, whole = Neighbours(_set(300, 0)["hidden:judge"]), _set(96, 1)
    few = {key: rows[:32] for key, rows in whole.items()}
    found, alone = (
        {one.metric: one for one in measures_of(each, neighbours, ~each["diverged"], 4, 32)}
        for each in (whole, few)
    )
    assert found["recall_judge"].n == alone["recall_judge"].n == 32
    assert found["recall_judge"].raw == alone["recall_judge"].raw
    np.testing.assert_array_equal(
        found["recall_judge"].replicates, alone["recall_judge"].replicates
    )
    assert found["precision_judge"].n == 96


def test_an_image_of_another_class_is_a_failure_and_not_variety() -> None:
    """The judge's class counts: the same images under other labels are as diverse as before."""
    neighbours = Neighbours(_set(300, 0)["hidden:judge"])
    asked = _set(96, 1)
    wrong = asked | {"labels": np.roll(asked["labels"], 1)}
    found, same = (
        {one.metric: one.raw for one in measures(rows, neighbours, 4)} for rows in (asked, wrong)
    )
    assert found["diversity_judge"] == same["diversity_judge"]
    mixed = diversity(asked["hidden:judge"], np.zeros(96, int))
    assert found["diversity_judge"] < 0.9 * mixed


def test_replicates_leave_one_block_out() -> None:
    found, neighbours = _set(48, 1), Neighbours(_set(300, 0)["hidden:judge"])
    for name, value, n, replicates in measures(found, neighbours, 4):
        kept = {key: rows[12:] for key, rows in found.items()}
        again = {one.metric: one.raw for one in measures(kept, neighbours, 4)}
        assert n == 48
        assert replicates[0] == pytest.approx(again[name])
        assert math.isfinite(value)
        assert len(replicates) == 4


def test_n_is_that_of_the_images_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """Distances between all pairs are of the first rows alone; the inception score is of all."""
    found, neighbours = _set(96, 1), Neighbours(_set(300, 0)["hidden:judge"])
    every = {one.metric: one for one in measures(found, neighbours, 4)}
    monkeypatch.setattr(variety, "LARGEST", 48)
    cut = {one.metric: one for one in measures(found, neighbours, 4)}
    assert cut["is_judge"].raw == every["is_judge"].raw
    assert {name: one.n for name, one in cut.items()} == {
        "is_judge": 96,
        "diversity_judge": 48,
        "precision_judge": 48,
        "recall_judge": 48,
    }
    few = {key: rows[:48] for key, rows in found.items()}
    alone = {one.metric: one.raw for one in measures(few, neighbours, 4)}
    assert cut["diversity_judge"].raw == alone["diversity_judge"]


def test_scorer_adds_them_when_every_class_is_asked_for() -> None:
    sets = {"reference": _set(300, 0), "floor": _set(48, 2)}
    scorer = Scorer(Real(sets, None), True, 4)
    scores = {score.metric: score for score in scorer.score(_set(48, 3), None)}
    varied = {"is_judge", "diversity_judge", "precision_judge", "recall_judge"}
    shares = {"diverged", "accuracy_guide", "accuracy_clean", "accuracy_judge"}
    assert set(scores) == shares | varied | {"fd_judge", "sw_judge"}
    assert scores["accuracy_judge"].value == 1  # each image is asked for its own label
    floor = {score.metric for score in scorer.floor()}
    assert floor == set(scores) - {"diverged"}
    assert scores["diversity_judge"].value == scores["diversity_judge"].raw
    inception = scores["is_judge"]
    assert inception.value == pytest.approx(4 * inception.raw - 3 * inception.replicates.mean())
