"""Attribute drift: does guidance change what it was not asked to, seed by seed?"""

from typing import NamedTuple

import numpy as np

from guidebench.base.cells import Cell
from guidebench.report.claims.verdicts import Interval, Unmeasured, mean
from guidebench.report.tables import Tables

# of the test: permutations at a time, how many times, and the pairs that it is made on at most
SWAPS, ROUNDS, PAIRS = 500, 10, 2000
SEED = 0


class Drift(NamedTuple):
    """Of one attribute, guided against unguided samples of the same seeds."""

    moved: float  # mean |difference| of a pair
    shift: Interval  # mean difference
    distance: float  # between the two distributions: 1-Wasserstein
    chance: float  # p of that distance, or more, if guidance did nothing to the distribution
    n: int


def unit(attribute: str) -> str:
    """What an attribute is counted in, as its heads and axes end; a cosine in nothing."""
    return "" if "turn" in attribute else ", px"


def values(tables: Tables, dataset: str, cell: Cell, attribute: str) -> np.ndarray:
    """What was read off a cell's images [n], NaN where they diverged; empty where nothing was."""
    table = tables.attributes
    keep = (table.dataset == dataset) & (table.setup == cell.setup)
    keep &= table.scale.isna() if cell.scale is None else table.scale == cell.scale
    rows = table[keep & (table.attribute == attribute)]
    return np.asarray(rows["values"].iloc[0], float) if len(rows) else np.empty(0)


def compared(guided: np.ndarray, plain: np.ndarray, tests: int = 1) -> Drift:
    """The drift of values [n] against those of the same seeds [n]; one of `tests` together.

    The distance's chance is that of a permutation test: where guidance does nothing, the two
    values of a pair may as well be swapped. Raises Unmeasured with fewer than two whole pairs.
    """
    if len(guided) != len(plain):
        raise Unmeasured("not measured: no unguided images of the same seeds")
    whole = np.isfinite(guided) & np.isfinite(plain)
    guided, plain = guided[whole], plain[whole]
    shift = mean(guided - plain, tests=tests)
    pair = np.stack((guided, plain))[:, :PAIRS]
    observed = float(_wasserstein(*pair))
    generator = np.random.Generator(np.random.Philox(SEED))
    reached = 0
    for _ in range(ROUNDS):
        swapped = generator.random((SWAPS, pair.shape[1])) < 0.5
        both = np.where(swapped, *pair), np.where(swapped, *pair[::-1])
        reached += int((_wasserstein(*both) >= observed - 1e-12).sum())
    return Drift(
        float(abs(guided - plain).mean()),
        shift,
        float(_wasserstein(guided, plain)),
        (1 + reached) / (1 + ROUNDS * SWAPS),
        len(guided),
    )


def _wasserstein(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """1-Wasserstein distances [...] of pairs of samples [..., n] of one size."""
    distance: np.ndarray = abs(np.sort(first) - np.sort(second)).mean(axis=-1)
    return distance


def cells(tables: Tables, dataset: str) -> list[Cell]:
    """Guided setups at their selected scale."""
    chosen = [tables.best(dataset, setup) for setup in tables.guided(dataset)]
    return [cell for cell in chosen if cell]
