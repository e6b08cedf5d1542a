"""How clear and how varied images of all classes are, from the judge's features."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from scipy.spatial.distance import cdist

from guidebench.base.choices import NEIGHBOURS
from guidebench.base.jackknife import blocked
from guidebench.pipeline.errors import UserError

Features = dict[str, np.ndarray]
# rows of measures that need distances between all pairs: more would not fit
LARGEST = 5000


def inception_score(probabilities: np.ndarray) -> float:
    """exp(mean KL(p(y | x) | p(y))) of class probabilities [n, K] (Salimans et al. 2016, eq. 1).

    NaN of no images.
    """
    if len(probabilities) == 0:
        return float("nan")
    p = probabilities.astype(np.float64).clip(min=1e-12)
    marginal = p.mean(axis=0)
    return float(np.exp((p * (np.log(p) - np.log(marginal))).sum(axis=1).mean()))


def diversity(features: np.ndarray, labels: np.ndarray) -> float:
    """Mean distance [0, inf) from an image to the others of its class; features [n, d], labels [n].

    So a class counts by its images. One without another of its class is left out; NaN where all
    are.
    """
    total, count = 0.0, 0
    for label in np.unique(labels):
        rows = features[labels == label].astype(np.float64)
        if len(rows) > 1:
            total += cdist(rows, rows).sum() / (len(rows) - 1)
            count += len(rows)
    return total / count if count else float("nan")


class Neighbours:
    """Precision and recall against real features [m, d] (Kynkaanniemi et al. 2019, eq. 1).

    UserError where there are too few real ones to have a third neighbour.
    """

    def __init__(self, real: np.ndarray) -> None:
        if len(real) <= NEIGHBOURS:
            raise UserError(
                f"precision and recall: found {len(real)} reference images, allowed: "
                f"at least {NEIGHBOURS + 1}"
            )
        self.real = real[:LARGEST].astype(np.float64)
        self.radii = _radii(cdist(self.real, self.real))

    def precision(self, features: np.ndarray) -> np.ndarray:
        """Whether each image lies within the real images' neighbourhoods, [n] bool."""
        distances = cdist(features[:LARGEST].astype(np.float64), self.real)
        hits: np.ndarray = (distances <= self.radii).any(axis=1)
        return hits

    def recall(self, features: np.ndarray) -> float:
        """Share of real images within the neighbourhoods of `features` [n, d]; NaN for n <= 3."""
        rows = features[:LARGEST].astype(np.float64)
        if len(rows) <= NEIGHBOURS:
            return float("nan")
        return float((cdist(self.real, rows) <= _radii(cdist(rows, rows))).any(axis=1).mean())


def _radii(distances: np.ndarray) -> np.ndarray:
    """Distance of each row to its k-th neighbour; itself is the zeroth."""
    radii: np.ndarray = np.partition(distances, NEIGHBOURS, axis=1)[:, NEIGHBOURS]
    return radii


class Variety(NamedTuple):
    """One measure: its value as it is, how many images it is of, and jackknife replicates."""

    metric: str
    raw: float
    n: int
    replicates: np.ndarray


def measures(
    found: Features, neighbours: Neighbours, kept: np.ndarray, blocks: int
) -> Iterator[Variety]:
    """Every measure here of the images `kept` [n]; those of pairs are of the first LARGEST alone.

    Diversity is that within the classes which the judge sees: an image of another class than the
    one asked for is a failure, not variety.
    """
    p = found["probabilities:judge"]
    hidden, shown = (found[f"{key}:judge"][:LARGEST] for key in ("hidden", "predicted"))
    near = neighbours.precision(hidden)
    functions: dict[str, tuple[int, Callable[[np.ndarray], float]]] = {
        "is_judge": (len(p), lambda rows: inception_score(p[rows])),
        "diversity_judge": (len(hidden), lambda rows: diversity(hidden[rows], shown[rows])),
        "precision_judge": (len(hidden), lambda rows: share(near[rows])),
        "recall_judge": (len(hidden), lambda rows: neighbours.recall(hidden[rows])),
    }
    for name, (count, value) in functions.items():
        rows = np.flatnonzero(kept[:count])
        own = blocked(count, blocks)[rows]
        replicates = [value(rows[own != number]) for number in range(blocks)]
        yield Variety(name, value(rows), len(rows), np.array(replicates))


def share(hits: np.ndarray) -> float:
    """Mean of a 0/1 vector; NaN of none."""
    return float(hits.mean()) if len(hits) else float("nan")
