"""Claims of the CFG paper and the MNIST notebook, where every class is generated in turn."""

from guidebench.base.cells import Cell
from guidebench.report.claims.kinds import Kind, setup_of, which
from guidebench.report.claims.verdicts import (
    Interval,
    Outcome,
    Values,
    by_sign,
    contrast,
    difference,
    unbroken,
)
from guidebench.report.tables import Tables


def ends(metric: str, sign: int, tables: Tables, dataset: str, cfg: Kind) -> Outcome:
    """Whether a metric rises (`sign` 1) or falls (-1) from cfg's smallest to its largest weight."""
    cells, on_broken = unbroken(tables, dataset, setup_of(tables, dataset, cfg), least=2)
    change = difference(tables, dataset, (cells[-1], metric), (cells[0], metric))
    claimed = change if sign > 0 else Interval(-change.estimate, -change.high, -change.low)
    weights = f"from weight {cells[0].scale:g} to {cells[-1].scale:g}"
    return Outcome(
        by_sign([claimed]),
        change.values(f"change of {metric} {weights}"),
        f"{metric} changes by {change} {weights}.{on_broken}{which(tables, dataset, cfg)}",
    )


def farther(tables: Tables, dataset: str, cfg: Kind) -> Outcome:
    """FD rises with w."""
    return ends(tables.distance(dataset, "fd"), 1, tables, dataset, cfg)


def attack(tables: Tables, dataset: str, noise_trained: Kind, cfg: Kind) -> Outcome:
    """How far the noise-trained classifier overrates what it guided, and what cfg did, at most."""
    setups = [setup_of(tables, dataset, kind) for kind in (noise_trained, cfg)]
    classifier = tables.facts(dataset)["setups"][setups[0]]["classifier"]
    unbroken_of = [unbroken(tables, dataset, setup) for setup in setups]
    guided, free = (cells[-1] for cells, _ in unbroken_of)

    def overrated(cell: Cell, factor: int) -> list[tuple[float, Cell, str]]:
        return [(factor, cell, f"accuracy_{classifier}"), (-factor, cell, "accuracy_judge")]

    by = [contrast(tables, dataset, overrated(cell, 1)) for cell in (guided, free)]
    interval = contrast(tables, dataset, [*overrated(guided, 1), *overrated(free, -1)])
    values: Values = {}
    for cell, excess in zip((guided, free), by, strict=True):
        values |= excess.values(f"{classifier} minus judge, {cell.setup} at {cell.scale:g}")
    reason = (
        f"The noise-trained classifier overrates what it guided (scale {guided.scale:g}) "
        f"by {by[0]}, cfg's images (weight {free.scale:g}) by {by[1]}: a difference of "
        f"{interval}.{''.join(on_broken for _, on_broken in unbroken_of)}"
        f"{which(tables, dataset, noise_trained, cfg)}"
    )
    return Outcome(by_sign([interval]), values | interval.values("difference"), reason)
