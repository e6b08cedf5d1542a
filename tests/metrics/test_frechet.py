"""Fréchet distance and its errors against torch-fidelity, closed forms and brute force."""

import tracemalloc
from functools import reduce

import numpy as np
import pytest
from torch import from_numpy
from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric

from guidebench.base.jackknife import blocked
from guidebench.metrics.frechet import Fitted, least_error, merge, moments

KEY = "frechet_inception_distance"


def _features(count: int, size: int, seed: int, shift: float = 0.0) -> np.ndarray:
    """Correlated, skewed, non-negative features, like those behind an activation."""
    chance = np.random.default_rng(seed)
    mixing = np.random.default_rng(1000 + seed).normal(size=(size, size)) / np.sqrt(size)
    return np.maximum(chance.normal(size=(count, size)) @ mixing + 0.3 + shift, -0.2)


def _fitted(features: np.ndarray, blocks: int = 1) -> Fitted:
    return Fitted(features, blocked(len(features), blocks), blocks)


def _distance(real: np.ndarray, fake: np.ndarray) -> float:
    return _fitted(real).distance(moments(fake))


@pytest.mark.parametrize(("size", "count"), [(16, 300), (64, 300), (256, 700), (64, 40)])
def test_distance_is_torch_fidelitys(size: int, count: int) -> None:
    """Relative 1e-6, also where n < d and the covariance is singular."""
    real, fake = _features(2 * count, size, 0), _features(count, size, 1, 0.1)
    ours = _distance(real, fake)
    statistics = [fid_features_to_statistics(from_numpy(x)) for x in (fake, real)]
    theirs = fid_statistics_to_metric(*statistics, verbose=False)[KEY]
    # singular: the root of an eigenvalue that should be 0 is off by sqrt(1e-16), on either side
    assert ours == pytest.approx(theirs, rel=1e-6 if count > size else 1e-5)


def test_moments_are_torch_fidelitys() -> None:
    features = _features(100, 8, 0)
    found, theirs = moments(features), fid_features_to_statistics(from_numpy(features))
    np.testing.assert_allclose(found.mean, theirs["mu"], rtol=1e-13)
    np.testing.assert_allclose(found.covariance, theirs["sigma"], rtol=1e-12)


def test_diagonal_gaussians_by_hand() -> None:
    """|m|^2 + sum (s1 - s2)^2 for covariances that commute."""
    base = np.array([[1.0, 1], [1, -1], [-1, 1], [-1, -1]]) * np.sqrt(3 / 4)
    real, fake = base * [1.0, 2.0], base * [3.0, 0.5] + [1.0, -2.0]
    np.testing.assert_allclose(moments(real).covariance, np.diag([1.0, 4.0]), atol=1e-14)
    found = _distance(real, fake)
    assert found == pytest.approx(5.0 + 4.0 + 2.25, rel=1e-12)


def test_distance_to_itself_is_zero_and_symmetric() -> None:
    a, b = _features(200, 32, 0), _features(200, 32, 1)
    assert abs(_distance(a, a)) < 1e-10
    assert _distance(a, b) == pytest.approx(_distance(b, a), rel=1e-10)
    assert _distance(a, b) > 1e-3


def test_float32_features_far_from_zero_keep_their_digits() -> None:
    features = (_features(400, 4, 0) + 1000).astype(np.float32)
    expected = np.cov(features.astype(np.float64), rowvar=False)
    np.testing.assert_allclose(moments(features).covariance, expected, rtol=1e-12)


def test_least_error_is_the_spread_of_the_means_distance() -> None:
    """Of 40 and 100 rows of one distribution with unlike, dependent features."""
    chance = np.random.default_rng(0)
    mix = chance.normal(size=(5, 5)) * [3, 1, 1, 0.1, 0]
    pairs = [
        [moments(chance.normal(size=(count, 5)) @ mix.T) for count in (40, 100)]
        for _ in range(3000)
    ]
    spread = np.std([((a.mean - b.mean) ** 2).sum() for a, b in pairs])
    assert np.mean([least_error(*pair) for pair in pairs]) == pytest.approx(spread, rel=0.05)


@pytest.mark.parametrize("cuts", [[1], [1, 2, 99], [30, 60, 90]])
def test_merged_moments_are_the_unions(cuts: list[int]) -> None:
    features = _features(100, 8, 0) + 5
    merged = reduce(merge, [moments(part) for part in np.split(features, cuts)])
    direct = moments(features)
    assert merged.size == direct.size
    np.testing.assert_allclose(merged.mean, direct.mean, rtol=1e-12)
    np.testing.assert_allclose(merged.scatter, direct.scatter, rtol=1e-12, atol=1e-11)


@pytest.mark.parametrize("count", [64, 61])
def test_without_a_block_is_brute_force(count: int) -> None:
    """Each from scratch on the rows that stay; blocks of unequal length as well."""
    features, reference = _features(count, 6, 0), _features(300, 6, 1)
    fitted, block = _fitted(features, 8), blocked(count, 8)
    expected = [_distance(reference, features[block != number]) for number in range(8)]
    np.testing.assert_allclose(_fitted(reference).distances(fitted.without), expected, rtol=1e-11)
    # from the other side, as blocks of a reference are left out
    np.testing.assert_allclose(
        [_fitted(features[block != number]).distance(moments(reference)) for number in range(8)],
        expected,
        rtol=1e-9,
    )


def test_no_more_scatters_are_held_than_memory_is_asked_for() -> None:
    """workflow/rules/metrics.smk counts them: at d = 2048 each is 34 MB."""
    size, blocks = 256, 16
    features = _features(64, size, 0)
    tracemalloc.start()
    fitted = _fitted(features, blocks)
    kept, peak = (value / (8 * size**2) for value in tracemalloc.get_traced_memory())
    tracemalloc.stop()
    assert len(fitted.without) == blocks
    assert kept < blocks + 2
    assert peak < 2 * blocks + 5


def test_an_empty_block_changes_nothing_and_no_rows_have_no_distance() -> None:
    features, reference = _features(40, 6, 0), _fitted(_features(300, 6, 1))
    fitted = Fitted(features, np.arange(40) % 3, 4)
    assert fitted.without[3].size == 40
    assert reference.distance(fitted.without[3]) == pytest.approx(
        reference.distance(fitted.whole), rel=1e-12
    )
    for count in (0, 1):
        none = _fitted(features[:count], 4)
        assert np.isnan(reference.distance(none.whole))
        assert np.isnan(reference.distances(none.without)).all()
        assert np.isnan(none.distance(reference.whole))
