"""Curves along the forward process."""

import numpy as np
import pytest

from guidebench.report.figures.rows import band


def test_band_never_reaches_zero() -> None:
    low, high = band(np.array([1.0, 2.0]), np.array([5.0, 0.0]))
    assert (low > 0).all()
    assert low[1] == high[1] == 2.0
    assert low[0] * high[0] == pytest.approx(1.0)
