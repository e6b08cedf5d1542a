"""Kernel distances against torch-fidelity, closed forms, and every pair written out."""

import numpy as np
import pytest
from torch_fidelity.metric_kid import kernel_mmd

from guidebench.base.jackknife import blocked, corrected, scattered, standard_error
from guidebench.metrics import kernel
from guidebench.metrics.kernel import CMMD, KD, Form, Kernels, unit
from guidebench.pipeline.errors import UserError

POLYNOMIAL = {
    "kid_kernel": "poly",
    "kid_kernel_poly_degree": 3,
    "kid_kernel_poly_gamma": None,
    "kid_kernel_poly_coef0": 1,
}


def _sets(n: int, m: int, d: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    chance = np.random.default_rng(seed)
    return 1.2 * chance.normal(size=(n, d)) + 0.3, chance.normal(size=(m, d))


def _of(form: Form, x: np.ndarray, y: np.ndarray, blocks: int = 1):
    return Kernels(y, form, blocks).distance(x, blocked(len(x), blocks))


def _pairs(form: Form, x: np.ndarray, y: np.ndarray) -> float:
    """Every pair of rows written out."""
    d = x.shape[1]

    def k(a: np.ndarray, b: np.ndarray) -> float:
        if form is KD:
            return (float(a @ b) / d + 1) ** 3
        difference = a / np.linalg.norm(a) - b / np.linalg.norm(b)
        return float(np.exp(-(difference @ difference) / (2 * 10**2)))

    def within(rows: np.ndarray) -> float:
        count = range(len(rows))
        return float(
            np.mean([k(rows[i], rows[j]) for i in count for j in count if form is CMMD or i != j])
        )

    between = float(np.mean([k(a, b) for a in x for b in y]))
    return (1000 if form is CMMD else 1) * (within(x) + within(y) - 2 * between)


@pytest.mark.parametrize("form", [KD, CMMD], ids=["KD", "CMMD"])
def test_values_and_replicates_are_of_every_pair(
    form: Form, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In tiles that cut through blocks, which are of unequal length."""
    monkeypatch.setattr(kernel, "TILE", 7)
    x, y = _sets(17, 23, 5)
    found, block, left = _of(form, x, y, 4), blocked(17, 4), scattered(23, 4)
    assert found.raw == pytest.approx(_pairs(form, x, y), rel=1e-11)
    for number in range(4):
        expected = _pairs(form, x[block != number], y)
        assert found.replicates[number] == pytest.approx(expected, rel=1e-11)
        expected = _pairs(form, x, y[left != number])
        assert found.reference_replicates[number] == pytest.approx(expected, rel=1e-11)


@pytest.mark.parametrize("d", [8, 2048])
def test_kd_is_torch_fidelitys_on_all_images(d: int) -> None:
    x, y = _sets(150, 150, d)
    assert _of(KD, x, y).raw == pytest.approx(kernel_mmd(x, y, **POLYNOMIAL), rel=1e-10)


def test_kd_of_one_feature_is_of_its_three_moments() -> None:
    """E MMD^2 = 3 dm1^2 + 3 dm2^2 + dm3^2, and the mean over sets of six images is that."""
    chance = np.random.default_rng(0)
    found = [
        _of(KD, 0.5 + chance.normal(size=(6, 1)), chance.normal(size=(9, 1))).raw
        for _ in range(4000)
    ]
    # of N(1/2, 1): 1/2, 5/4 and 1/8 + 3/2; of N(0, 1): 0, 1 and 0
    expected = 3 * 0.5**2 + 3 * 0.25**2 + 1.625**2
    assert abs(np.mean(found) - expected) < 3 * np.std(found) / np.sqrt(4000)


def test_cmmd_by_hand() -> None:
    """Two places at right angles, and two opposite ones, whatever the lengths."""
    x, y = np.array([[2.0, 0], [3.0, 0]]), np.array([[0, 1.0], [0, 5.0], [0, 2.0]])
    assert _of(CMMD, x, y).raw == pytest.approx(2000 * (1 - np.exp(-0.01)), rel=1e-11)
    assert _of(CMMD, x, -x[[0, 1, 1]]).raw == pytest.approx(2000 * (1 - np.exp(-0.02)), rel=1e-11)
    assert abs(_of(CMMD, x, x[[0, 1, 1]]).raw) < 1e-9


def test_cmmds_bias_is_as_told_and_the_jackknife_takes_it_off() -> None:
    chance = np.random.default_rng(0)
    rows = []
    for _ in range(300):
        x, y = chance.normal(size=(32, 16)), chance.normal(size=(48, 16))
        found = _of(CMMD, x, y, 8)
        rows.append([found.raw, corrected(found.raw, *found[2:])])
    raw, unbiased = np.mean(rows, axis=0)
    # 1 - E exp(-(1 - cos) / 100) of directions at random: E cos = 0, E cos^2 = 1 / 16
    told = 1000 * (1 - np.exp(-0.01) * (1 + 1e-4 / 32)) * (1 / 32 + 1 / 48)
    assert raw == pytest.approx(told, rel=0.02)
    assert abs(unbiased) < 0.03 * raw


@pytest.mark.parametrize("form", [KD, CMMD], ids=["KD", "CMMD"])
def test_errors_are_the_spread_of_values(form: Form) -> None:
    """The jackknife's where distributions differ, the least where they do not."""
    for shift in (0.0, 0.6):
        chance, rows = np.random.default_rng(0), []
        for _ in range(300):
            x, y = chance.normal(size=(64, 12)) + shift, chance.normal(size=(96, 12))
            found = _of(form, x, y, 16)
            rows.append([found.raw, found.least, standard_error(*found[2:])])
        spread, (least, jackknife) = np.std(rows, axis=0)[0], np.mean(rows, axis=0)[1:]
        if shift:
            assert jackknife == pytest.approx(spread, rel=0.1)
            assert least < jackknife
        else:
            assert least == pytest.approx(spread, rel=0.1)


def test_too_few_images_are_no_number_or_one_line() -> None:
    x, y = _sets(4, 9, 3)
    for count in (0, 1):
        found = _of(KD, x[:count], y, 2)
        assert np.isnan([found.raw, found.least, *found.replicates]).all()
    with pytest.raises(UserError, match="found 2 images, allowed: at least 3"):
        Kernels(y[:2], KD, 4)
    with pytest.raises(UserError, match="found 1 of 2 images with all 0, allowed: 0"):
        unit(np.array([[0.0, 0.0], [1.0, 2.0]]))


def test_float32_features_are_counted_in_float64() -> None:
    x, y = (rows.astype(np.float32) for rows in _sets(20, 30, 5))
    wide = _of(KD, x.astype(np.float64), y.astype(np.float64))
    assert _of(KD, x, y).raw == wide.raw
