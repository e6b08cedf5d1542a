"""Intervals against scipy's and against the definition of Holm's procedure."""

from functools import partial

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from guidebench.report.claims.intervals import all_above, holm, proportion, rank_correlation_along
from guidebench.report.claims.verdicts import (
    FAILS,
    HOLDS,
    UNDECIDED,
    Interval,
    Undecided,
    Unmeasured,
    quantile,
    rank_correlation,
)


@pytest.mark.parametrize(("count", "n"), [(0, 40), (7, 40), (40, 40), (230, 256)])
@pytest.mark.parametrize("tests", [1, 5])
def test_a_proportions_interval_is_clopper_and_pearsons(count: int, n: int, tests: int) -> None:
    exact = stats.binomtest(count, n).proportion_ci(1 - 0.05 / tests, method="exact")
    found = proportion(count / n, n, tests)
    assert (found.low, found.high) == pytest.approx((exact.low, exact.high), abs=1e-12)
    assert found.estimate == count / n


def test_holm_decides_as_its_p_values_do() -> None:
    """Random comparisons of 15 degrees of freedom: p times rank from below, as Holm has it."""
    draw = np.random.default_rng(0)
    decided = set()
    for _ in range(200):
        size = int(draw.integers(1, 6))
        t = draw.normal(scale=3, size=size)

        def interval(at: float, tests: int) -> Interval:
            return Interval(at, at - quantile(15, tests), at + quantile(15, tests))

        compared = {k: (lambda tests, at=at: interval(at, tests)) for k, at in enumerate(t)}
        found = holm(compared)
        p = 2 * stats.t.sf(np.abs(t), 15)
        order, rejected = np.argsort(p), set()
        for rank, k in enumerate(order):
            if p[k] > 0.05 / (size - rank):
                break
            rejected.add(int(k))
        assert {k for k, one in found.items() if one.positive or one.negative} == rejected
        assert list(found) == list(range(size))
        decided.add(len(rejected))
    assert len(decided) > 3


def test_a_rank_correlation_counts_that_images_share_their_curve() -> None:
    """Independent errors and errors that are a curve of each image: the same mean, not as sure."""
    t = np.arange(20)
    draw = np.random.default_rng(1)
    slopes = draw.normal(0.3, 1, size=30)
    mean = np.outer(t, np.full(30, slopes.mean()))
    curves = rank_correlation_along(pd.DataFrame(np.outer(t, slopes), index=t))
    independent = rank_correlation_along(pd.DataFrame(mean + draw.normal(size=(20, 30)), index=t))
    assert curves.estimate == pytest.approx(1)
    assert independent.low > 0.9
    assert curves.low < 0


def test_noise_alone_says_nothing_of_how_high_a_correlation_is() -> None:
    draw = np.random.default_rng(2)
    found = rank_correlation_along(pd.DataFrame(draw.normal(size=(40, 40))))
    assert found.high == 1
    assert found.low < 0


@pytest.mark.parametrize("shape", [(2, 10), (10, 1)])
def test_too_few_points_have_no_rank_correlation(shape: tuple[int, int]) -> None:
    with pytest.raises(Unmeasured, match="no rank correlation"):
        rank_correlation_along(pd.DataFrame(np.random.default_rng(3).normal(size=shape)))


def test_a_constant_curve_was_measured_and_has_no_rank_correlation() -> None:
    with pytest.raises(Undecided, match="the same at all 10 t"):
        rank_correlation_along(pd.DataFrame(np.ones((10, 4))))
    with pytest.raises(Undecided, match="all 4 values are equal"):
        rank_correlation(range(4), [2.0] * 4)


@pytest.mark.parametrize(
    ("estimates", "expected"),
    [
        ((2.2, 2.2), HOLDS),  # each alone is above 0 (2.13 would be enough)
        ((2.2, 2.0), UNDECIDED),
        ((2.2, -2.2), UNDECIDED),  # alone it would be below 0, but it is one of two (2.49)
        ((2.2, -2.6), FAILS),
    ],
)
def test_all_are_above_one_by_one_and_one_is_below_among_all(
    estimates: tuple[float, float], expected: str
) -> None:
    def interval(at: float, tests: int) -> Interval:
        return Interval(at, at - quantile(15, tests), at + quantile(15, tests))

    assert all_above([partial(interval, at) for at in estimates]) == expected


def test_what_was_not_measured_counts_and_does_not_save_what_is_below() -> None:
    def interval(at: float, tests: int) -> Interval:
        return Interval(at, at - quantile(15, tests), at + quantile(15, tests))

    gap = Unmeasured("not measured: a pair")
    assert all_above([partial(interval, -2.6)], [gap]) == FAILS
    # below as one of one (2.13), not as one of two (2.49)
    for open_ in (-2.2, 9.0):
        with pytest.raises(Unmeasured, match="not measured: a pair"):
            all_above([partial(interval, open_)], [gap])
    with pytest.raises(Unmeasured):
        all_above([], [gap])
