"""Errors and biases of numbers that are of a set of images, by leaving out blocks of them."""

from __future__ import annotations

import math

import numpy as np

SEED = 0


def blocked(count: int, blocks: int) -> np.ndarray:
    """The block [count] of each of `count` seeds, in their order: the same in every cell."""
    return np.arange(count) * blocks // count


def scattered(count: int, blocks: int) -> np.ndarray:
    """The block [count] of each of `count` reference images, whatever their order in a file."""
    return np.random.Generator(np.random.Philox(SEED)).permutation(count) % blocks


def corrected(raw: float, *replicates: np.ndarray) -> float:
    """`raw` less its bias of order 1/n: K raw - (K - 1) mean (Quenouille 1956).

    `replicates` [K]: with one block left out each, of the images, and of the reference if it is
    a sample, too.
    """
    return raw + sum((len(one) - 1) * (raw - float(one.mean())) for one in replicates)


def standard_error(*replicates: np.ndarray) -> float:
    """Jackknife standard error from K leave-one-block-out replicates (Efron & Stein 1981).

    Of several sets that are drawn independently, as images and reference are: in quadrature.
    """
    return math.sqrt(
        sum(
            (len(one) - 1) / len(one) * float(((one - one.mean()) ** 2).sum()) for one in replicates
        )
    )


def agresti_coull(hits: float, count: int) -> float:
    """Standard error of a share (1998): it is not zero when all or none of `count` hit."""
    adjusted = (hits + 2) / (count + 4)
    return math.sqrt(adjusted * (1 - adjusted) / (count + 4))


def hit_share(hits: np.ndarray, blocks: int) -> tuple[float, float, np.ndarray]:
    """(share, Agresti and Coull's error, jackknife replicates) of a 0/1 vector."""
    hits = hits.astype(np.float64)
    count = len(hits)
    error = agresti_coull(float(hits.sum()), count)
    block = blocked(count, blocks)
    replicates = [hits[block != number].mean() for number in range(blocks)]
    return float(hits.mean()), error, np.array(replicates)
