"""Errors and biases of numbers that are measured on a set of images, by leaving out blocks of it.

A jackknife block is one of K groups of images or seeds; a replicate is the number without one
block. docs/statistics.md measures what errors and corrected values are worth.
"""

import math

import numpy as np

SEED = 0


def blocked(count: int, blocks: int) -> np.ndarray:
    """The jackknife block [count] of each of `count` seeds in their order, the same in every cell.

    >>> blocked(5, 2).tolist()
    [0, 0, 0, 1, 1]
    """
    return np.arange(count) * blocks // count


def scattered(count: int, blocks: int) -> np.ndarray:
    """The jackknife block [count] of each of `count` reference images, at random.

    In the order of their file, which may be by class, a block could lack some classes.
    """
    return np.random.Generator(np.random.Philox(SEED)).permutation(count) % blocks


def corrected(raw: float, *replicates: np.ndarray) -> float:
    """`raw` less its bias of order 1/n: K raw - (K - 1) mean (Quenouille 1956).

    `replicates` [K]: of the images, and of the reference if that is a sample, too.

    >>> sample = np.array([1.0, 2.0, 6.0])
    >>> raw, without = sample.var(), np.array([np.delete(sample, k).var() for k in range(3)])
    >>> print(round(corrected(raw, without), 6), sample.var(ddof=1))
    7.0 7.0
    """
    return raw + sum((len(values) - 1) * (raw - float(values.mean())) for values in replicates)


def standard_error(*replicates: np.ndarray) -> float:
    """Jackknife standard error from replicates [K] (Efron & Stein 1981).

    Of several samples that are drawn independently, as images and reference are: in quadrature.

    >>> standard_error(np.array([1.0, 2.0, 6.0]))  # sqrt(2/3 * 14)
    3.055050463303893
    """
    return math.sqrt(
        sum(
            (len(values) - 1) / len(values) * float(((values - values.mean()) ** 2).sum())
            for values in replicates
        )
    )


def agresti_coull(hits: float, count: int) -> float:
    """Standard error of the share hits / count (Agresti & Coull 1998).

    Not zero where all or none hit; `hits` in [0, count].
    """
    adjusted = (hits + 2) / (count + 4)
    return math.sqrt(adjusted * (1 - adjusted) / (count + 4))


def hit_share(hits: np.ndarray, blocks: int) -> tuple[float, float, np.ndarray]:
    """(share, Agresti and Coull's error, jackknife replicates [blocks]) of a 0/1 vector [n]."""
    hits = hits.astype(np.float64)
    count = len(hits)
    error = agresti_coull(float(hits.sum()), count)
    block = blocked(count, blocks)
    replicates = [hits[block != number].mean() for number in range(blocks)]
    return float(hits.mean()), error, np.array(replicates)
