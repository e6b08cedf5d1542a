"""Claims of the CFG paper and the MNIST notebook, where every class is generated in turn."""

from __future__ import annotations

import pandas as pd

from guidebench.report.rankings import gap
from guidebench.report.tables import Cell, Tables
from guidebench.report.verdicts import (
    Interval,
    Outcome,
    Unmeasured,
    by_sign,
    difference,
    quantile,
    scales,
    selected,
    spread,
)

CFG, NOISE_TRAINED = "cfg", "noise_trained/raw"


def _ends(tables: Tables, dataset: str, metric: str, sign: int) -> Outcome:
    """The change of a metric from cfg's smallest to its largest weight, times `sign`."""
    cells = scales(tables, dataset, CFG, least=2)
    first, last = (cells[-1], metric), (cells[0], metric)
    if sign < 0:
        first, last = last, first
    change = difference(tables, dataset, first, last)
    word = "rises" if sign > 0 else "falls"
    name = f"{metric}: by how much it {word}"
    return Outcome(by_sign([change]), change.values(name),
                   f"{metric} {word} by {change} from weight {cells[0].scale:g} to "
                   f"{cells[-1].scale:g}.")  # fmt: skip


def clearer(tables: Tables, dataset: str) -> Outcome:
    """IS on the judge rises with w."""
    return _ends(tables, dataset, "is_judge", 1)


def farther(tables: Tables, dataset: str) -> Outcome:
    """FD rises with w."""
    return _ends(tables, dataset, tables.distance(dataset, "fd"), 1)


def less_diverse(tables: Tables, dataset: str) -> Outcome:
    """Images of a class get more alike with w."""
    return _ends(tables, dataset, "diversity_judge", -1)


def recalls_less(tables: Tables, dataset: str) -> Outcome:
    """Recall falls with w."""
    return _ends(tables, dataset, "recall_judge", -1)


def attack(tables: Tables, dataset: str) -> Outcome:
    """Guide minus judge of classifier guidance against that of cfg, at their selected scales."""
    metric = tables.distance(dataset, "fd")
    cells = [selected(tables, dataset, name, metric) for name in (NOISE_TRAINED, CFG)]
    # at the largest scale an attack has had its chance
    cells[0] = scales(tables, dataset, NOISE_TRAINED)[-1]
    found = [gap(tables, dataset, cell) for cell in cells]
    if found[0] is None or found[1] is None:
        raise Unmeasured(f"not measured: accuracies of {NOISE_TRAINED} and {CFG}")
    left_out = _gap(tables, dataset, cells[0]) - _gap(tables, dataset, cells[1])
    half = quantile(len(left_out) - 1) * spread(left_out)
    estimate = found[0].value - found[1].value
    interval = Interval(estimate, estimate - half, estimate + half)
    values = interval.values("guide minus judge: classifier guidance minus cfg")
    return Outcome(by_sign([interval]), values, f"The guide overrates classifier guidance (scale "
                   f"{cells[0].scale:g}) by {interval} more than cfg.")  # fmt: skip


def _gap(tables: Tables, dataset: str, cell: Cell) -> pd.Series:
    guide, judge = (tables.left_out(dataset, cell, f"accuracy_{who}") for who in ("guide", "judge"))
    return guide - judge
