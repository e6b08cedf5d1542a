"""Density and coverage: precision and recall that one odd reference image hardly changes.

>>> real = Neighbourhoods(np.arange(12.0)[:, None])  # the fifth neighbour of 6 is 3 away, of 0: 5
>>> density, coverage = real.measures(np.array([[6.0], [99.0]]), np.zeros(2, int), blocks=1)
>>> round(density.raw, 3), round(coverage.raw, 3)
(0.9, 0.75)
"""

from collections.abc import Iterator

import numpy as np
from scipy.spatial.distance import cdist

from guidebench.metrics.variety import LARGEST, Variety, share
from guidebench.pipeline.errors import UserError

K = 5  # the authors' (Naeem et al. 2020, section 4)


class Neighbourhoods:
    """Real features [m, d], each with its distance to its K-th other one.

    Of the first LARGEST rows. UserError where m is at most K. A neighbourhood holds its border, as
    that of precision and recall.
    """

    def __init__(self, real: np.ndarray) -> None:
        if len(real) <= K:
            raise UserError(
                f"density and coverage: found {len(real)} reference images, allowed: "
                f"at least {K + 1}"
            )
        self.real = real[:LARGEST].astype(np.float64)
        # a row itself is its 0th neighbour
        self.radii = np.partition(cdist(self.real, self.real), K, axis=1)[:, K]

    def measures(self, features: np.ndarray, block: np.ndarray, blocks: int) -> Iterator[Variety]:
        """Density and coverage of features [n, d] (Naeem et al. 2020, eq. 4 and 5).

        With replicates without each jackknife block [n] of rows; of the first LARGEST rows.

        Density: the mean number of neighbourhoods that an image lies in, over K; in [0, m / K],
        larger is better, near 1 of images as the real ones; unbiased for this reference. Coverage:
        the share of neighbourhoods with an image in them; in [0, 1], larger is better. It has no
        limit in n: of images as the real ones it is on average 1 - prod((m - i) / (n + m - i)),
        i = 1 .. K, so only equal n and m compare; its error is that around this mean, and at least
        `base.jackknife.agresti_coull(0, m)`. NaN of no rows.
        """
        features, block = features[:LARGEST].astype(np.float64), block[:LARGEST]
        count = len(features)
        density, nearest = np.empty(count), np.full((len(self.real), blocks), np.inf)
        for number in range(blocks):
            rows = block == number
            distances = cdist(self.real, features[rows])
            density[rows] = (distances <= self.radii[:, None]).sum(axis=0) / K
            nearest[:, number] = distances.min(axis=1, initial=np.inf)
        kept = [block != number for number in range(blocks)]
        without = [share(density[rows]) for rows in kept]
        yield Variety("density", share(density), count, np.array(without))
        inside = nearest <= self.radii[:, None]
        covered = [
            float(np.delete(inside, number, axis=1).any(axis=1).mean()) if rows.any() else np.nan
            for number, rows in enumerate(kept)
        ]
        whole = float(inside.any(axis=1).mean()) if count else float("nan")
        yield Variety("coverage", whole, count, np.array(covered))
