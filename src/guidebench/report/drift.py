"""Attribute drift: does guidance change what it was not asked to, seed by seed?"""

import math
from typing import NamedTuple

import numpy as np

from guidebench.base.cells import Cell
from guidebench.report.claims.intervals import mean
from guidebench.report.claims.verdicts import Interval, Unmeasured
from guidebench.report.tables import Tables

# of the test: permutations at a time, how many times at least, and its pairs at most
SWAPS, ROUNDS, PAIRS = 500, 10, 2000
SEED = 0
CLEAR = 0.05  # of the distances: the chance that any of them looks like a drift where none is


class Drift(NamedTuple):
    """Of one attribute, guided against unguided samples of the same seeds."""

    moved: float  # mean |difference| of a pair
    shift: Interval  # mean difference
    distance: float  # between the two distributions: 1-Wasserstein
    n: int


def errors(tables: Tables, dataset: str) -> dict[str, float]:
    """What was read of a data set's images: attribute -> root mean square error, held-out."""
    found = tables.attributes[tables.attributes.dataset == dataset]
    return dict(zip(found.attribute, found.error, strict=True))


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


def paired(guided: np.ndarray, plain: np.ndarray) -> np.ndarray:
    """Values [n] and those of the same seeds [n] as whole pairs [2, m]; Unmeasured with m < 2."""
    if len(guided) != len(plain):
        raise Unmeasured("not measured: no unguided images of the same seeds")
    pairs = np.stack((guided, plain))
    pairs = pairs[:, np.isfinite(pairs).all(axis=0)]
    if pairs.shape[1] < 2:
        raise Unmeasured(f"not measured: {pairs.shape[1]} whole pairs, at least 2 are needed")
    return pairs


def compared(pairs: np.ndarray, tests: int = 1) -> Drift:
    """The drift of `paired` values [2, n]; its interval is one of `tests` that hold together."""
    guided, plain = pairs
    return Drift(
        float(abs(guided - plain).mean()),
        mean(guided - plain, tests=tests),
        float(_wasserstein(guided, plain)),
        len(guided),
    )


def chance(pairs: np.ndarray, tests: int = 1) -> float:
    """Chance (p) of the distance of `paired` values [2, n], or more, if guidance does nothing.

    Of a permutation test: where guidance does nothing, the two values of a pair may as well be
    swapped. `tests` times the smallest p that it can find is at most half of CLEAR.
    """
    pair = pairs[:, :PAIRS]
    observed = float(_wasserstein(*pair))
    generator = np.random.Generator(np.random.Philox(SEED))
    most = SWAPS * max(ROUNDS, math.ceil(2 * tests / CLEAR / SWAPS))
    drawn = reached = 0
    # what cannot end below CLEAR any more stops after the first rounds, so it never is by stopping
    while drawn < most and (drawn < ROUNDS * SWAPS or (1 + reached) * tests < CLEAR * (1 + most)):
        swapped = generator.random((SWAPS, pair.shape[1])) < 0.5
        both = np.where(swapped, *pair), np.where(swapped, *pair[::-1])
        reached += int((_wasserstein(*both) >= observed - 1e-12).sum())
        drawn += SWAPS
    return (1 + reached) / (1 + drawn)


def _wasserstein(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """1-Wasserstein distances [...] of pairs of samples [..., n] of one size."""
    distance: np.ndarray = abs(np.sort(first) - np.sort(second)).mean(axis=-1)
    return distance


def cells(tables: Tables, dataset: str) -> list[Cell]:
    """Guided setups at their selected scale."""
    chosen = [tables.best(dataset, setup) for setup in tables.guided(dataset)]
    return [cell for cell in chosen if cell]
