"""FD-infinity against lines by hand, and against the jackknife by simulation."""

import numpy as np
import pytest
from simulations import BLOCKS, POPULATIONS, D, truth

from guidebench.base.jackknife import blocked, corrected, scattered
from guidebench.metrics.frechet import Fitted, Moments, moments
from guidebench.metrics.infinity import fd_infinity


def _fitted(features: np.ndarray, blocks: int = 1) -> Fitted:
    return Fitted(features, blocked(len(features), blocks), blocks)


def test_two_sizes_by_hand() -> None:
    """Through (1/n, f) and (2/n, g) a line meets 0 at 2 f - g."""
    chance = np.random.default_rng(0)
    reference, x = _fitted(chance.normal(size=(300, 4))), chance.normal(size=(61, 4))
    half = scattered(61, 2)
    halves = [reference.distance(moments(x[half == number])) for number in range(2)]
    expected = 2 * reference.distance(moments(x)) - np.mean(halves)
    assert fd_infinity(reference, x, parts=2) == pytest.approx(expected, rel=1e-12)


def test_it_is_the_intercept_of_least_squares() -> None:
    """Of a distance that is a line in 1 / size, whatever the parts."""

    class Line(Fitted):
        def distance(self, other: Moments) -> float:
            return 7 + 30 / (360 / round(360 / other.size))

    line = Line(np.zeros((2, 1)), np.zeros(2), 1)
    for parts in (2, 3, 5):
        assert fd_infinity(line, np.ones((360, 1)), parts) == pytest.approx(7, rel=1e-12)


def test_too_few_images_have_none() -> None:
    reference = _fitted(np.random.default_rng(0).normal(size=(30, 2)))
    assert np.isnan([fd_infinity(reference, np.ones((count, 2))) for count in (0, 2, 5)]).all()


def errors(name: str, n: int, trials: int) -> np.ndarray:
    """Root mean squared errors of raw, corrected and extrapolated distance of n images.

    Of images spread 1.1 and shifted by 0.5, from 8,000 reference images.
    """
    real = POPULATIONS["Gaussian" if name.startswith("heavy") else name]
    wide = POPULATIONS[name].moved(1.1, 0.5)
    rows = []
    for trial in range(trials):
        chance = np.random.default_rng(trial)
        reference, x = _fitted(real.draw(chance, 8000)), wide.draw(chance, n)
        own = _fitted(x, BLOCKS)
        raw = reference.distance(own.whole)
        jackknife = corrected(raw, reference.distances(own.without))
        rows.append([raw, jackknife, fd_infinity(reference, x)])
    found: np.ndarray = np.sqrt(((np.array(rows) - truth(real, wide)) ** 2).mean(axis=0))
    return found


@pytest.mark.parametrize("n", [4 * D, 8 * D])
def test_both_are_nearer_to_the_truth_than_the_formula(n: int) -> None:
    raw, jackknife, extrapolated = errors("Gaussian", n, 4)
    assert max(jackknife, extrapolated) < 0.3 * raw


@pytest.mark.slow
@pytest.mark.parametrize("n", [4 * D, 8 * D, 16 * D])
@pytest.mark.parametrize("name", POPULATIONS)
def test_the_jackknife_is_nearer(name: str, n: int) -> None:
    """Or as near: within a tenth, or a tenth of the raw value's error."""
    raw, jackknife, extrapolated = errors(name, n, 40)
    assert jackknife < max(1.1 * extrapolated, 0.1 * raw)
