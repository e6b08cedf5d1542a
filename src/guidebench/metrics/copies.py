"""Whether images are copies of training images: how near they are, against images held out.

>>> training = Training(np.array([[0.0], [1.0], [5.0]]))
>>> found = training.nearest(np.array([[0.1], [3.5]]))  # 1 is 1 from 0, and 5 is 4 from 1
>>> found.row.tolist(), found.distance.round(6).tolist(), found.authentic.tolist()
([0, 2], [0.1, 1.5], [False, False])
"""

import math
from typing import NamedTuple

import numpy as np
from scipy.stats import rankdata

from guidebench.base.jackknife import agresti_coull
from guidebench.pipeline.errors import UserError

TILE = 1024  # rows of training images at once


class Nearest(NamedTuple):
    """Of each image [n]: its nearest training image, how far that is, and ...

    `own` [n]: how far that training image is from its own nearest other one.
    """

    row: np.ndarray
    distance: np.ndarray
    own: np.ndarray

    @property
    def authentic(self) -> np.ndarray:
        """Whether an image is farther from its training image than `own`, bool [n].

        Their share is authenticity (Alaa et al. 2022), with its error in `base.jackknife.hit_share`
        for one training set; in [0, 1], larger is less copied. Unbiased, but new images of the very
        distribution have no 1: 1/3 in one dimension and towards 1/2 in many, so it says
        something beside that of held-out images. It needs features of all training images.
        """
        return self.distance > self.own


class Training:
    """Features [N, d] of all training images; UserError where N is below 2."""

    def __init__(self, features: np.ndarray) -> None:
        if len(features) < 2:
            raise UserError(f"copies: found {len(features)} training images, allowed: at least 2")
        self.features, self.mean = features, features.mean(axis=0, dtype=np.float64)

    def nearest(self, features: np.ndarray) -> Nearest:
        """The nearest training image of each row of features [n, d], in [0, inf)."""
        index = self._nearest(features, np.full(len(features), -1))
        several, where = np.unique(index, return_inverse=True)
        neighbour = self._nearest(self.features[several], several)
        own = self._distance(self.features[several], neighbour)
        return Nearest(index, self._distance(features, index), own[where])

    def _nearest(self, features: np.ndarray, itself: np.ndarray) -> np.ndarray:
        """Index [n] of the nearest training image but `itself` [n]."""
        rows, count = features - self.mean, len(features)
        smallest, index = np.full(count, np.inf), np.zeros(count, int)
        for start in range(0, len(self.features), TILE):
            part = self.features[start : start + TILE] - self.mean
            # |x - y|^2 less |x|^2; products are many times as fast as differences of all pairs
            squares = (part**2).sum(axis=1) - 2 * rows @ part.T
            (inside,) = np.nonzero((itself >= start) & (itself < start + len(part)))
            squares[inside, itself[inside] - start] = np.inf
            place = squares.argmin(axis=1)
            value = squares[np.arange(count), place]
            closer = value < smallest
            smallest[closer], index[closer] = value[closer], start + place[closer]
        return index

    def _distance(self, features: np.ndarray, index: np.ndarray) -> np.ndarray:
        """Distance [n] to the training images of that index [n], without the products' rounding."""
        distance: np.ndarray = np.linalg.norm(
            features.astype(np.float64) - self.features[index], axis=1
        )
        return distance


class Nearness(NamedTuple):
    """How often samples are farther from training than held-out images, its error, and z."""

    share: float
    se: float
    z: float


def nearness(samples: np.ndarray, held_out: np.ndarray) -> Nearness:
    """Distances [n] of samples to training images against those [m] of held-out images.

    `share` of pairs in which the sample is farther, ties by half: in [0, 1], 1/2 of samples as
    held-out images, less of copies; unbiased for one training set. `se`: DeLong et al. 1988, at
    least Agresti and Coull's of none. `z`: Mann and Whitney's (Meehan et al. 2020, Z_U; their C_T
    is its mean over cells of k-means, here there is one cell): below -1.645 samples are nearer,
    at 5 % one-sided. Needs images of the samples' classes that were not trained on. Typical images
    are nearer than held-out ones without being copies: guidance alone lowers it. NaN where n or m
    is below 2; z, too, where all distances are equal.
    """
    n, m = len(samples), len(held_out)
    if min(n, m) < 2:
        return Nearness(math.nan, math.nan, math.nan)
    ranks = rankdata(np.concatenate((samples, held_out)))
    below = (ranks[:n] - rankdata(samples)) / m
    above = 1 - (ranks[n:] - rankdata(held_out)) / n
    error = math.sqrt(below.var(ddof=1) / n + above.var(ddof=1) / m)
    share = float(below.mean())
    spread = math.sqrt(ranks.var(ddof=1) / (n * m * (n + m)))  # of the share, ties counted
    z = (share - 0.5) / spread if spread else math.nan
    return Nearness(share, max(error, agresti_coull(0, min(n, m))), z)
