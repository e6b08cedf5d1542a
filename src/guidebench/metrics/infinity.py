"""FD-infinity: the Fréchet distance of infinitely many images, by extrapolation.

>>> real = np.random.Generator(np.random.Philox(0)).normal(size=(4000, 8))
>>> reference = Fitted(real[:2000], np.zeros(2000, int), blocks=1)
>>> raw, found = reference.distance(moments(real[3700:])), fd_infinity(reference, real[3700:])
>>> print(f"of 300 images {raw:.2f}, of infinitely many {found:.2f}")
of 300 images 0.10, of infinitely many 0.03
"""

import numpy as np

from guidebench.base.jackknife import scattered
from guidebench.metrics.frechet import Fitted, moments


def fd_infinity(reference: Fitted, features: np.ndarray, parts: int = 3) -> float:
    """Where a line in 1 / size meets 0, of distances of n / j images (Chong & Forsyth 2020).

    Of features [n, d]; j = 1 .. `parts`, 2 or more. The paper draws one subset of each of 15 sizes;
    here each size n / j is the mean over j parts of all images, which scatters less and is always
    the same. In (-inf, inf), smaller is better. It takes off the bias of order 1/n in images and
    leaves that in reference images, as in the paper; needs n / `parts` well above d. It has no
    standard error of its own, as sizes share their images. NaN where a part has fewer than two.
    """
    counts, values = np.arange(1, parts + 1), []
    for count in counts:
        part = scattered(len(features), int(count))
        distances = [reference.distance(moments(features[part == k])) for k in range(int(count))]
        values.append(np.mean(distances))
    return float(np.polyfit(counts / max(1, len(features)), values, 1)[1])
