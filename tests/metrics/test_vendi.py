"""Vendi score against the authors' package, closed forms, and its errors by simulation."""

import numpy as np
import pytest

from guidebench.base.jackknife import blocked, corrected, standard_error
from guidebench.metrics.vendi import vendi, vendi_score


@pytest.mark.parametrize(("n", "d"), [(40, 90), (90, 40), (50, 50)])
def test_score_is_of_the_eigenvalues_of_all_cosines(n: int, d: int) -> None:
    """On whichever side there are fewer of them."""
    x = np.random.default_rng(0).normal(size=(n, d)) @ np.diag(np.geomspace(1, 0.01, d)) + 0.1
    cosines = [[a @ b / np.sqrt((a @ a) * (b @ b)) for b in x] for a in x]
    values = np.linalg.eigvalsh(np.array(cosines) / n)
    values = values[values > 1e-14]
    assert vendi_score(x) == pytest.approx(np.exp(-(values * np.log(values)).sum()), rel=1e-10)


@pytest.mark.parametrize(("n", "d"), [(40, 90), (90, 40)])
def test_score_is_the_authors_packages(n: int, d: int) -> None:
    theirs = pytest.importorskip("vendi_score.vendi", reason="no requirement of the project")
    x = np.random.default_rng(0).normal(size=(n, d)) + 0.5
    assert vendi_score(x) == pytest.approx(theirs.score_dual(x), rel=1e-9)


def test_groups_of_directions_by_hand() -> None:
    """Shares 1/2, 1/4, 1/4 of directions at right angles: 2^1.5; lengths do not matter."""
    x = np.eye(7)[[0, 0, 1, 2]] * np.array([[3.0], [1.0], [2.0], [5.0]])
    assert vendi_score(x) == pytest.approx(2**1.5, rel=1e-12)
    # two directions at an angle: eigenvalues (1 +- cos) / 2
    half = np.array([0.75, 0.25])  # cos 60 degrees
    angle = np.array([[1.0, 0.0], [0.5, np.sqrt(0.75)]])
    assert vendi_score(angle) == pytest.approx(np.exp(-(half * np.log(half)).sum()), rel=1e-12)


def test_replicates_leave_one_block_out() -> None:
    x, block = np.random.default_rng(0).normal(size=(22, 5)), blocked(22, 4)
    found = vendi(x, block, 4)
    assert (found.metric, found.n, found.raw) == ("vendi", 22, vendi_score(x))
    assert found.replicates.tolist() == [vendi_score(x[block != number]) for number in range(4)]
    assert np.isnan(vendi_score(x[:0]))


def test_the_corrected_score_is_the_distributions_and_errors_are_its_spread() -> None:
    """Of 200 images of 16 unlike features, whose directions have the truth of 200,000 images."""
    scales, rows = np.geomspace(1, 0.2, 16), []

    def drawn(seed: int, n: int) -> np.ndarray:
        return np.random.default_rng(seed).normal(size=(n, 16)) * scales + 0.2

    true = vendi_score(drawn(10**6, 200_000))
    for seed in range(300):
        found = vendi(drawn(seed, 200), blocked(200, 20), 20)
        value = corrected(found.raw, found.replicates)
        rows.append([found.raw, value, standard_error(found.replicates)])
    raw, value, error = np.mean(rows, axis=0)
    spread = np.std(rows, axis=0)
    assert raw < true - spread[0]
    assert abs(value - true) < 0.2 * (true - raw)
    assert error == pytest.approx(spread[1], rel=0.15)
