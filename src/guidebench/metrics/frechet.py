"""Fréchet distance between Gaussians fitted to features, and what it is without blocks of them."""

from __future__ import annotations

import math
from functools import cached_property
from itertools import accumulate
from typing import NamedTuple

import numpy as np
import scipy.linalg


class Moments(NamedTuple):
    """Count, mean [d] and scatter [d, d] (sum of outer products of deviations), float64."""

    size: int
    mean: np.ndarray
    scatter: np.ndarray

    @property
    def covariance(self) -> np.ndarray:
        """Unbiased covariance [d, d], as torch-fidelity's."""
        return self.scatter / (self.size - 1)


def moments(features: np.ndarray) -> Moments:
    """Moments of features [n, d]; all zero where n is."""
    features = features.astype(np.float64)
    mean = features.sum(axis=0) / max(1, len(features))
    deviations = features - mean
    return Moments(len(features), mean, deviations.T @ deviations)


def merge(a: Moments, b: Moments) -> Moments:
    """Moments of the union of two disjoint sets, exactly (Chan et al. 1979)."""
    count = max(1, a.size + b.size)
    delta = b.mean - a.mean
    scatter = a.scatter + b.scatter + np.outer(delta, delta) * (a.size * b.size / count)
    return Moments(a.size + b.size, a.mean + delta * (b.size / count), scatter)


def least_error(*parts: Moments) -> float:
    """Standard error of |m1 - m2|^2 of two samples of one distribution: sqrt(2) |sum S / n|_F.

    It is |N(0, C)|^2 with C the sum of S / n, whose variance is 2 tr C^2.
    """
    return math.sqrt(2) * float(np.linalg.norm(sum(one.covariance / one.size for one in parts)))


class Fitted:
    """The Gaussian of features [n, d], and those with one of K blocks of rows left out each.

    `block` [n] names each row's block, from 0 to `blocks` - 1; one may be empty.
    """

    def __init__(self, features: np.ndarray, block: np.ndarray, blocks: int) -> None:
        # at d = 2048 a scatter is 34 MB: 2 K + 4 at once (workflow/rules/metrics.smk)
        parts = [moments(features[block == number]) for number in range(blocks)]
        nothing = moments(features[:0])
        # at first the union of all blocks behind each, then with that of those before it
        self.without = [*accumulate(parts[:0:-1], merge, initial=nothing)][::-1]
        self.whole = nothing
        for number, part in enumerate(parts):
            self.without[number] = merge(self.whole, self.without[number])
            self.whole = merge(self.whole, part)

    @cached_property
    def root(self) -> np.ndarray:
        """Symmetric root of the covariance [d, d]."""
        values, vectors = scipy.linalg.eigh(self.whole.covariance)
        root: np.ndarray = (vectors * np.sqrt(values.clip(min=0))) @ vectors.T
        return root

    def distance(self, other: Moments) -> float:
        """|m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2)) (Heusel et al. 2017, eq. 6).

        NaN where one of the two has no covariance: fewer than two rows.
        """
        if min(self.whole.size, other.size) < 2:
            return float("nan")
        middle = self.root @ other.covariance @ self.root
        cross = np.sqrt(scipy.linalg.eigvalsh(middle).clip(min=0)).sum()
        difference = self.whole.mean - other.mean
        traces = np.trace(self.whole.covariance) + np.trace(other.covariance)
        return float(difference @ difference + traces - 2 * cross)

    def distances(self, others: list[Moments]) -> np.ndarray:
        """The distance to each of several Gaussians."""
        return np.array([self.distance(other) for other in others])
