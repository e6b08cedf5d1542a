"""Kernel distances of features: squared maximum mean discrepancies on all pairs, with errors.

>>> x, y = np.array([[0.0], [1.0]]), np.array([[0.0], [0.0], [1.0]])
>>> round(Kernels(y, KD, blocks=1).distance(x, np.zeros(2, int)).raw, 6)  # 1 + 1 - 2 * 13 / 6
-2.333333
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from guidebench.base.choices import FEWEST
from guidebench.base.jackknife import scattered
from guidebench.metrics.reference import Distance
from guidebench.pipeline.errors import UserError

# rows of a tile of a kernel matrix: 8 MB, at any number of images
TILE = 1024
SIGMA = 10


def as_float(features: np.ndarray) -> np.ndarray:
    """Features [n, d] in float64."""
    return features.astype(np.float64)


def unit(features: np.ndarray) -> np.ndarray:
    """Features [n, d] of length 1 each; UserError where one is 0, and has no direction."""
    lengths = np.linalg.norm(features.astype(np.float64), axis=1, keepdims=True)
    if zero := int((lengths == 0).sum()):
        raise UserError(f"features: found {zero} of {len(features)} images with all 0, allowed: 0")
    return features / lengths


def polynomial(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """(x . y / d + 1)^3 [n, m] of rows [n, d] and [m, d] (Binkowski et al. 2018, eq. 4)."""
    base = x @ y.T / x.shape[1] + 1
    return base * base * base


def gaussian(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """exp(-|x - y|^2 / (2 SIGMA^2)) [n, m] of rows of length 1, where |x - y|^2 = 2 - 2 x . y."""
    return np.exp((x @ y.T - 1) / SIGMA**2)


class Form(NamedTuple):
    """A kernel, what is done to features before it, whether pairs (i, i) count, and a factor."""

    kernel: Callable[[np.ndarray, np.ndarray], np.ndarray]
    prepared: Callable[[np.ndarray], np.ndarray]
    itself: bool
    factor: float


# KID's U-statistic (Binkowski et al. 2018, section 4), of all images and not of random subsets.
# In (-inf, inf), smaller is better; unbiased at every n and m, so below 0 half of the time at
# distance 0. Needs two images on each side; KID is its value in Inception's features
KD = Form(polynomial, as_float, itself=False, factor=1.0)
# Jayasumana et al. 2024: the V-statistic (Gretton et al. 2012, eq. 5) of unit embeddings, CLIP's in
# the paper, times 1000. In [0, 2000 (1 - exp(-0.02))], smaller is better; too large at finite n by
# 1000 mean(1 - k) (1 / n + 1 / m), which `base.jackknife.corrected` takes off
CMMD = Form(gaussian, unit, itself=True, factor=1000.0)


class Rows:
    """Features [n, d] as a form takes them, in K jackknife blocks: `block` [n] is each row's.

    `kept` [K + 1, K] says which blocks are in the whole set, then in the set without each block,
    and `sizes` [K + 1] how many rows these have.
    """

    def __init__(self, features: np.ndarray, block: np.ndarray, blocks: int, form: Form) -> None:
        self.features, self.form = form.prepared(features), form
        self.member = (block[:, None] == np.arange(blocks)).astype(np.float64)
        self.kept = np.vstack((np.ones(blocks), 1 - np.eye(blocks)))
        self.sizes = self.kept @ self.member.sum(axis=0)

    def tiles(self, other: Rows) -> Iterator[tuple[np.ndarray, slice, slice]]:
        """The kernel matrix [n, m] in tiles of at most TILE rows and columns, with their places."""
        for i in range(0, len(self.features), TILE):
            for j in range(0, len(other.features), TILE):
                rows, columns = slice(i, i + TILE), slice(j, j + TILE)
                tile = self.form.kernel(self.features[rows], other.features[columns])
                yield tile, rows, columns

    def within(self) -> np.ndarray:
        """Mean kernel [K + 1] of two rows, of all and without each block; NaN where none are."""
        total = np.zeros((len(self.kept) - 1,) * 2)
        for tile, rows, columns in self.tiles(self):
            if rows == columns and not self.form.itself:
                np.fill_diagonal(tile, 0)
            total += self.member[rows].T @ tile @ self.member[columns]
        pairs = self.sizes * (self.sizes - (not self.form.itself))
        return _mean(((self.kept @ total) * self.kept).sum(axis=1), pairs)


class Kernels:
    """Reference features [m, d], whose kernel is summed once for all cells.

    UserError where m is below FEWEST. Replicates of a distance are exact sums over blocks: they
    evaluate no kernel anew.
    """

    def __init__(self, features: np.ndarray, form: Form, blocks: int) -> None:
        size, self.form, self.blocks = len(features), form, blocks
        if size < FEWEST:
            raise UserError(f"reference: found {size} images, allowed: at least {FEWEST}")
        own = min(blocks, size)
        self.rows = Rows(features, scattered(size, own), own, form)
        self.within = self.rows.within()

    def distance(self, features: np.ndarray, block: np.ndarray) -> Distance:
        """The form's squared distance of features [n, d] with their jackknife blocks [n].

        NaN of too few. `least` is the standard error of the U-statistic of two sets of one
        distribution, where it is degenerate, and the jackknife sees no slope.
        """
        x, y, factor = Rows(features, block, self.blocks, self.form), self.rows, self.form.factor
        n, m = len(x.features), len(y.features)
        total, squares = np.zeros((self.blocks, y.member.shape[1])), 0.0
        of_x, of_y = np.zeros(n), np.zeros(m)
        for tile, rows, columns in x.tiles(y):
            total += x.member[rows].T @ tile @ y.member[columns]
            of_x[rows] += tile.sum(axis=1)
            of_y[columns] += tile.sum(axis=0)
            squares += float(np.vdot(tile, tile))
        between = _mean(x.kept @ total @ y.kept.T, np.outer(x.sizes, y.sizes))
        own = x.within()
        seeds = factor * (own + self.within[0] - 2 * between[:, 0])
        reference = factor * (own[0] + self.within - 2 * between[0])
        least = float("nan")
        if n > 1:
            # E k~(x, y)^2 of the centred kernel: what is left of the matrix without its margins
            left = squares - of_x @ of_x / m - of_y @ of_y / n + total.sum() ** 2 / (n * m)
            pairs = 2 / (n * (n - 1)) + 2 / (m * (m - 1)) + 4 / (n * m)
            least = factor * math.sqrt(max(0.0, left) / ((n - 1) * (m - 1)) * pairs)
        return Distance(float(seeds[0]), least, seeds[1:], reference[1:])


def _mean(total: np.ndarray, count: np.ndarray) -> np.ndarray:
    """The means total / count; NaN where there are none."""
    return np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)
