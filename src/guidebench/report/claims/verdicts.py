"""How a verdict is reached: intervals, paired differences, and values that count."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from guidebench.base.cells import Cell
from guidebench.base.jackknife import agresti_coull, standard_error
from guidebench.report.metrics import METRICS, exact_share
from guidebench.report.tables import BROKEN, EVALUATION, SELECTION, Measure, Tables
from guidebench.report.words import number, plural

HOLDS, FAILS, UNDECIDED = "holds", "does not hold", "undecided"
UNMEASURED = "not measured"
CONFIDENCE = 0.95


class Unmeasured(Exception):
    """A number that a claim needs is not in the tables, or does not count; the message says why."""


class Undecided(Exception):
    """All was measured, and what a claim asks about does not occur; the message says why."""


def sentence(error: Unmeasured | Undecided) -> str:
    """What it says, as a sentence of a reason."""
    said = str(error)
    return f"{said[:1].upper()}{said[1:]}."


Values = dict[str, float | None]  # what a verdict rests on, under readable keys


class Outcome(NamedTuple):
    """A verdict, the numbers it rests on, and one sentence that says why."""

    verdict: str
    values: Values
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

    def values(self, name: str) -> Values:
        """The three numbers under readable keys."""
        return {name: self.estimate, f"{name}, low": self.low, f"{name}, high": self.high}

    def __str__(self) -> str:
        return f"{number(self.estimate)} [{number(self.low)}, {number(self.high)}]"


def times(interval: Interval, factor: float) -> Interval:
    """The interval in other units; `factor` > 0."""
    return Interval(*(factor * end for end in interval))


def quantile(degrees: int, tests: int = 1) -> float:
    """Student's t quantile of a two-sided 95 % interval; of `tests` together (Bonferroni)."""
    return float(stats.t.ppf(1 - (1 - CONFIDENCE) / 2 / tests, degrees))


def share_of(metric: str, measure: Measure) -> int:
    """How many images `metric` is a share of; 0 where it is none."""
    if exact_share(metric):
        return measure.n
    of = METRICS[metric].share_of if metric in METRICS else ""
    return {"samples": measure.n, "real images": measure.reference_n, "": 0}[of]


def contrast(
    tables: Tables, dataset: str, terms: Sequence[tuple[float, Cell, str]], tests: int = 1
) -> Interval:
    """Sum of metrics, each (factor, cell, metric) on evaluation seeds, by the paired jackknife.

    Of corrected values, of the same seeds (`Tables.pairing`) and the same reference: each replicate
    leaves the same ones out of all. One of `tests` intervals that hold together. Raises Unmeasured
    when a value or its blocks are missing, or when the images are too few for the correction.
    """
    split = tables.pairing(dataset, [cell for _, cell, _ in terms])
    values = [measured(tables, dataset, cell, metric, split[cell]) for _, cell, metric in terms]
    first = terms[0][2]
    if few := [value for value in values if value.few]:
        raise Unmeasured(
            f"not measured: {first} of {few[0].n} images and a reference of "
            f"{few[0].reference_n} has no interval: fewer than its {few[0].features} "
            "features"
        )
    seeds, reference = (
        pd.concat(
            [
                factor * left_out(dataset, cell, metric, split[cell])
                for factor, cell, metric in terms
            ],
            axis=1,
        )
        .sum(axis=1, skipna=False)
        .to_numpy(float)
        for left_out in (tables.left_out, tables.reference_left_out)
    )
    if len(seeds) < 2 or not np.isfinite(seeds).all():
        cells = " and ".join(dict.fromkeys(name(cell) for _, cell, _ in terms))
        raise Unmeasured(f"not measured: no jackknife blocks of {cells} for {first}")
    reference = reference[~np.isnan(reference)]
    replicates = [seeds, reference] if len(reference) else [seeds]
    estimate = sum(factor * value.value for (factor, *_), value in zip(terms, values, strict=True))
    error = standard_error(*replicates)
    if count := share_of(first, values[0]):  # blocks that agree would say 0
        error = max(error, agresti_coull(0, count))
    half = quantile(min(map(len, replicates)) - 1, tests) * error
    return Interval(estimate, estimate - half, estimate + half)


def difference(
    tables: Tables,
    dataset: str,
    first: tuple[Cell, str],
    second: tuple[Cell, str],
    tests: int = 1,
) -> Interval:
    """`first` minus `second`, each (cell, metric), as `contrast` has it."""
    return contrast(tables, dataset, [(1, *first), (-1, *second)], tests)


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
    return cell.setup if cell.scale is None else f"{cell.setup} at scale {cell.scale:g}"


def scales(tables: Tables, dataset: str, setup: str, least: int = 1) -> list[Cell]:
    """The setup at each scale of the config, ascending."""
    ascending = sorted(tables.facts(dataset)["setups"][setup]["scales"])
    if len(ascending) < least:
        raise Unmeasured(
            f"not measured: {setup} has {plural(len(ascending), 'scale')}, {least} are needed"
        )
    return [Cell(setup, float(scale)) for scale in ascending]


class Unbroken(NamedTuple):
    """A setup's cells that did not break, ascending by scale, and a sentence on those that did."""

    cells: list[Cell]
    on_broken: str


def unbroken(
    tables: Tables, dataset: str, setup: str, least: int = 1, split: str = EVALUATION
) -> Unbroken:
    """`scales` without those that broke: what is chosen from, or compared at the ends."""
    cells, broken = scales(tables, dataset, setup, least), tables.broken(dataset, setup, split)
    kept = [cell for cell in cells if cell.scale not in broken]
    if len(kept) < least:
        raise Unmeasured(
            f"not measured: {len(kept)} of {plural(len(cells), 'scale')} of {setup} are not "
            f"broken, {least} are needed"
        )
    if len(kept) == len(cells):
        return Unbroken(kept, "")
    gone = [f"{cell.scale:g}" for cell in cells if cell not in kept]
    ends = [
        f"; the {end} unbroken is {kept[at].scale:g}"
        for end, at in (("smallest", 0), ("largest", -1))
        if kept and kept[at] != cells[at]
    ]
    on = " on selection seeds" if split == SELECTION else ""
    verb = "scales {} are" if gone[1:] else "scale {} is"
    return Unbroken(kept, f" Of {setup} {verb.format(', '.join(gone))} broken{on}{''.join(ends)}.")


def measured(
    tables: Tables, dataset: str, cell: Cell, metric: str, split: str = EVALUATION
) -> Measure:
    """The value of a cell; Unmeasured when there is none, it is not finite, or the cell broke."""
    value = tables.measure(dataset, cell, metric, split)
    if not exact_share(metric) and tables.is_broken(dataset, cell, split):
        raise Unmeasured(
            f"not measured: {name(cell)} is broken, more than {100 * BROKEN:g} % of "
            f"its images diverged ({split})"
        )
    if value is None:
        raise Unmeasured(f"not measured: {metric} of {name(cell)} has no finite value ({split})")
    return value


def rank_correlation(x: Sequence[float] | pd.Series, y: Sequence[float] | pd.Series) -> float:
    """Spearman's correlation; Unmeasured with fewer than 3 points, Undecided with a constant."""
    if len(x) < 3:
        raise Unmeasured(f"not measured: no rank correlation from {plural(len(x), 'point')}")
    if len(set(y)) < 2:
        raise Undecided(f"all {len(x)} values are equal, so they have no rank correlation")
    return float(stats.spearmanr(x, y).statistic)
