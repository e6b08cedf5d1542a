"""Sliced Wasserstein distance of features from a whole reference set: what scales are chosen by."""

from __future__ import annotations

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
        # integral of the quantile function up to j / m
        self.integral = np.vstack((np.zeros(DIRECTIONS), ordered.cumsum(axis=0))) / self.size

    def project(self, features: np.ndarray) -> np.ndarray:
        """Features [n, d] on the directions, [n, DIRECTIONS]."""
        found: np.ndarray = features.astype(np.float64) @ self.directions
        return found

    def distance(self, projected: np.ndarray) -> float:
        """Mean over directions of the squared 2-Wasserstein distance (Bonneel et al. 2015).

        Of projected features [n, DIRECTIONS], n of any size; NaN where n is 0.
        """
        count = len(projected)
        if count == 0:
            return float("nan")
        place = np.arange(count + 1) * self.size / count
        low = np.minimum(place.astype(int), self.size - 1)
        part = (place - low)[:, None]
        ends = (1 - part) * self.integral[low] + part * self.integral[low + 1]
        # each row of the sorted features meets a 1/n of the reference's quantile function
        product = np.sort(projected, axis=0) * np.diff(ends, axis=0)
        return float((projected**2).mean() + self.square - 2 * product.sum(axis=0).mean())
