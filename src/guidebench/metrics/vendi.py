"""Vendi score: how many wholly unlike images a set is worth, from features alone.

>>> print(round(vendi_score(np.eye(4)), 6), round(vendi_score(np.ones((4, 3))), 6))
4.0 1.0
"""

import numpy as np
import scipy.linalg
from scipy.special import entr

from guidebench.metrics.kernel import unit
from guidebench.metrics.variety import Variety


def vendi_score(features: np.ndarray) -> float:
    """The exponential of the entropy of the eigenvalues of K / n (Friedman & Dieng 2023, eq. 1).

    Of features [n, d], with K the cosines between them. In [1, min(n, d)], larger is more varied,
    whether it is like anything real or not: needs no reference. Too small by order 1/n where n is
    above d, which `base.jackknife.corrected` takes off; below, it grows with n without a limit, and
    only equal n compare. NaN of no rows; UserError where a row is 0.
    """
    if len(features) == 0:
        return float("nan")
    rows = unit(features)
    # K / n and the d x d matrix have the same eigenvalues but for 0, which add nothing
    smaller = rows @ rows.T if len(rows) < rows.shape[1] else rows.T @ rows
    values = scipy.linalg.eigvalsh(smaller / len(rows)).clip(min=0)
    return float(np.exp(entr(values).sum()))


def vendi(features: np.ndarray, block: np.ndarray, blocks: int) -> Variety:
    """The Vendi score of features [n, d], and without each jackknife block [n] of rows."""
    without = [vendi_score(features[block != number]) for number in range(blocks)]
    return Variety("vendi", vendi_score(features), len(features), np.array(without))
