"""Fréchet distance of fewer images than features, from products of images and not of features.

The product of two covariances of n1 and n2 rows has at most min(n1, n2) - 1 eigenvalues that are
not 0, and a matrix [n1, n1] has them: nothing is of the order d^3, or held in [d, d].

>>> features = np.random.Generator(np.random.Philox(0)).normal(size=(5, 2048))
>>> round(Few(features).distance(Few(features + 0.5)), 6)  # a shift alone: 2048 / 4
512.0
"""

import math
from collections.abc import Sequence
from typing import Protocol

import numpy as np
import scipy.linalg

from guidebench.metrics.frechet import Moments


class Gaussian(Protocol):
    """What a distance from few rows needs of the other Gaussian N(mean [d], S)."""

    mean: np.ndarray
    trace: float
    rank: int  # of S; 0 of fewer than two images, which have no distance

    def between(self, rows: np.ndarray) -> np.ndarray:
        """The products x S y [n, n] of each two of rows [n, d]."""


class Many:
    """The Gaussian of moments, where there are more images than features."""

    def __init__(self, moments: Moments) -> None:
        self.mean, self.rank = moments.mean, max(0, min(moments.size - 1, len(moments.mean)))
        self.covariance = moments.scatter / max(1, moments.size - 1)
        self.trace = float(np.trace(self.covariance))

    def between(self, rows: np.ndarray) -> np.ndarray:
        """The products x S y [n, n] of each two of rows [n, d]."""
        return rows @ self.covariance @ rows.T


class Few:
    """The Gaussian of features [n, d], best of n below d, by its rows: S = rows.T @ rows."""

    def __init__(self, features: np.ndarray) -> None:
        features = features.astype(np.float64)
        self.mean = features.sum(axis=0) / max(1, len(features))
        self.size = max(1, len(features) - 1)  # as the covariance counts
        self.rank = max(0, min(len(features) - 1, len(self.mean)))
        self.rows = (features - self.mean) / math.sqrt(self.size)
        self.trace = float((self.rows**2).sum())

    def between(self, rows: np.ndarray) -> np.ndarray:
        """The products x S y [n, n] of each two of rows [n, d]."""
        products = rows @ self.rows.T
        return products @ products.T

    def distance(self, other: Gaussian) -> float:
        """As `Fitted.distance`: |m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2)), in [0, inf).

        Smaller is better. Needs n d and, from `Many`, d^2 numbers. Too large at finite n by
        an amount that is of order 1/n only where n is above d: with fewer images than features
        `base.jackknife.corrected` does not take it off, and only distances at equal n compare. NaN
        where one of the two is of fewer than two images.
        """
        return _distance(self, other, other.between(self.rows))

    def distances(self, others: Sequence[Gaussian]) -> np.ndarray:
        """The distance [K] to each of K Gaussians."""
        return np.array([self.distance(other) for other in others])


def left_out(features: np.ndarray, block: np.ndarray, blocks: int, other: Gaussian) -> np.ndarray:
    """The distances [blocks] of features [n, d] without one jackknife block [n] of rows each.

    As `Fitted(other).distances(Fitted(features, block, blocks).without)`, with products of rows
    that all replicates share. NaN where fewer than two rows stay.
    """
    shared = other.between(features.astype(np.float64) - other.mean)
    distances = []
    for number in range(blocks):
        rows = np.flatnonzero(block != number)
        few, products = Few(features[rows]), shared[np.ix_(rows, rows)]
        distances.append(_distance(few, other, products / few.size))
    return np.array(distances)


def _distance(few: Few, other: Gaussian, products: np.ndarray) -> float:
    """The distance from R S2 R^T [n, n], where S1 = R^T R but for the mean of R's rows.

    The eigenvalues of S1 S2 are those of it. Those above the rank are 0, whose roots would be 1e-8
    of the largest root by rounding.
    """
    rank = min(few.rank, other.rank)
    if rank == 0:
        return math.nan
    products = products - products.mean(axis=0)
    products -= products.mean(axis=1, keepdims=True)
    values = scipy.linalg.eigvalsh(products)[-rank:]
    difference = few.mean - other.mean
    traces = few.trace + other.trace
    return float(difference @ difference + traces - 2 * np.sqrt(values.clip(min=0)).sum())
