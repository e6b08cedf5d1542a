"""Intervals of what the claims measure, and how several of them share one error of 5 %."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import TypeVar

import numpy as np
import pandas as pd
from scipy import stats

from guidebench.report.claims.verdicts import (
    CONFIDENCE,
    FAILS,
    HOLDS,
    UNDECIDED,
    Interval,
    Undecided,
    Unmeasured,
    quantile,
)
from guidebench.report.words import plural

RESAMPLES = 2000
RELIABLE = 0.25  # a curve of which more is noise does not tell how high its correlation is
Key = TypeVar("Key", bound=Hashable)


def proportion(share: float, n: int, tests: int = 1) -> Interval:
    """Clopper and Pearson's exact interval (1934) of a share of `n` images.

    It is one of `tests` intervals of which any misses in 5 % of experiments (Bonferroni).
    """
    count, tail = round(share * n), (1 - CONFIDENCE) / 2 / tests
    low = stats.beta.ppf(tail, count, n - count + 1) if count else 0.0
    high = stats.beta.ppf(1 - tail, count + 1, n - count) if count < n else 1.0
    return Interval(share, float(low), float(high))


def proportions(shares: pd.Series, counts: pd.Series) -> np.ndarray:
    """Lower and upper ends [2, k] of the intervals of k shares, of `counts` images each."""
    intervals = [proportion(share, int(n)) for share, n in zip(shares, counts, strict=True)]
    return np.array([(interval.low, interval.high) for interval in intervals]).T


def mean(
    values: np.ndarray,
    minus: float = 0.0,
    error: float = 0.0,
    tests: int = 1,
    least: float = 0.0,
) -> Interval:
    """Mean over images with Student's interval; `minus` is taken off, `error` its standard error.

    The mean's own standard error is at least `least`: of shares, which may agree in all images.
    One of `tests` intervals that hold together. Raises Unmeasured with fewer than two images.
    """
    values = values[np.isfinite(values)]
    if len(values) < 2:
        raise Unmeasured(f"not measured: {plural(len(values), 'paired image')}, at least 2 needed")
    estimate = float(values.mean()) - minus
    of_mean = max(least, float(values.std(ddof=1)) / len(values) ** 0.5)
    half = quantile(len(values) - 1, tests) * math.hypot(of_mean, error)
    return Interval(estimate, estimate - half, estimate + half)


def holm(compared: Mapping[Key, Callable[[int], Interval]]) -> dict[Key, Interval]:
    """Each comparison's interval at the level that Holm's procedure (1979) decides it at.

    `compared` gives an interval for the number of those that hold together. With a probability of
    5 % or less any of the returned ones that exclude 0 lies on the wrong side of it.
    """
    decided: dict[Key, Interval] = {}
    while len(decided) < len(compared):
        rest = {
            key: interval(len(compared) - len(decided))
            for key, interval in compared.items()
            if key not in decided
        }
        clear = {key: gap for key, gap in rest.items() if gap.positive or gap.negative}
        decided |= clear or rest
    return {key: decided[key] for key in compared}


def all_above(
    compared: Sequence[Callable[[int], Interval]], missing: Sequence[Unmeasured] = ()
) -> str:
    """Holds when each is above 0, does not when one of all is below (Bonferroni).

    Each gives an interval for a number of intervals that are to hold together. That all are above
    0 is wrong only if the one that is not looks so: no correction. That any is below 0 is wrong as
    soon as one of them looks so by chance: corrected for their number.

    `missing`: errors of those that were not measured. They count among all, and one that is below
    decides whatever they are; where none is, the first of them is raised.
    """
    among = len(compared) + len(missing)
    if any(interval(among).negative for interval in compared):
        return FAILS
    if missing:
        raise missing[0]
    return HOLDS if all(interval(1).positive for interval in compared) else UNDECIDED


def rank_correlation_along(curve: pd.DataFrame) -> Interval:
    """Spearman's correlation of the mean over images with the index; `curve` is [t, image].

    Images are drawn with replacement, each with its whole curve, so neighbouring t move together;
    of the percentile and the basic bootstrap the wider end counts. Noise pulls a rank correlation
    towards 0, so a high end above 0 is divided by the reliability's root (Spearman 1904), and is 1
    where the reliability is below a quarter.
    Raises Unmeasured with fewer than 3 t or 2 images, Undecided with a constant curve.
    """
    times, n = curve.shape
    mean = curve.mean(axis=1).to_numpy()
    if times < 3 or n < 2:
        raise Unmeasured(
            f"not measured: no rank correlation from {plural(times, 'point')} of "
            f"{plural(n, 'image')}"
        )
    if len(set(mean)) < 2:
        raise Undecided(f"the mean is the same at all {times} t, so it has no rank correlation")
    weights = np.random.default_rng(0).multinomial(n, np.full(n, 1 / n), size=RESAMPLES) / n
    drawn = ranks(weights @ curve.to_numpy(float).T)
    of_mean, of_index = ranks(mean), ranks(curve.index.to_numpy())
    estimate = float(of_mean @ of_index)
    # a bootstrap of n images is narrow by sqrt((n - 1) / n) and by normal against Student's tails
    tail = stats.norm.cdf(-np.sqrt(n / (n - 1)) * quantile(n - 1))
    ends = np.quantile(drawn @ of_index, [tail, 1 - tail])
    low, high = min(ends[0], 2 * estimate - ends[1]), max(ends[1], 2 * estimate - ends[0])
    # drawn curves have the noise twice: their squared agreement is (signal + noise) / (signal +
    # 2 noise), the estimate's reliability signal / (signal + noise)
    reliability = 2 - 1 / float(np.mean(drawn @ of_mean)) ** 2
    if high > 0:
        high = high / reliability**0.5 if reliability > RELIABLE else 1.0
    return Interval(estimate, max(-1.0, low), min(1.0, high))


def ranks(values: np.ndarray) -> np.ndarray:
    """Ranks along the last axis with mean 0 and norm 1, or 0 where all values are equal."""
    ranked = stats.rankdata(values, axis=-1)
    ranked -= ranked.mean(axis=-1, keepdims=True)
    norm = np.linalg.norm(ranked, axis=-1, keepdims=True)
    return np.divide(ranked, norm, out=np.zeros_like(ranked), where=norm > 0)
