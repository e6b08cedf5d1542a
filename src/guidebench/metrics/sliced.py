"""Sliced Wasserstein distance of features from a reference set, by which scales are chosen.

>>> reference = Sliced(np.zeros((1, 3)))
>>> round(reference.distance(reference.project(np.ones((5, 3)))), 1)  # near |m1 - m2|^2 / d
1.0
"""

import numpy as np

DIRECTIONS = 128
SEED = 0


class Sliced:
    """A reference set [m, d] projected on fixed random directions, sorted once."""

    def __init__(self, reference: np.ndarray) -> None:
        generator = np.random.Generator(np.random.Philox(SEED))
        directions = generator.normal(size=(reference.shape[1], DIRECTIONS))
        self.directions = directions / np.linalg.norm(directions, axis=0)
        ordered = np.sort(self.project(reference), axis=0)
        self.size, self.square = len(ordered), float((ordered**2).mean())
        # integral of the reference's quantile function up to j / m, for j = 0 .. m
        self.integral = np.vstack((np.zeros(DIRECTIONS), ordered.cumsum(axis=0))) / self.size

    def project(self, features: np.ndarray) -> np.ndarray:
        """Features [n, d] on the directions, [n, DIRECTIONS]."""
        projected: np.ndarray = features.astype(np.float64) @ self.directions
        return projected

    def distance(self, projected: np.ndarray) -> float:
        """Mean over directions of the squared 2-Wasserstein distance (Bonneel et al. 2015).

        Of features that `project` made [n, DIRECTIONS], n of any size; in [0, inf), NaN where n
        is 0.
        """
        count = len(projected)
        if count == 0:
            return float("nan")
        # the integral at i / n, linear between the places j / m
        place = np.arange(count + 1) * self.size / count
        low = np.minimum(place.astype(int), self.size - 1)
        fraction = (place - low)[:, None]
        ends = (1 - fraction) * self.integral[low] + fraction * self.integral[low + 1]
        # the optimal coupling is in order: each sorted feature goes to 1/n of the reference
        product = np.sort(projected, axis=0) * np.diff(ends, axis=0)
        return float((projected**2).mean() + self.square - 2 * product.sum(axis=0).mean())
