"""The Fréchet distance with its replicates, in the cheaper of two forms: of features, or of images.

>>> features = np.random.Generator(np.random.Philox(0)).normal(size=(9, 400))
>>> reference = Fitted(features, np.arange(9) % 3, blocks=3)
>>> found = distance(features + 0.5, np.arange(9) % 3, 3, reference)  # a shift alone: 400 / 4
>>> round(found.raw, 6), found.replicates.shape
(100.0, (3,))
"""

import numpy as np

from guidebench.metrics.frechet import Fitted, least_error
from guidebench.metrics.gram import Few, Many, left_out
from guidebench.metrics.reference import Distance


def distance(features: np.ndarray, block: np.ndarray, blocks: int, reference: Fitted) -> Distance:
    """Of features [n, d] with jackknife blocks [n], and of the reference's own: `Fitted.distance`.

    In [0, inf), smaller is better. Below d images the matrices are [n, n], which takes seconds
    where d^3 takes minutes; equal to the other form within 1e-6 (relative). n and m are above
    1. `least`: of both samples, or of the images alone where `reference` has no blocks.
    """
    own = Fitted(features, block, blocks)
    if own.whole.size > features.shape[1]:
        raw = reference.distance(own.whole)
        of_seeds = reference.distances(own.without)
        of_reference = own.distances(reference.without)
    else:
        few, other = Few(features), Many(reference.whole)
        raw, of_seeds = few.distance(other), left_out(features, block, blocks, other)
        of_reference = few.distances([Many(without) for without in reference.without])
    samples = [own.whole, reference.whole][: 2 if reference.without else 1]
    return Distance(raw, least_error(*samples), of_seeds, of_reference)
