"""Density and coverage against every pair written out, the authors' package and expectations."""

import contextlib
import io

import numpy as np
import pytest

from guidebench.base.jackknife import blocked, standard_error
from guidebench.metrics import density
from guidebench.metrics.density import K, Neighbourhoods
from guidebench.metrics.variety import Variety
from guidebench.pipeline.errors import UserError


def _measures(real: np.ndarray, x: np.ndarray, blocks: int = 1) -> list[Variety]:
    return list(Neighbourhoods(real).measures(x, blocked(len(x), blocks), blocks))


def _pairs(real: np.ndarray, x: np.ndarray) -> tuple[float, float]:
    """Equations 4 and 5, one distance after the other."""

    def inside(centre: int, row: np.ndarray) -> bool:
        others = sorted(
            float(np.linalg.norm(real[centre] - real[j])) for j in range(len(real)) if j != centre
        )
        return float(np.linalg.norm(real[centre] - row)) <= others[K - 1]

    hits = np.array([[inside(i, row) for row in x] for i in range(len(real))])
    return hits.sum() / (K * len(x)), hits.any(axis=1).mean()


def test_values_and_replicates_are_of_every_pair() -> None:
    chance = np.random.default_rng(0)
    real, x = chance.normal(size=(40, 3)), 1.3 * chance.normal(size=(23, 3))
    found, block = _measures(real, x, 4), blocked(23, 4)
    assert [one.metric for one in found] == ["density", "coverage"]
    assert [one.n for one in found] == [23, 23]
    assert [one.raw for one in found] == pytest.approx(_pairs(real, x), rel=1e-12)
    for number in range(4):
        expected = _pairs(real, x[block != number])
        assert [one.replicates[number] for one in found] == pytest.approx(expected, rel=1e-12)


def test_values_are_the_authors_packages() -> None:
    prdc = pytest.importorskip("prdc", reason="the authors' package is no requirement")
    chance = np.random.default_rng(0)
    real, x = chance.normal(size=(300, 8)), 1.1 * chance.normal(size=(200, 8)) + 0.2
    with contextlib.redirect_stdout(io.StringIO()):
        theirs = prdc.compute_prdc(real, x, nearest_k=K)
    expected = [theirs["density"], theirs["coverage"]]
    assert [one.raw for one in _measures(real, x)] == pytest.approx(expected, rel=1e-12)


def test_images_as_the_real_ones_have_the_values_that_are_told() -> None:
    """Also the jackknife's errors, in a density whose reference stays the same."""
    chance, n, m = np.random.default_rng(0), 60, 80
    rows = []
    for _ in range(400):
        real, x = chance.normal(size=(m, 2)), chance.normal(size=(n, 2))
        rows.append([one.raw for one in _measures(real, x)])
    missed = np.prod([(m - i) / (n + m - i) for i in range(1, K + 1)])
    assert abs(np.mean(rows, axis=0) - [1, 1 - missed]).max() < 0.01

    fixed = Neighbourhoods(chance.normal(size=(m, 2)))
    found, errors = [], []
    for _ in range(400):
        both = list(fixed.measures(chance.normal(size=(n, 2)), blocked(n, 15), 15))
        found.append([one.raw for one in both])
        errors.append([standard_error(one.replicates) for one in both])
    np.testing.assert_allclose(np.mean(errors, axis=0)[0], np.std(found, axis=0)[0], rtol=0.1)
    # a share of pairs that several images can make: cautious
    assert 1 < np.mean(errors, axis=0)[1] / np.std(found, axis=0)[1] < 1.6


def test_an_odd_reference_image_hardly_changes_density() -> None:
    """Its neighbourhood holds every image, so that precision is 1."""
    chance = np.random.default_rng(0)
    real = np.vstack((chance.normal(size=(200, 2)), [[40.0, 0.0]]))
    far = chance.normal(size=(100, 2)) + np.array([5.0, 0.0])
    found = _measures(real, far)
    assert found[0].raw == pytest.approx(0.2, abs=0.1)


def test_too_few_images_are_no_number_or_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    real = np.random.default_rng(0).normal(size=(30, 2))
    for one in _measures(real, real[:0], 2):
        assert np.isnan([one.raw, *one.replicates]).all()
    alone = _measures(real, real[:1], 2)  # the replicate without it has none
    assert [np.isnan(one.replicates).sum() for one in alone] == [1, 1]
    with pytest.raises(UserError, match="found 5 reference images, allowed: at least 6"):
        Neighbourhoods(real[:5])
    monkeypatch.setattr(density, "LARGEST", 20)
    x = real + 0.1
    cut, few = _measures(real, x, 2), _measures(real[:20], x[:20], 2)
    assert [one.n for one in cut] == [20, 20]
    assert [one.raw for one in cut] == [one.raw for one in few]
