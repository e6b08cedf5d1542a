"""Jackknife values and errors against closed forms; shares."""

import numpy as np
import pytest

from guidebench.base.jackknife import blocked, corrected, hit_share, scattered, standard_error


def _without(values: np.ndarray, function, blocks: int) -> np.ndarray:
    block = blocked(len(values), blocks)
    return np.array([function(values[block != number]) for number in range(blocks)])


@pytest.mark.parametrize(("count", "blocks"), [(96, 4), (61, 8), (16, 16)])
def test_blocks_are_consecutive_and_even(count: int, blocks: int) -> None:
    block = blocked(count, blocks)
    assert (np.diff(block) >= 0).all()
    sizes = np.bincount(block, minlength=blocks)
    assert sizes.min() >= count // blocks
    assert sizes.max() <= count // blocks + 1


@pytest.mark.parametrize("order", ["sorted", "in turn"])
def test_blocks_of_a_reference_hold_every_class_whatever_its_order(order: str) -> None:
    labels = np.arange(800) % 8
    block = scattered(800, 8)
    assert np.bincount(block).tolist() == [100] * 8
    table = np.histogram2d(block, np.sort(labels) if order == "sorted" else labels, bins=8)[0]
    assert table.min() >= 2


def test_error_of_a_mean_is_the_usual_one_and_its_value_is_the_mean() -> None:
    values = np.random.default_rng(0).normal(size=40)
    replicates = _without(values, np.mean, 40)
    expected = values.std(ddof=1) / np.sqrt(40)
    assert standard_error(replicates) == pytest.approx(expected, rel=1e-12)
    assert corrected(values.mean(), replicates) == pytest.approx(values.mean(), rel=1e-12)


def test_correction_of_a_variance_is_the_unbiased_variance() -> None:
    """With single rows left out, exactly: (1/n) sum of squares becomes 1/(n - 1)."""
    values = np.random.default_rng(0).normal(size=24)
    found = corrected(values.var(), _without(values, np.var, 24))
    assert found == pytest.approx(values.var(ddof=1), rel=1e-12)


def test_correction_takes_the_bias_of_images_and_of_the_reference() -> None:
    """|mean a - mean b|^2 is too large by var/n + var/m; in closed form without it."""
    chance = np.random.default_rng(0)
    a, b = chance.normal(size=24), 0.5 + chance.normal(size=60)
    raw = (a.mean() - b.mean()) ** 2
    found = corrected(
        raw,
        _without(a, lambda rest: (rest.mean() - b.mean()) ** 2, 24),
        _without(b, lambda rest: (a.mean() - rest.mean()) ** 2, 60),
    )
    assert found == pytest.approx(raw - a.var(ddof=1) / 24 - b.var(ddof=1) / 60, rel=1e-9)


def test_errors_of_independent_sets_add_in_quadrature() -> None:
    one, two = np.array([1.0, 2.0, 4.0]), np.array([3.0, 3.5])
    expected = np.hypot(standard_error(one), standard_error(two))
    assert standard_error(one, two) == pytest.approx(expected)


def test_proportion_by_hand() -> None:
    """Agresti and Coull: (8 + 2) / (16 + 4) = 1/2, error sqrt(1/4 / 20)."""
    hits = np.array([True] * 8 + [False] * 8)
    share, error, replicates = hit_share(hits, 4)
    assert share == 0.5
    assert error == pytest.approx(np.sqrt(0.25 / 20))
    np.testing.assert_allclose(replicates, [4 / 12, 4 / 12, 8 / 12, 8 / 12])


@pytest.mark.parametrize("value", [False, True])
def test_proportion_of_all_or_none_has_an_error(value: bool) -> None:
    share, error, _ = hit_share(np.full(96, value), 16)
    assert share == value
    assert error == pytest.approx(np.sqrt(0.02 * 0.98 / 100))


def test_proportion_error_is_the_spread_over_repetitions() -> None:
    chance = np.random.default_rng(0)
    rows = [hit_share(chance.random(256) < 0.8, 16) for _ in range(400)]
    spread = np.std([share for share, _, _ in rows], ddof=1)
    assert 0.85 < np.mean([error for _, error, _ in rows]) / spread < 1.15
