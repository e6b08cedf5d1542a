"""What docs/statistics.md says of the intervals and of what chooses, measured again."""

from pathlib import Path

import numpy as np
import pytest
from simulations import (
    CASES,
    CHOICES,
    DESIGNS,
    FLAT,
    FLOORS,
    POPULATIONS,
    SIZES,
    STEEP,
    TRIALS,
    D,
    at_zero,
    chosen,
    coverage,
    others,
    truth,
)

DOCUMENT = Path(__file__).parents[2] / "docs" / "statistics.md"
SPECTRA = {"flat": FLAT, "i^-2": STEEP}
# points: the last digit, and a trial or two that another processor's rounding turns
NEAR = 1.5


def documented(*start: object) -> list[float]:
    """The numbers of the document's row that begins with these cells."""
    head = [str(cell) for cell in start]
    rows = [
        [cell.strip(" *") for cell in line.strip("|").split("|")]
        for line in DOCUMENT.read_text().splitlines()
        if line.startswith("|")
    ]
    (row,) = [row for row in rows if row[: len(head)] == head]
    return [float(cell) for cell in row[len(head) :]]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "n", "reference"), CASES)
def test_intervals_hold_the_truth(name: str, n: int, reference: int) -> None:
    found = coverage(name, n, reference, TRIALS)
    told = documented(name, n, reference)
    assert [100 * share for share in found[:4]] == pytest.approx(told[:4], abs=NEAR)
    assert found[4:] == pytest.approx(told[4:], abs=0.02)
    if name != "1 % broken" and min(n, reference) >= 4 * D:
        assert found.corrected >= 0.93
        assert found.pair >= 0.93
        assert abs(found.bias) < 0.3 * abs(found.raw_bias)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "n", "reference"), FLOORS)
def test_intervals_of_a_floor_hold_zero(name: str, n: int, reference: int) -> None:
    found = at_zero(name, n, reference, TRIALS)
    told = documented(name, n, reference)
    assert [100 * share for share in found[:2]] == pytest.approx(told[:2], abs=NEAR)
    assert found[2:] == pytest.approx(told[2:], abs=0.02)
    assert found.least >= 0.93
    # an extrapolation is not better
    assert abs(found.corrected) < 0.15 * found.raw
    assert found.deviation < found.deviation_infinity


@pytest.mark.slow
@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("design", DESIGNS)
@pytest.mark.parametrize("spectrum", SPECTRA)
def test_what_finds_the_right_scale(spectrum: str, design: str, n: int) -> None:
    found = chosen(SPECTRA[spectrum], design, n, CHOICES)
    assert [100 * share for share in found.values()] == pytest.approx(
        documented(spectrum, design, n), abs=2.5
    )
    # near the best of all, everywhere
    assert found["sliced"] >= max(found.values()) - 0.15


def test_the_right_scale_is_found_in_one_trial() -> None:
    assert chosen(FLAT, "shift", 512, 1)["sliced"] == 1


@pytest.mark.slow
def test_the_other_measures() -> None:
    for metric, (share, bias, raw) in others(256, TRIALS).items():
        told = documented(metric)
        assert 100 * share == pytest.approx(told[0], abs=NEAR)
        assert [bias, raw] == pytest.approx(told[1:], abs=0.05)
        assert share >= 0.93
        assert abs(bias) < 0.3


def test_the_truth_is_the_closed_form() -> None:
    """Of isotropic Gaussians: d (s1 - s2)^2 + |shift|^2."""
    found = truth(FLAT, FLAT.moved(1.1, 0.5))
    assert found == pytest.approx(D * 0.1**2 + 0.5**2, rel=1e-9)


@pytest.mark.parametrize("name", POPULATIONS)
def test_populations_have_the_moments_they_say(name: str) -> None:
    population = POPULATIONS[name].moved(0.9, 0.5)
    drawn = population.draw(np.random.default_rng(0), 20_000)
    scale = np.sqrt(np.diag(population.covariance))
    assert (abs(drawn.mean(axis=0) - population.mean) < 0.05 * scale).all()
    found, true = np.cov(drawn, rowvar=False).diagonal(), population.covariance.diagonal()
    assert abs(found - true).sum() < 0.05 * true.sum()
    # one that 40 of these images have is rough
    assert ((found > true / 4) & (found < 4 * true)).all()
    assert np.trace(np.cov(drawn, rowvar=False)) == pytest.approx(
        np.trace(population.covariance), rel=0.03
    )


def test_an_interval_of_the_corrected_value_holds_the_truth_and_the_raw_one_does_not() -> None:
    """A few trials of the document's first row."""
    found = coverage("Gaussian", 256, 2000, 8)
    assert found.corrected >= 0.75
    assert found.pair >= 0.75
    assert found.raw == found.pair_raw == 0
    assert found.raw_bias > 4
    assert abs(found.bias) < 1
