"""Claims of the CFG paper and the MNIST notebook, where every class is generated in turn."""

from __future__ import annotations

import numpy as np

from guidebench.report.rankings import overrated
from guidebench.report.tables import Tables
from guidebench.report.verdicts import (
    Interval,
    Outcome,
    Unmeasured,
    by_sign,
    difference,
    least,
    measured,
    quantile,
    scales,
    spread,
)
from guidebench.report.words import number

CFG, GUIDE = "cfg", "noise_trained"
NOISE_TRAINED = f"{GUIDE}/raw"


def _ends(tables: Tables, dataset: str, metric: str, sign: int) -> Outcome:
    """Whether a metric rises (`sign` 1) or falls (-1) from cfg's smallest to its largest weight."""
    cells = scales(tables, dataset, CFG, least=2)
    change = difference(tables, dataset, (cells[-1], metric), (cells[0], metric))
    claimed = change if sign > 0 else Interval(-change.estimate, -change.high, -change.low)
    weights = f"from weight {cells[0].scale:g} to {cells[-1].scale:g}"
    return Outcome(by_sign([claimed]), change.values(f"change of {metric} {weights}"),
                   f"{metric} changes by {change} {weights}.")  # fmt: skip


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
    """How far the noise-trained classifier overrates what it guided, and what cfg did, at most."""
    cells = [scales(tables, dataset, name)[-1] for name in (NOISE_TRAINED, CFG)]
    metrics = (f"accuracy_{GUIDE}", "accuracy_judge")
    shares = [[measured(tables, dataset, cell, metric).value for metric in metrics]
              for cell in cells]  # fmt: skip
    guided, free = (first - judge for first, judge in shares)
    left_out = [overrated(tables, dataset, cell, GUIDE) for cell in cells]
    apart = left_out[0] - left_out[1]
    if len(apart) < 2 or not np.isfinite(apart).all():
        raise Unmeasured(f"not measured: no jackknife blocks of {' and '.join(metrics)}")
    n = measured(tables, dataset, cells[0], metrics[1]).n
    half = quantile(len(apart) - 1) * max(spread(apart), least(n))
    interval = Interval(guided - free, guided - free - half, guided - free + half)
    values = {f"{GUIDE} minus judge, {name} at {cell.scale:g}": found
              for cell, name, found in zip(cells, (NOISE_TRAINED, CFG), (guided, free),
                                           strict=True)}  # fmt: skip
    reason = (f"The noise-trained classifier overrates what it guided (scale {cells[0].scale:g}) "
              f"by {number(guided)}, cfg's images (weight {cells[1].scale:g}) by {number(free)}: "
              f"a difference of {interval}.")  # fmt: skip
    return Outcome(by_sign([interval]), values | interval.values("difference"), reason)
