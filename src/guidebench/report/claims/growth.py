"""Claims 20 and 21: how the unconditional distance grows with the scale (nrCG, figures 6, 8b)."""

import math
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from itertools import pairwise
from typing import NamedTuple

from guidebench.base.cells import Cell
from guidebench.report.claims.intervals import all_above
from guidebench.report.claims.kinds import Kind, one_of_each, setup_of, setups_of, which
from guidebench.report.claims.missing import kept, not_measured
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
from guidebench.report.words import MISSING, number, plural

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
        raise Unmeasured(
            f"not measured: {setup} has {plural(len(cells), 'scale')} above 0, {least} needed"
        )
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


def _rise(tables: Tables, dataset: str, setup: str) -> tuple[Rise, str]:
    """From the setup's smallest to its largest scale, and a sentence on those that broke."""
    cells, on_broken = _guided(tables, dataset, setup, least=2)
    return Rise(cells[0], cells[-1]), on_broken


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
    missing: list[Unmeasured] = []
    others: list[str] = []
    with kept(missing):
        others.append(setup_of(tables, dataset, noise_trained))
    others += [name for name in one_of_each(tables, dataset, stabilized) if name not in adams]
    own, on_broken = _rise(tables, dataset, adam)
    faster: list[Callable[[int], Interval]] = []
    values: Values = {}
    sentences, said = [on_broken], []
    for setup in others:
        with kept(missing):
            other, on_broken = _rise(tables, dataset, setup)
            apart = _minus(own.per_unit, other.per_unit)
            by_one = _sum(tables, dataset, metric, apart)
            by_ten = _sum(tables, dataset, metric, _minus(own.per_decade, other.per_decade))
            faster.append(partial(_sum, tables, dataset, metric, apart))
            title = f"{adam} minus {setup}"
            values |= by_one.values(f"{metric} rise a unit of scale, {title}")
            values |= by_ten.values(f"{metric} rise a factor of ten of the scale, {title}")
            said.append(f"than {other}: {by_one} a unit of scale, {by_ten} a factor of ten")
            sentences.append(on_broken)
    return Outcome(
        all_above(faster, missing),
        values,
        f"{metric} rises faster with {own} {'; '.join(said)}. Where the second is not above 0, the "
        f"first is a change of units.{''.join(sentences)}{not_measured(missing)}"
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
    missing: list[Unmeasured] = []
    setups: list[str] = []
    with kept(missing):
        setups.append(setup_of(tables, dataset, x0))
    with kept(missing):
        setups += one_of_each(tables, dataset, ema)
    values: Values = {}
    sentences = []
    for setup in setups:
        step, on_broken = None, ""
        with kept(missing):
            step, on_broken = _level_step(tables, dataset, setup, metric)
        if step is None:
            continue
        values |= {f"{setup}: from scale": step.start.scale, f"{setup}: to scale": step.end.scale}
        for title, weights in step.conditions.items():
            condition = partial(_sum, tables, dataset, metric, weights)
            with kept(missing):
                values |= condition(1).values(f"{setup}: {title}")
                compared.append(condition)
        base = tables.against(dataset, setup)
        shown = [_level(tables, dataset, cell, metric) for cell in step]
        sentences.append(
            f"{setup}: {metric} is {shown[0]} {base}, {shown[1]} and {shown[2]} at scales "
            f"{step.start.scale:g} and {step.end.scale:g}, {shown[3]} at {step.largest.scale:g}."
            f"{on_broken}"
        )
    return Outcome(
        all_above(compared, missing),
        values,
        f"{' '.join(sentences)}{not_measured(missing)}{which(tables, dataset, x0)}",
    )


def _level(tables: Tables, dataset: str, cell: Cell, metric: str) -> str:
    """A distance as a reason shows it."""
    with suppress(Unmeasured):
        return number(measured(tables, dataset, cell, metric, EVALUATION).value)
    return MISSING
