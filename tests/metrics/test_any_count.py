"""Both forms of the Fréchet distance are one."""

import numpy as np
import pytest

from guidebench.base.jackknife import scattered
from guidebench.metrics.any_count import distance
from guidebench.metrics.frechet import Fitted, moments
from guidebench.metrics.reference import Reference

D, K = 24, 4


def _features(count: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, D)) + seed


@pytest.mark.parametrize("n", [100, 25, 24, 10, 3])
@pytest.mark.parametrize("m", [100, 12])
def test_as_of_the_reference_with_its_replicates(n: int, m: int) -> None:
    features, block, real = _features(n, 0), np.arange(n) % K, _features(m, 1)
    reference = Reference(real, "images", K)
    found, (expected, _) = (
        distance(features, block, K, reference.fitted),
        reference.distances(features, block),
    )
    # roots of eigenvalues that are 0 but for rounding are 1e-7 of the largest
    for name in ("raw", "replicates", "reference_replicates"):
        np.testing.assert_allclose(getattr(found, name), getattr(expected, name), rtol=1e-5)
    assert found.least == pytest.approx(expected.least, rel=1e-9)


@pytest.mark.parametrize("n", [100, 10])
def test_of_moments_alone(n: int) -> None:
    features, block = _features(n, 0), np.arange(n) % K
    whole = moments(_features(100, 1))
    own = Fitted(_features(100, 1), scattered(100, K), K)
    found = distance(features, block, K, Fitted.of(whole.mean, whole.covariance))
    expected = distance(features, block, K, own)
    assert found.raw == pytest.approx(expected.raw, rel=1e-9)
    np.testing.assert_allclose(found.replicates, expected.replicates, rtol=1e-9)
    assert found.reference_replicates.shape == (0,)
    assert 0 < found.least < expected.least
