"""Whether images are copies of training images: how near they are.

>>> training = Training(np.array([[0.0], [1.0], [5.0]]))
>>> found = training.nearest(np.array([[0.1], [3.5]]))  # 1 is 1 from 0, and 5 is 4 from 1
>>> found.row.tolist(), found.distance.round(6).tolist(), found.authentic.tolist()
([0, 2], [0.1, 1.5], [False, False])
"""

from typing import NamedTuple

import numpy as np

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
