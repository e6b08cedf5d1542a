"""How a verdict is reached: intervals, and what is said when something was not measured."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from guidebench.report.tables import BROKEN, Cell, Measure, Tables
from guidebench.report.words import number

HOLDS, FAILS, UNDECIDED = "holds", "does not hold", "undecided"
CONFIDENCE = 0.95
# of images; their errors have a least
SHARES = ("accuracy", "diverged")


class Unmeasured(Exception):
    """What a claim needs is not in the tables; the message says what."""


class Outcome(NamedTuple):
    """A verdict, the numbers it rests on, and one sentence that says why."""

    verdict: str
    values: Mapping[str, float | None]
    reason: str


class Interval(NamedTuple):
    """An estimate with its 95 % confidence interval."""

    estimate: float
    low: float
    high: float

    @property
    def positive(self) -> bool:
        """Entirely above 0."""
        return self.low > 0

    @property
    def negative(self) -> bool:
        """Entirely below 0."""
        return self.high < 0

    def values(self, name: str) -> dict[str, float | None]:
        """The three numbers under readable keys."""
        return {name: self.estimate, f"{name}, low": self.low, f"{name}, high": self.high}

    def __str__(self) -> str:
        return f"{number(self.estimate)} [{number(self.low)}, {number(self.high)}]"


def quantile(degrees: int, tests: int = 1) -> float:
    """Student's t quantile of a two-sided 95 % interval; of `tests` together (Bonferroni)."""
    return float(stats.t.ppf(1 - (1 - CONFIDENCE) / 2 / tests, degrees))


def mean(values: np.ndarray, minus: float = 0.0, error: float = 0.0, tests: int = 1) -> Interval:
    """Mean over images with Student's interval; `minus` is taken off, `error` its standard error.

    One of `tests` intervals that hold together. Raises Unmeasured with fewer than two images.
    """
    values = values[np.isfinite(values)]
    if len(values) < 2:
        raise Unmeasured(f"not measured: {len(values)} paired images, at least 2 are needed")
    estimate = float(values.mean()) - minus
    own = float(values.std(ddof=1)) / len(values) ** 0.5
    half = quantile(len(values) - 1, tests) * math.hypot(own, error)
    return Interval(estimate, estimate - half, estimate + half)


def spread(difference: pd.Series) -> float:
    """Jackknife standard error from values with one of K blocks left out each."""
    k = len(difference)
    return float(np.sqrt((k - 1) / k * ((difference - difference.mean()) ** 2).sum()))


def least(n: int) -> float:
    """Agresti and Coull's standard error of a share that none of n has: blocks that agree say 0."""
    return math.sqrt(2 * (n + 2) / (n + 4) ** 3)


def difference(
    tables: Tables,
    dataset: str,
    first: tuple[Cell, str],
    second: tuple[Cell, str],
    tests: int = 1,
) -> Interval:
    """`first` minus `second`, each (cell, metric) on evaluation seeds, by the paired jackknife.

    Of corrected values. Both have the same seeds, and the same reference: each replicate leaves
    the same ones out of both. One of `tests` intervals that hold together. Raises Unmeasured when
    a value or its blocks are missing, or when the images are too few for the correction.
    """
    values = [measured(tables, dataset, cell, metric) for cell, metric in (first, second)]
    if few := [value for value in values if value.few]:
        raise Unmeasured(f"not measured: {first[1]} of {few[0].n} images and a reference of "
                         f"{few[0].reference_n} has no interval: fewer than its {few[0].features} "
                         "features")  # fmt: skip
    left_out = tables.left_out(dataset, *first) - tables.left_out(dataset, *second)
    if len(left_out) < 2 or not np.isfinite(left_out).all():
        raise Unmeasured(f"not measured: no jackknife blocks of {name(first[0])} and "
                         f"{name(second[0])} for {first[1]}")  # fmt: skip
    reference = (tables.reference_left_out(dataset, *first)
                 - tables.reference_left_out(dataset, *second)).dropna()  # fmt: skip
    parts = [left_out, reference] if len(reference) else [left_out]
    estimate = values[0].value - values[1].value
    error = math.hypot(*map(spread, parts))
    if first[1].startswith(SHARES):
        error = max(error, least(values[0].n))
    half = quantile(min(map(len, parts)) - 1, tests) * error
    return Interval(estimate, estimate - half, estimate + half)


