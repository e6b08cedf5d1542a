"""Claims 20 and 21: how the unconditional distance grows with the scale (nrCG, figures 6, 8b)."""

import math
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import NamedTuple

from guidebench.base.cells import Cell
from guidebench.report.claims.intervals import all_above
from guidebench.report.claims.kinds import Kind, one_of_each, setup_of, setups_of, which
from guidebench.report.claims.verdicts import (
    Interval,
    Outcome,
    Unmeasured,
    Values,
    contrast,
    measured,
    unbroken,
)
from guidebench.report.tables import EVALUATION, SELECTION, Tables
from guidebench.report.words import number

LEVEL = 0.5  # of the rise before it, which a level step changes by at most
Weights = dict[Cell, float]  # a sum of distances


def _decades(first: Cell, last: Cell) -> float:
    return math.log10(_scale(last) / _scale(first))


def _scale(cell: Cell) -> float:
    assert cell.scale is not None, "`_guided` keeps cells with a scale"
    return cell.scale


def _guided(tables: Tables, dataset: str, setup: str, least: int) -> tuple[list[Cell], str]:
    """The setup's unbroken cells with a scale above 0, ascending, and a sentence on the others."""
    cells, on_broken = unbroken(tables, dataset, setup, least)
    cells = [cell for cell in cells if cell.scale]
    if len(cells) < least:
        raise Unmeasured(f"not measured: {setup} has {len(cells)} scales above 0, {least} needed")
    return cells, on_broken


class Rise(NamedTuple):
    """The ends of a setup's unbroken scales, between which a distance rises."""

    first: Cell
    last: Cell

    def per(self, width: float) -> Weights:
        """The rise divided by a width."""
        return {self.last: 1 / width, self.first: -1 / width}

    @property
    def per_unit(self) -> Weights:
        """The rise for each 1 that the scale grows by."""
        return self.per(_scale(self.last) - _scale(self.first))

    @property
    def per_decade(self) -> Weights:
        """The rise for each factor of ten of the scale."""
        return self.per(_decades(self.first, self.last))

    def __str__(self) -> str:
        return f"{self.first.setup} ({self.first.scale:g} to {self.last.scale:g})"


def _sum(tables: Tables, dataset: str, metric: str, weights: Weights, tests: int = 1) -> Interval:
    terms = [(factor, cell, metric) for cell, factor in weights.items()]
    return contrast(tables, dataset, terms, tests)


def _minus(first: Weights, second: Weights) -> Weights:
    return {
        cell: first.get(cell, 0.0) - second.get(cell, 0.0) for cell in dict.fromkeys(first | second)
    }


def adam_rises_faster(
    tables: Tables, dataset: str, with_adam: Kind, stabilized: Kind, noise_trained: Kind
) -> Outcome:
    """Claim 20: the distance rises faster with ADAM's scale than with any other's."""
    metric = tables.distance(dataset, "fd")
    adam, adams = setup_of(tables, dataset, with_adam), setups_of(tables, dataset, with_adam)
    others = [
        setup_of(tables, dataset, noise_trained),
        *(name for name in one_of_each(tables, dataset, stabilized) if name not in adams),
    ]
    rises: dict[str, Rise] = {}
    sentences = []
    for setup in (adam, *others):
        cells, on_broken = _guided(tables, dataset, setup, least=2)
        rises[setup] = Rise(cells[0], cells[-1])
        sentences.append(on_broken)
    own = rises.pop(adam)
    faster: list[Callable[[int], Interval]] = []
    values: Values = {}
    said = []
    for setup, other in rises.items():
        apart = _minus(own.per_unit, other.per_unit)
        faster.append(partial(_sum, tables, dataset, metric, apart))
        by_one = faster[-1](1)
        by_ten = _sum(tables, dataset, metric, _minus(own.per_decade, other.per_decade))
        values |= by_one.values(f"{metric} rise a unit of scale, {adam} minus {setup}")
        values |= by_ten.values(f"{metric} rise a factor of ten of the scale, {adam} minus {setup}")
        said.append(f"than {other}: {by_one} a unit of scale, {by_ten} a factor of ten")
    return Outcome(
        all_above(faster),
        values,
        f"{metric} rises faster with {own} {'; '.join(said)}. Where the second is not above 0, the "
        f"first is a change of units.{''.join(sentences)}"
        f"{which(tables, dataset, with_adam, noise_trained)}",
    )


class Step(NamedTuple):
    """From one scale to the next, in a setup that begins as unguided and goes on to its largest."""

    unguided: Cell
    start: Cell
    end: Cell
    largest: Cell

    @property
    def conditions(self) -> dict[str, Weights]:
        """What is above 0 where the distance rose, is level in this step, and rises after it."""
        change = {self.end: 1.0, self.start: -1.0}
        room = {self.start: LEVEL, self.unguided: -LEVEL}
        after = {self.largest: 1.0, self.end: -1.0}
        share = _decades(self.start, self.end) / _decades(self.end, self.largest)
        return {
            "half of the rise before, minus the change": _minus(room, change),
            "half of the rise before, plus the change": {
                self.start: LEVEL - 1,
                self.unguided: -LEVEL,
                self.end: 1.0,
            },
            "rise after": after,
            "rise after, at the step's width, minus the change": _minus(
                {cell: share * factor for cell, factor in after.items()}, change
            ),
        }


def _level_step(tables: Tables, dataset: str, setup: str, metric: str) -> tuple[Step, str]:
    """The step whose least condition is highest on selection seeds, by the metric's chooser."""
    cells, on_broken = _guided(tables, dataset, setup, least=3)
    chooser, unguided = tables.chooser(dataset, metric), tables.unguided(dataset, setup)
    levels = {
        cell: measured(tables, dataset, cell, chooser, SELECTION).value
        for cell in (unguided, *cells)
    }

    def least(step: Step) -> float:
        return min(
            sum(factor * levels[cell] for cell, factor in weights.items())
            for weights in step.conditions.values()
        )

    steps = [Step(unguided, start, end, cells[-1]) for start, end in pairwise(cells[:-1])]
    return max(steps, key=least), on_broken


def levels_off(tables: Tables, dataset: str, x0: Kind, ema: Kind) -> Outcome:
    """Claim 21: the distance rises, is level over a step of scales, and then rises again."""
    metric = tables.distance(dataset, "fd")
    compared: list[Callable[[int], Interval]] = []
    values: Values = {}
    sentences = []
    for setup in [setup_of(tables, dataset, x0), *one_of_each(tables, dataset, ema)]:
        step, on_broken = _level_step(tables, dataset, setup, metric)
        values |= {f"{setup}: from scale": step.start.scale, f"{setup}: to scale": step.end.scale}
        for title, weights in step.conditions.items():
            compared.append(partial(_sum, tables, dataset, metric, weights))
            values |= compared[-1](1).values(f"{setup}: {title}")
        base = tables.against(dataset, setup)
        shown = [number(measured(tables, dataset, cell, metric, EVALUATION).value) for cell in step]
        sentences.append(
            f"{setup}: {metric} is {shown[0]} {base}, {shown[1]} and {shown[2]} at scales "
            f"{step.start.scale:g} and {step.end.scale:g}, {shown[3]} at {step.largest.scale:g}."
            f"{on_broken}"
        )
    return Outcome(
        all_above(compared), values, f"{' '.join(sentences)}{which(tables, dataset, x0)}"
    )
