"""How clear and how varied images of all classes are, from the judge's features and classes."""

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

    In [1, K]; NaN of no images.

    >>> round(inception_score(np.eye(4)), 6), round(inception_score(np.full((4, 4), 0.25)), 6)
    (4.0, 1.0)
    """
    if len(probabilities) == 0:
        return float("nan")
    p = probabilities.astype(np.float64).clip(min=1e-12)
    marginal = p.mean(axis=0)
    return float(np.exp((p * (np.log(p) - np.log(marginal))).sum(axis=1).mean()))


def diversity(features: np.ndarray, labels: np.ndarray) -> float:
    """Mean Euclidean distance from an image to the others of its class, in [0, inf).

    Of features [n, d] and labels [n]. A class counts by its images; an image that is alone in its
    class, or of none (-1), is left out; NaN where every image is.

    >>> print(diversity(np.array([[0.0], [2.0], [9.0]]), np.array([0, 0, 1])))
    2.0
    """
    total, count = 0.0, 0
    for label in np.unique(labels[labels >= 0]):
        rows = features[labels == label].astype(np.float64)
        if len(rows) > 1:
            total += cdist(rows, rows).sum() / (len(rows) - 1)
            count += len(rows)
    return total / count if count else float("nan")


class Neighbours:
    """Precision and recall against real features [m, d] (Kynkaanniemi et al. 2019, eq. 1 and 2).

    With k = NEIGHBOURS; of the first LARGEST rows. UserError where m is at most k.
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
        """Whether each row of features [n, d] lies in a real image's neighbourhood, bool [n]."""
        distances = cdist(features[:LARGEST].astype(np.float64), self.real)
        hits: np.ndarray = (distances <= self.radii).any(axis=1)
        return hits

    def recall(self, features: np.ndarray) -> float:
        """Share in [0, 1] of real images within a neighbourhood of features [n, d].

        NaN where n is at most NEIGHBOURS.
        """
        rows = features[:LARGEST].astype(np.float64)
        if len(rows) <= NEIGHBOURS:
            return float("nan")
        return float((cdist(self.real, rows) <= _radii(cdist(rows, rows))).any(axis=1).mean())


def _radii(distances: np.ndarray) -> np.ndarray:
    """Distance [n] of each row to its k-th neighbour from distances [n, n]; itself is the 0th."""
    radii: np.ndarray = np.partition(distances, NEIGHBOURS, axis=1)[:, NEIGHBOURS]
    return radii


class Variety(NamedTuple):
    """A measure's name and value, the number of images it is of, and its jackknife replicates."""

    metric: str
    raw: float
    n: int
    replicates: np.ndarray


def measures(
    features: Features,
    neighbours: Neighbours,
    kept: np.ndarray,
    blocks: int,
    common: int | None = None,
) -> Iterator[Variety]:
    """Every measure of the images `kept` [n] bool, and its replicates without each of `blocks`.

    Measures of pairs of images are of the first LARGEST alone. Diversity is within the classes that
    the judge sees: an image of another class than its label's is a failure, not variety.
    `common`: how many of the first images recall is of, the same of every set; None: all.
    """
    p = features["probabilities:judge"]
    hidden, seen = (features[f"{key}:judge"][:LARGEST] for key in ("hidden", "predicted"))
    near, equal = neighbours.precision(hidden), len(hidden) if common is None else common
    functions: dict[str, tuple[int, Callable[[np.ndarray], float]]] = {
        "is_judge": (len(p), lambda rows: inception_score(p[rows])),
        "diversity_judge": (len(hidden), lambda rows: diversity(hidden[rows], seen[rows])),
        "precision_judge": (len(hidden), lambda rows: share(near[rows])),
        # it has no limit in n: of as many images of every cell
        "recall_judge": (min(equal, len(hidden)), lambda rows: neighbours.recall(hidden[rows])),
    }
    for name, (count, value) in functions.items():
        rows = np.flatnonzero(kept[:count])
        own = blocked(count, blocks)[rows]
        replicates = [value(rows[own != number]) for number in range(blocks)]
        yield Variety(name, value(rows), len(rows), np.array(replicates))


def share(hits: np.ndarray) -> float:
    """Mean of a 0/1 vector; NaN where it is empty."""
    return float(hits.mean()) if len(hits) else float("nan")
