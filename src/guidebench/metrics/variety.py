"""How clear and how varied images of all classes are, from the judge's features."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from scipy.spatial.distance import cdist

Features = dict[str, np.ndarray]
NEIGHBOURS = 3
# rows of measures that need distances between all pairs: more would not fit
LARGEST = 5000


def inception_score(probabilities: np.ndarray) -> float:
    """exp(mean KL(p(y | x) | p(y))) of class probabilities [n, K] (Salimans et al. 2016, eq. 1)."""
    p = probabilities.astype(np.float64).clip(min=1e-12)
    marginal = p.mean(axis=0)
    return float(np.exp((p * (np.log(p) - np.log(marginal))).sum(axis=1).mean()))


def diversity(features: np.ndarray, labels: np.ndarray) -> float:
    """Mean distance between two images [n, d] of the same class [n], averaged over classes.

    NaN where no class has two images.
    """
    means = []
    for label in np.unique(labels):
        rows = features[labels == label].astype(np.float64)
        if len(rows) > 1:
            means.append(cdist(rows, rows).sum() / (len(rows) * (len(rows) - 1)))
    return float(np.mean(means)) if means else float("nan")


class Neighbours:
    """Precision and recall against real features [m, d] (Kynkaanniemi et al. 2019, eq. 1)."""

    def __init__(self, real: np.ndarray) -> None:
        self.real = real[:LARGEST].astype(np.float64)
        self.radii = _radii(cdist(self.real, self.real))

    def precision(self, features: np.ndarray) -> np.ndarray:
        """Whether each image lies within the real images' neighbourhoods, [n] bool."""
        distances = cdist(features[:LARGEST].astype(np.float64), self.real)
        hits: np.ndarray = (distances <= self.radii).any(axis=1)
        return hits

    def recall(self, features: np.ndarray) -> float:
        """Share of real images within the neighbourhoods of `features` [n, d]."""
        rows = features[:LARGEST].astype(np.float64)
        return float((cdist(self.real, rows) <= _radii(cdist(rows, rows))).any(axis=1).mean())


def _radii(distances: np.ndarray) -> np.ndarray:
    """Distance of each row to its k-th neighbour; itself is the zeroth."""
    radii: np.ndarray = np.partition(distances, NEIGHBOURS, axis=1)[:, NEIGHBOURS]
    return radii


class Variety(NamedTuple):
    """One measure: its value, how many images it is of, and jackknife replicates."""

    metric: str
    value: float
    n: int
    replicates: np.ndarray


def measures(found: Features, neighbours: Neighbours, blocks: int) -> Iterator[Variety]:
    """Every measure here; those of pairs of images are of the first LARGEST alone.

    Diversity is that within the classes which the judge sees: an image of another class than the
    one asked for is a failure, not variety.
    """
    p = found["probabilities:judge"]
    hidden, shown = (found[f"{key}:judge"][:LARGEST] for key in ("hidden", "predicted"))
    near = neighbours.precision(hidden)
    functions: dict[str, tuple[int, Callable[[np.ndarray], float]]] = {
        "is_judge": (len(p), lambda rows: inception_score(p[rows])),
        "diversity_judge": (len(hidden), lambda rows: diversity(hidden[rows], shown[rows])),
        "precision_judge": (len(hidden), lambda rows: float(near[rows].mean())),
        "recall_judge": (len(hidden), lambda rows: neighbours.recall(hidden[rows])),
    }
    for name, (count, value) in functions.items():
        rows = np.arange(count)
        parts = np.array_split(rows, blocks)
        replicates = [value(np.setdiff1d(rows, part)) for part in parts]
        yield Variety(name, value(rows), count, np.array(replicates))
