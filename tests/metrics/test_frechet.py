"""Fréchet distance and its errors against torch-fidelity, closed forms and brute force."""

from functools import reduce

import numpy as np
import pytest
from torch import from_numpy
from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric

from guidebench.metrics.frechet import Reference, merge, moments, proportion, standard_error

KEY = "frechet_inception_distance"


def _features(count: int, size: int, seed: int, shift: float = 0.0) -> np.ndarray:
    """Correlated, skewed, non-negative features, like those behind an activation."""
    chance = np.random.default_rng(seed)
    mixing = np.random.default_rng(1000 + seed).normal(size=(size, size)) / np.sqrt(size)
    return np.maximum(chance.normal(size=(count, size)) @ mixing + 0.3 + shift, -0.2)


@pytest.mark.parametrize(("size", "count"), [(16, 300), (64, 300), (256, 700), (64, 40)])
def test_distance_is_torch_fidelitys(size: int, count: int) -> None:
    """Relative 1e-6, also where n < d and the covariance is singular."""
    real, fake = _features(2 * count, size, 0), _features(count, size, 1, 0.1)
    ours = Reference(moments(real)).distance(moments(fake))
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
    found = Reference(moments(real)).distance(moments(fake))
    assert found == pytest.approx(5.0 + 4.0 + 2.25, rel=1e-12)


def test_distance_to_itself_is_zero_and_symmetric() -> None:
    a, b = moments(_features(200, 32, 0)), moments(_features(200, 32, 1))
    assert abs(Reference(a).distance(a)) < 1e-10
    assert Reference(a).distance(b) == pytest.approx(Reference(b).distance(a), rel=1e-10)
    assert Reference(a).distance(b) > 1e-3


def test_float32_features_far_from_zero_keep_their_digits() -> None:
    features = (_features(400, 4, 0) + 1000).astype(np.float32)
    expected = np.cov(features.astype(np.float64), rowvar=False)
    np.testing.assert_allclose(moments(features).covariance, expected, rtol=1e-12)


@pytest.mark.parametrize("cuts", [[1], [1, 2, 99], [30, 60, 90]])
def test_merged_moments_are_the_unions(cuts: list[int]) -> None:
    features = _features(100, 8, 0) + 5
    merged = reduce(merge, [moments(part) for part in np.split(features, cuts)])
    direct = moments(features)
    assert merged.size == direct.size
    np.testing.assert_allclose(merged.mean, direct.mean, rtol=1e-12)
    np.testing.assert_allclose(merged.scatter, direct.scatter, rtol=1e-12, atol=1e-11)


@pytest.mark.parametrize("count", [64, 61])
def test_jackknife_is_brute_force(count: int) -> None:
    """Each replicate from scratch on the rows that stay; blocks of unequal length as well."""
    features, reference = _features(count, 6, 0), Reference(moments(_features(300, 6, 1)))
    value, replicates = reference.jackknife(features, 8)
    assert value == pytest.approx(reference.distance(moments(features)), rel=1e-12)
    blocks = np.array_split(np.arange(count), 8)
    expected = [reference.distance(moments(np.delete(features, block, 0))) for block in blocks]
    np.testing.assert_allclose(replicates, expected, rtol=1e-11)
    error = np.sqrt(7 / 8 * sum((x - np.mean(expected)) ** 2 for x in expected))
    assert standard_error(replicates) == pytest.approx(error, rel=1e-9)


def test_jackknife_of_a_mean_is_the_usual_standard_error() -> None:
    values = np.random.default_rng(0).normal(size=40)
    replicates = np.array([np.delete(values, i).mean() for i in range(40)])
    expected = values.std(ddof=1) / np.sqrt(40)
    assert standard_error(replicates) == pytest.approx(expected, rel=1e-12)


def test_jackknife_error_is_the_spread_over_repetitions() -> None:
    """80 Gaussian samples of 256 rows: the mean error is the spread within a factor 1.5."""
    chance = np.random.default_rng(0)
    reference = Reference(moments(chance.normal(size=(20000, 4))))
    values, errors = [], []
    for _ in range(80):
        value, replicates = reference.jackknife(chance.normal(size=(256, 4)) * 1.2 + 0.3, 16)
        values.append(value)
        errors.append(standard_error(replicates))
    ratio = np.sqrt(np.mean(np.square(errors))) / np.std(values, ddof=1)
    assert 1 / 1.5 < ratio < 1.5


def test_proportion_by_hand() -> None:
    """Agresti and Coull: (8 + 2) / (16 + 4) = 1/2, error sqrt(1/4 / 20)."""
    hits = np.array([True] * 8 + [False] * 8)
    share, error, replicates = proportion(hits, 4)
    assert share == 0.5
    assert error == pytest.approx(np.sqrt(0.25 / 20))
    np.testing.assert_allclose(replicates, [4 / 12, 4 / 12, 8 / 12, 8 / 12])


@pytest.mark.parametrize("value", [False, True])
def test_proportion_of_all_or_none_has_an_error(value: bool) -> None:
    share, error, _ = proportion(np.full(96, value), 16)
    assert share == value
    assert error == pytest.approx(np.sqrt(0.02 * 0.98 / 100))


def test_proportion_error_is_the_spread_over_repetitions() -> None:
    chance = np.random.default_rng(0)
    rows = [proportion(chance.random(256) < 0.8, 16) for _ in range(400)]
    spread = np.std([share for share, _, _ in rows], ddof=1)
    assert 0.85 < np.mean([error for _, error, _ in rows]) / spread < 1.15