def by_sign(intervals: Sequence[Interval]) -> str:
    """Holds when every interval is above 0, does not hold when any is below 0."""
    if any(interval.negative for interval in intervals):
        return FAILS
    return HOLDS if all(interval.positive for interval in intervals) else UNDECIDED


def against(interval: Interval, limit: float) -> str:
    """Holds when all of the interval is at or above `limit`, does not when all is below."""
    if interval.high < limit:
        return FAILS
    return HOLDS if interval.low >= limit else UNDECIDED


def name(cell: Cell) -> str:
    """`clean/x0 at scale 3`; the setup alone where there is no scale."""
    return cell.setup if np.isnan(cell.scale) else f"{cell.setup} at scale {cell.scale:g}"


def require(tables: Tables, dataset: str, *setups: str) -> None:
    """Raise Unmeasured if one of the setups is not in the data set's config."""
    for setup in setups:
        if setup not in tables.facts(dataset)["setups"]:
            raise Unmeasured(f"not measured: setup {setup} is not in this data set's config")


def scales(tables: Tables, dataset: str, setup: str, least: int = 1) -> list[Cell]:
    """The setup at each scale of the config, ascending."""
    require(tables, dataset, setup)
    grid = sorted(tables.facts(dataset)["setups"][setup]["scales"])
    if len(grid) < least:
        raise Unmeasured(f"not measured: {setup} has {len(grid)} scales, {least} are needed")
    return [Cell(setup, float(scale)) for scale in grid]


def measured(
    tables: Tables, dataset: str, cell: Cell, metric: str, split: str = "evaluation"
) -> Measure:
    """The value of a cell; Unmeasured when there is none, it is not finite, or the cell broke."""
    found = tables.measure(dataset, cell, metric, split)
    if not metric.startswith(SHARES) and cell.scale in tables.broken(dataset, cell.setup, split):
        raise Unmeasured(f"not measured: {name(cell)} is broken, more than {100 * BROKEN:g} % of "
                         f"its images diverged ({split})")  # fmt: skip
    if found is None:
        raise Unmeasured(f"not measured: {metric} of {name(cell)} has no finite value ({split})")
    return found


def selected(tables: Tables, dataset: str, setup: str, metric: str) -> Cell:
    """The setup at the scale with the lowest `metric` on selection seeds; else Unmeasured."""
    require(tables, dataset, setup)
    cell = tables.best(dataset, setup, metric)
    if cell is None:
        raise Unmeasured(
            f"not measured: {metric} of {setup} has no finite value on selection seeds"
        )
    return cell


def along(
    tables: Tables, dataset: str, quantity: str, classifier: str, source: str, stabilizer: str
) -> pd.DataFrame:
    """Every image's curve along the forward process [t, image]; Unmeasured when it is empty."""
    rows = tables.along(dataset, quantity, classifier, source, stabilizer)
    found = pd.DataFrame(list(rows["values"]), index=rows.t)
    found = found.replace([np.inf, -np.inf], np.nan).dropna()
    if found.empty:
        stabilised = "" if stabilizer == "none" else f"+{stabilizer}"
        raise Unmeasured(f"not measured: no {quantity} of {classifier}/{source}{stabilised} "
                         "in this data set's config")  # fmt: skip
    return found


def rank_correlation(x: Sequence[float] | pd.Series, y: Sequence[float] | pd.Series) -> float:
    """Spearman's correlation; Unmeasured with fewer than 3 points or a constant."""
    if len(x) < 3 or len(set(y)) < 2:
        raise Unmeasured(f"not measured: {len(x)} points give no rank correlation")
    return float(stats.spearmanr(x, y).statistic)
