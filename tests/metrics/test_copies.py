"""Copies of training images against all distances and closed forms."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from guidebench.base.jackknife import hit_share
from guidebench.metrics import copies
from guidebench.metrics.copies import Training
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


def test_none_of_a_kind_is_none_or_one_line() -> None:
    some = np.arange(5.0)
    assert len(Training(some[:, None]).nearest(np.empty((0, 1))).own) == 0
    with pytest.raises(UserError, match="found 1 training images, allowed: at least 2"):
        Training(np.ones((1, 3)))
