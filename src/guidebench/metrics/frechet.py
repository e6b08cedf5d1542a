"""Fréchet distance between Gaussians fitted to features, with jackknife standard errors."""

from __future__ import annotations

import math
from functools import reduce
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
    """Moments of features [n, d]."""
    features = features.astype(np.float64)
    mean = features.mean(axis=0)
    deviations = features - mean
    return Moments(len(features), mean, deviations.T @ deviations)


def merge(a: Moments, b: Moments) -> Moments:
    """Moments of the union of two disjoint sets, exactly (Chan et al. 1979)."""
    count = a.size + b.size
    delta = b.mean - a.mean
    scatter = a.scatter + b.scatter + np.outer(delta, delta) * (a.size * b.size / count)
    return Moments(count, a.mean + delta * (b.size / count), scatter)


class Reference:
    """A reference set's moments with the root of its covariance, computed once."""

    def __init__(self, reference: Moments) -> None:
        self.moments = reference
        values, vectors = scipy.linalg.eigh(reference.covariance)
        self.root = (vectors * np.sqrt(values.clip(min=0))) @ vectors.T

    def distance(self, sample: Moments) -> float:
        """|m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2)) (Heusel et al. 2017, eq. 6)."""
        middle = self.root @ sample.covariance @ self.root
        cross = np.sqrt(scipy.linalg.eigvalsh(middle).clip(min=0)).sum()
        difference = self.moments.mean - sample.mean
        traces = np.trace(self.moments.covariance) + np.trace(sample.covariance)
        return float(difference @ difference + traces - 2 * cross)

    def jackknife(self, features: np.ndarray, blocks: int) -> tuple[float, np.ndarray]:
        """(distance, replicates [blocks]): each replicate leaves one block of rows out."""
        parts = [moments(part) for part in np.array_split(features, blocks)]
        replicates = [
            self.distance(reduce(merge, parts[:k] + parts[k + 1 :])) for k in range(blocks)
        ]
        return self.distance(reduce(merge, parts)), np.array(replicates)


def standard_error(replicates: np.ndarray) -> float:
    """Jackknife standard error from K leave-one-block-out replicates (Efron & Stein 1981)."""
    deviations = replicates - replicates.mean()
    count = len(replicates)
    return float(np.sqrt((count - 1) / count * (deviations**2).sum()))


def agresti_coull(hits: float, count: int) -> float:
    """Standard error of a share (1998): it is not zero when all or none of `count` hit."""
    adjusted = (hits + 2) / (count + 4)
    return math.sqrt(adjusted * (1 - adjusted) / (count + 4))


def proportion(hits: np.ndarray, blocks: int) -> tuple[float, float, np.ndarray]:
    """(share, Agresti and Coull's error, jackknife replicates) of a 0/1 vector."""
    hits = hits.astype(np.float64)
    count = len(hits)
    error = agresti_coull(float(hits.sum()), count)
    parts = np.array_split(hits, blocks)
    replicates = [(hits.sum() - part.sum()) / (count - len(part)) for part in parts]
    return float(hits.mean()), error, np.array(replicates)
