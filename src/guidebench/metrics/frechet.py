"""Fréchet distance between Gaussians fitted to features, of all rows and without some of them.

>>> features = np.random.Generator(np.random.Philox(0)).normal(size=(1000, 2))
>>> shifted = moments(features + [3.0, 4.0])
>>> round(Fitted(features, np.zeros(1000, int), blocks=1).distance(shifted), 6)
25.0
"""

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
    """Moments of features [n, d]; all zero where n is 0."""
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


def least_error(*samples: Moments) -> float:
    """Standard error of |m1 - m2|^2 of two samples of one distribution: sqrt(2) |sum S / n|_F.

    It is |N(0, C)|^2 with C the sum of S / n, whose variance is 2 tr C^2. Each has two rows or
    more.
    """
    covariance = sum(sample.covariance / sample.size for sample in samples)
    return math.sqrt(2) * float(np.linalg.norm(covariance))


class Fitted:
    """The Gaussian of features [n, d], and those without one jackknife block of rows each.

    `block` [n] is each row's, from 0 to `blocks` - 1; a block may be empty. `whole` has the moments
    of all rows, `without[k]` those without block k.
    """

    def __init__(self, features: np.ndarray, block: np.ndarray, blocks: int) -> None:
        # at d = 2048 a scatter is 34 MB: 2 K + 4 at once (workflow/rules/metrics.smk)
        of_block = [moments(features[block == number]) for number in range(blocks)]
        empty = moments(features[:0])
        # without[k] is at first the union of the blocks after k; then those before k join it
        self.without = [*accumulate(of_block[:0:-1], merge, initial=empty)][::-1]
        self.whole = empty
        for number, own in enumerate(of_block):
            self.without[number] = merge(self.whole, self.without[number])
            self.whole = merge(self.whole, own)

    @classmethod
    def of(cls, mean: np.ndarray, covariance: np.ndarray) -> Fitted:
        """The Gaussian of somebody's mean [d] and covariance [d, d], of images that are not there.

        Of a number that counts nowhere, but as more than d; without one of them left out.
        """
        count = len(mean) + 1
        fitted = cls(np.empty((0, len(mean))), np.zeros(0, int), blocks=0)
        fitted.whole, fitted.without = Moments(count, mean, covariance * (count - 1)), []
        return fitted

    @cached_property
    def root(self) -> np.ndarray:
        """Symmetric root S1^(1/2) of the covariance [d, d]."""
        values, vectors = scipy.linalg.eigh(self.whole.covariance)
        root: np.ndarray = (vectors * np.sqrt(values.clip(min=0))) @ vectors.T
        return root

    def distance(self, other: Moments) -> float:
        """|m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2)) of two Gaussians (Heusel et al. 2017, eq. 6).

        In [0, inf); NaN where one of the two is of fewer than two rows, and has no covariance.
        """
        if min(self.whole.size, other.size) < 2:
            return float("nan")
        # tr (S1 S2)^(1/2): the eigenvalues of S1 S2 are those of S1^(1/2) S2 S1^(1/2)
        middle = self.root @ other.covariance @ self.root
        cross = np.sqrt(scipy.linalg.eigvalsh(middle).clip(min=0)).sum()
        difference = self.whole.mean - other.mean
        traces = np.trace(self.whole.covariance) + np.trace(other.covariance)
        return float(difference @ difference + traces - 2 * cross)

    def distances(self, others: list[Moments]) -> np.ndarray:
        """The distance [K] to each of K Gaussians."""
        return np.array([self.distance(other) for other in others])
