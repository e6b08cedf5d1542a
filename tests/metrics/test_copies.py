"""Copies of training images against all distances, closed forms and SciPy's test."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from scipy.stats import mannwhitneyu, norm

from guidebench.base.jackknife import hit_share
from guidebench.metrics import copies
from guidebench.metrics.copies import Training, nearness
from guidebench.pipeline.errors import UserError


@pytest.mark.parametrize("kind", [np.float64, np.float32])
def test_nearest_images_are_of_all_distances(kind: type, monkeypatch: pytest.MonkeyPatch) -> None:
    """In tiles, with copies among the samples and twice among the training images."""
    monkeypatch.setattr(copies, "TILE", 7)
    chance = np.random.default_rng(0)
    training = (chance.normal(size=(40, 5)) + 30).astype(kind)
    training[31] = training[12]
    samples = np.vstack((chance.normal(size=(20, 5)) + 30, training[[3, 12, 39]])).astype(kind)
    found = Training(training).nearest(samples)
    distances = cdist(samples.astype(np.float64), training.astype(np.float64))
    own = cdist(training.astype(np.float64), training.astype(np.float64))
    np.fill_diagonal(own, np.inf)
    assert found.row.tolist() == distances.argmin(axis=1).tolist()
    np.testing.assert_allclose(found.distance, distances.min(axis=1), rtol=1e-13)
    np.testing.assert_allclose(found.own, own.min(axis=1)[found.row], rtol=1e-13)
    assert found.distance[-3:].tolist() == [0, 0, 0]
    assert not found.authentic[-3:].any()
    assert found.authentic.tolist() == (found.distance > found.own).tolist()


@pytest.mark.parametrize(
    ("d", "copied"), [(1, 2 / 3), (2, 6 * np.pi / (8 * np.pi + 3 * np.sqrt(3)))]
)
def test_authenticity_of_new_images_is_no_1(d: int, copied: float) -> None:
    """Of uniform points, the share that are the nearest neighbour of their own is known."""
    chance = np.random.default_rng(0)
    hits = []
    for _ in range(10):
        training, samples = chance.random((4000, d)), chance.random((1000, d))
        hits.append(Training(training).nearest(samples).authentic)
    share, error, _ = hit_share(np.concatenate(hits), 10)
    assert abs(share - (1 - copied)) < 4 * error


def test_copies_are_seen_and_new_images_are_not() -> None:
    chance = np.random.default_rng(0)
    training, held_out, new = (chance.normal(size=(n, 8)) for n in (600, 300, 200))
    space = Training(training)
    near = training[:200] + 0.01 * chance.normal(size=(200, 8))
    found = {name: space.nearest(rows) for name, rows in {"new": new, "near": near}.items()}
    real = space.nearest(held_out)
    assert found["near"].row.tolist() == list(range(200))
    assert found["near"].authentic.sum() == 0
    share, error, _ = hit_share(found["new"].authentic, 10)
    assert abs(share - real.authentic.mean()) < 4 * error
    assert nearness(found["near"].distance, real.distance).z < -10
    assert abs(nearness(found["new"].distance, real.distance).z) < 3


@pytest.mark.parametrize("ties", [False, True])
def test_z_is_scipys_test(ties: bool) -> None:
    chance = np.random.default_rng(0)
    a, b = chance.random(50), chance.random(70) + 0.1
    if ties:
        a, b = a.round(1), b.round(1)
    found = nearness(a, b)
    theirs = mannwhitneyu(a, b, alternative="less", method="asymptotic", use_continuity=False)
    assert norm.cdf(found.z) == pytest.approx(theirs.pvalue, rel=1e-10)
    pairs = np.sign(a[:, None] - b[None]) / 2 + 0.5
    assert found.share == pytest.approx(pairs.mean(), rel=1e-12)
    variance = pairs.mean(axis=1).var(ddof=1) / 50 + pairs.mean(axis=0).var(ddof=1) / 70
    assert found.se == pytest.approx(np.sqrt(variance), rel=1e-12)


def test_errors_of_the_share_are_its_spread() -> None:
    """P(a > b) of exponentials of means 1 and 2 is 1/3."""
    chance = np.random.default_rng(0)
    found = [
        nearness(chance.exponential(size=40), 2 * chance.exponential(size=60)) for _ in range(2000)
    ]
    share, se, _ = np.array(found).T
    assert abs(share.mean() - 1 / 3) < 3 * share.std() / np.sqrt(2000)
    assert se.mean() == pytest.approx(share.std(), rel=0.05)


def test_none_of_a_kind_is_no_number_or_one_line() -> None:
    some = np.arange(5.0)
    for pair in ((some[:1], some), (some, some[:0])):
        assert np.isnan(nearness(*pair)).all()
    alike = nearness(np.ones(4), np.ones(6))
    assert alike.share == 0.5
    assert np.isnan(alike.z)
    apart = nearness(np.zeros(20), np.ones(30))
    assert apart.share == 0
    assert apart.se > 0.04  # as a share of none of 20
    assert len(Training(some[:, None]).nearest(np.empty((0, 1))).own) == 0
    with pytest.raises(UserError, match="found 1 training images, allowed: at least 2"):
        Training(np.ones((1, 3)))
