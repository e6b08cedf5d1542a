"""Claims of the CFG paper and the MNIST notebook, where every class is generated in turn."""

from __future__ import annotations

from guidebench.base.cells import Cell
from guidebench.report.claims.verdicts import (
    Interval,
    Outcome,
    by_sign,
    contrast,
    difference,
    unbroken,
)
from guidebench.report.tables import Tables

CFG, GUIDE = "cfg", "noise_trained"
NOISE_TRAINED = f"{GUIDE}/raw"


def _ends(tables: Tables, dataset: str, metric: str, sign: int) -> Outcome:
    """Whether a metric rises (`sign` 1) or falls (-1) from cfg's smallest to its largest weight."""
    cells, said = unbroken(tables, dataset, CFG, least=2)
    change = difference(tables, dataset, (cells[-1], metric), (cells[0], metric))
    claimed = change if sign > 0 else Interval(-change.estimate, -change.high, -change.low)
    weights = f"from weight {cells[0].scale:g} to {cells[-1].scale:g}"
    return Outcome(
        by_sign([claimed]),
        change.values(f"change of {metric} {weights}"),
        f"{metric} changes by {change} {weights}.{said}",
    )


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
    grids = [unbroken(tables, dataset, name) for name in (NOISE_TRAINED, CFG)]
    guided, free = (grid.cells[-1] for grid in grids)

    def overrated(cell: Cell, factor: int) -> list[tuple[float, Cell, str]]:
        return [(factor, cell, f"accuracy_{GUIDE}"), (-factor, cell, "accuracy_judge")]

    by = [contrast(tables, dataset, overrated(cell, 1)) for cell in (guided, free)]
    interval = contrast(tables, dataset, [*overrated(guided, 1), *overrated(free, -1)])
    values: dict[str, float | None] = {}
    for cell, found in zip((guided, free), by, strict=True):
        values |= found.values(f"{GUIDE} minus judge, {cell.setup} at {cell.scale:g}")
    reason = (
        f"The noise-trained classifier overrates what it guided (scale {guided.scale:g}) "
        f"by {by[0]}, cfg's images (weight {free.scale:g}) by {by[1]}: a difference of "
        f"{interval}.{''.join(grid.said for grid in grids)}"
    )
    return Outcome(by_sign([interval]), values | interval.values("difference"), reason)
