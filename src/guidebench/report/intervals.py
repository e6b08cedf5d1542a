"""Intervals of what the claims measure, and how several of them share one error of 5 %."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import TypeVar

import numpy as np
import pandas as pd
from scipy import stats

from guidebench.report.verdicts import CONFIDENCE, Interval, Unmeasured, quantile

RESAMPLES = 2000
Key = TypeVar("Key", bound=Hashable)


def proportion(share: float, n: int, tests: int = 1) -> Interval:
    """Clopper and Pearson's exact interval (1934) of a share of `n` images.

    It is one of `tests` intervals that miss with 5 % together (Bonferroni).
    """
    count, tail = round(share * n), (1 - CONFIDENCE) / 2 / tests
    low = stats.beta.ppf(tail, count, n - count + 1) if count else 0.0
    high = stats.beta.ppf(1 - tail, count + 1, n - count) if count < n else 1.0
    return Interval(share, float(low), float(high))


def holm(compared: Mapping[Key, Interval]) -> dict[Key, Interval]:
    """Each comparison's interval at the level that Holm's procedure (1979) decides it at.

    With a probability of 5 % or less any of those that exclude 0 lies on the wrong side of it.
    """
    decided: dict[Key, Interval] = {}
    while len(decided) < len(compared):
        rest = {key: interval.shared(len(compared) - len(decided))
                for key, interval in compared.items() if key not in decided}  # fmt: skip
        clear = {key: found for key, found in rest.items() if found.positive or found.negative}
        decided |= clear or rest
    return {key: decided[key] for key in compared}


def rank_correlation_along(curve: pd.DataFrame) -> Interval:
    """Spearman's correlation of the mean over images with the index; `curve` is [t, image].

    Images are drawn with replacement, each with its whole curve, so neighbouring t move together.
    Of the percentile and the basic bootstrap the wider end counts: noise pulls a rank correlation
    towards 0, and each of the two errs to one side. Raises Unmeasured with fewer than 3 t or 2
    images, or a constant curve.
    """
    times, n = curve.shape
    mean = curve.mean(axis=1).to_numpy()
    if times < 3 or n < 2 or len(set(mean)) < 2:
        raise Unmeasured(f"not measured: {times} points of {n} images give no rank correlation")
    estimate = float(stats.spearmanr(curve.index, mean).statistic)
    weights = np.random.default_rng(0).multinomial(n, np.full(n, 1 / n), size=RESAMPLES) / n
    ranks = stats.rankdata(weights @ curve.to_numpy(float).T, axis=1)
    ranks -= ranks.mean(axis=1, keepdims=True)
    along = stats.rankdata(curve.index) - (times + 1) / 2
    spread = np.linalg.norm(ranks, axis=1) * np.linalg.norm(along)
    drawn = np.divide(ranks @ along, spread, out=np.zeros(RESAMPLES), where=spread > 0)
    # a bootstrap of n images is narrow by sqrt((n - 1) / n) and by normal against Student's tails
    tail = stats.norm.cdf(-np.sqrt(n / (n - 1)) * quantile(n - 1))
    low, high = np.quantile(drawn, [tail, 1 - tail])
    return Interval(estimate, max(-1.0, min(low, 2 * estimate - high)),
                    min(1.0, max(high, 2 * estimate - low)))  # fmt: skip
