"""Fréchet distances from products of rows against the dense form and exact arithmetic."""

import mpmath
import numpy as np
import pytest

from guidebench.base.jackknife import blocked, scattered
from guidebench.metrics.frechet import Fitted, moments
from guidebench.metrics.gram import Few, Many, left_out


def _features(count: int, size: int, seed: int, shift: float = 0.0) -> np.ndarray:
    """Skewed, dependent features of unlike variances, far from 0."""
    mixing = np.random.default_rng(1000 + seed).normal(size=(size, size)) * np.geomspace(
        1, 0.1, size
    )
    drawn = np.random.default_rng(seed).normal(size=(count, size)) @ mixing / np.sqrt(size)
    return np.maximum(drawn + shift, -0.2) + 5


def _fitted(features: np.ndarray, blocks: int = 1) -> Fitted:
    return Fitted(features, blocked(len(features), blocks), blocks)


def _exact(x: np.ndarray, y: np.ndarray) -> float:
    """The distance with 60 digits, its cross term from the singular values of the rows' product."""
    with mpmath.workdps(60):
        (a, mean_a), (b, mean_b) = (_centred(rows) for rows in (x, y))
        cross = sum(mpmath.svd_r(a * b.T, compute_uv=False))
        squares = [sum(value**2 for value in matrix) for matrix in (a, b, mean_a - mean_b)]
        return float(sum(squares) - 2 * cross)


def _centred(rows: np.ndarray) -> tuple[mpmath.matrix, mpmath.matrix]:
    """Rows less their mean, over sqrt(n - 1), and the mean."""
    n, d = rows.shape
    exact = mpmath.matrix(rows.tolist())
    mean = mpmath.matrix([[sum(exact[i, j] for i in range(n)) / n for j in range(d)]])
    ones = mpmath.matrix(n, 1) + 1
    return (exact - ones * mean) / mpmath.sqrt(n - 1), mean


@pytest.mark.parametrize(("n", "m", "d"), [(5, 7, 12), (7, 5, 12), (6, 20, 12), (9, 9, 9)])
def test_distance_is_exact_arithmetics(n: int, m: int, d: int) -> None:
    """Relative 1e-12, with few images on both sides or one, where the dense form has 1e-8."""
    x, y = _features(n, d, 0), _features(m, d, 1, 0.1)
    exact = _exact(x, y)
    assert Few(x).distance(Few(y)) == pytest.approx(exact, rel=1e-12)
    assert Few(x).distance(Many(moments(y))) == pytest.approx(exact, rel=1e-12)


@pytest.mark.parametrize(("n", "m"), [(200, 300), (100, 300), (65, 90)])
def test_distance_is_the_dense_forms(n: int, m: int) -> None:
    """Also of more images than features, where it is no faster."""
    x, y = _features(n, 64, 0), _features(m, 64, 1, 0.1)
    dense = _fitted(y).distance(moments(x))
    assert Few(x).distance(Few(y)) == pytest.approx(dense, rel=1e-8)
    assert Few(x).distance(Many(moments(y))) == pytest.approx(dense, rel=1e-8)


@pytest.mark.parametrize(("n", "m"), [(40, 50), (40, 500)])
def test_distance_of_few_is_the_dense_forms(n: int, m: int) -> None:
    """As far as the dense form goes, whose roots of eigenvalues that are 0 are 1e-8."""
    x, y = _features(n, 128, 0), _features(m, 128, 1, 0.1)
    dense = _fitted(y).distance(moments(x))
    few, many = Few(x).distance(Few(y)), Few(x).distance(Many(moments(y)))
    assert few == pytest.approx(many, rel=1e-10)
    assert few == pytest.approx(dense, rel=1e-5)


def test_distance_is_symmetric_and_0_of_the_same() -> None:
    x, y = _features(30, 64, 0), _features(20, 64, 1)
    assert Few(x).distance(Few(y)) == pytest.approx(Few(y).distance(Few(x)), rel=1e-11)
    assert abs(Few(x).distance(Few(x))) < 1e-11


@pytest.mark.parametrize("count", [48, 45])
@pytest.mark.parametrize("many", [False, True])
def test_without_a_block_is_brute_force(count: int, many: bool) -> None:
    """Each from scratch on the rows that stay, float32; blocks of unequal length as well."""
    x, y = _features(count, 64, 0).astype(np.float32), _features(90, 64, 1)
    block = blocked(count, 8)
    other = Many(moments(y)) if many else Few(y)
    found = left_out(x, block, 8, other)
    expected = [Few(x[block != number]).distance(other) for number in range(8)]
    np.testing.assert_allclose(found, expected, rtol=1e-11)
    dense = _fitted(y).distances(_fitted(x, 8).without)
    np.testing.assert_allclose(found, dense, rtol=1e-6)


def test_a_reference_without_a_block_is_the_dense_forms() -> None:
    """As `Reference.distances` calls them: all samples to the reference without each block."""
    x, y = _features(40, 64, 0), _features(200, 64, 1)
    left, own = scattered(200, 8), Few(x)
    fitted = Fitted(y, left, 8)
    dense = _fitted(x).distances(fitted.without)
    rows = own.distances([Few(y[left != number]) for number in range(8)])
    merged = own.distances([Many(without) for without in fitted.without])
    np.testing.assert_allclose(rows, merged, rtol=1e-10)
    np.testing.assert_allclose(rows, dense, rtol=1e-6)


def test_too_few_rows_have_no_distance_and_an_empty_block_changes_nothing() -> None:
    x, y = _features(30, 64, 0), Few(_features(20, 64, 1))
    found = left_out(x, np.arange(30) % 3, 4, y)
    assert found[3] == pytest.approx(Few(x).distance(y), rel=1e-12)
    for count in (0, 1):
        few, many = Few(x[:count]), Many(moments(x[:count]))
        assert np.isnan([few.distance(y), y.distance(few), y.distance(many)]).all()
        assert np.isnan(left_out(x[:count], np.zeros(count, int), 2, y)).all()
        assert np.isnan(left_out(x, np.arange(30) % 2, 2, few)).all()
