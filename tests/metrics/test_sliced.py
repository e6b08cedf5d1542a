"""The sliced Wasserstein distance against closed forms and the other implementation of ours."""

import numpy as np
import pytest
from scipy.stats import wasserstein_distance

from guidebench.metrics.sliced import DIRECTIONS, Sliced


def test_of_one_dimension_is_the_coupling_by_quantiles() -> None:
    """Three values against two: sixths of each are paired; squares by hand."""
    sliced = Sliced(np.array([[0.0], [6.0]]))
    x = np.array([[1.0], [2.0], [9.0]])
    pairs = [(1, 0), (1, 0), (2, 0), (2, 6), (9, 6), (9, 6)]
    expected = np.mean([(a - b) ** 2 for a, b in pairs])
    assert sliced.distance(sliced.project(x)) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(("n", "m"), [(64, 64), (37, 200), (200, 37)])
def test_is_the_mean_over_directions_of_the_sorted_difference(n: int, m: int) -> None:
    chance = np.random.default_rng(0)
    real, fake = chance.normal(size=(m, 5)), 0.4 + chance.normal(size=(n, 5))
    sliced = Sliced(real)
    # every row as often as the other set has rows: the same two distributions, of equal n
    one = np.sort(np.repeat(sliced.project(fake), m, axis=0), axis=0)
    two = np.sort(np.repeat(sliced.project(real), n, axis=0), axis=0)
    expected = ((one - two) ** 2).mean()
    assert sliced.distance(sliced.project(fake)) == pytest.approx(expected, rel=1e-9)
    # order 1 is scipy's: never more than the root of order 2
    first = wasserstein_distance(sliced.project(fake)[:, 0], sliced.project(real)[:, 0])
    assert first**2 <= ((one - two) ** 2)[:, 0].mean() + 1e-12


def test_of_a_set_to_itself_is_zero_and_a_shift_is_its_square() -> None:
    real = np.random.default_rng(0).normal(size=(300, 6))
    sliced = Sliced(real)
    assert sliced.distance(sliced.project(real)) == pytest.approx(0, abs=1e-12)
    shift = np.array([3.0, 0, 0, 0, 0, 0])
    expected = ((shift @ sliced.directions) ** 2).mean()
    found = sliced.distance(sliced.project(real + shift))
    assert found == pytest.approx(expected, rel=1e-9)
    # a unit vector's square along a random direction is 1/d on average
    assert expected == pytest.approx(9 / 6, rel=0.3)
    assert sliced.directions.shape == (6, DIRECTIONS)


def test_of_no_images_is_no_number() -> None:
    sliced = Sliced(np.zeros((4, 2)))
    assert np.isnan(sliced.distance(sliced.project(np.zeros((0, 2)))))
