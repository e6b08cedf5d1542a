"""Who wins: every setup at its selected scale against the best, and what is no difference."""

from typing import Any, NamedTuple

import numpy as np

from guidebench.base.cells import Cell
from guidebench.report import words
from guidebench.report.chosen import selected, winner
from guidebench.report.claims import premises
from guidebench.report.claims.verdicts import Interval, Unmeasured, difference, quantile
from guidebench.report.figures import theme
from guidebench.report.tables import BROKEN, EVALUATION, SELECTION, Measure, Tables
from guidebench.report.words import MISSING, number

# mean pixel difference, of 255, below which two setups drew the same images: a tenth of what
# setups that guide otherwise differ by, and no more than rounding and a step of a colour
SAME = 2.0

# images for each feature, below which a covariance of them is rough
ENOUGH = 4


class Entry(NamedTuple):
    """A setup at its selected scale: its distance, and that minus the winner's (None: itself)."""

    cell: Cell
    value: Measure
    behind: Interval | None

    @property
    def tied(self) -> bool:
        """Not distinguishable from the winner, or better than it."""
        return self.behind is None or not self.behind.positive


def contest(tables: Tables, dataset: str) -> list[Entry]:
    """All setups by their distance; intervals against the winner that hold together."""
    metric = tables.distance(dataset, "cfd")
    won = winner(tables, dataset)
    if won is None:
        return []
    cells = selected(tables, dataset, metric)
    entries = []
    for cell in cells:
        value = tables.measure(dataset, cell, metric)
        assert value is not None
        behind = None
        if cell != won[0]:
            try:
                behind = difference(
                    tables, dataset, (cell, metric), (won[0], metric), len(cells) - 1
                )
            except Unmeasured:  # without an interval it cannot be told apart
                behind = Interval(value.value - won[1].value, -np.inf, np.inf)
        entries.append(Entry(cell, value, behind))
    return sorted(entries, key=lambda entry: entry.value.value)


def edge(tables: Tables, dataset: str, cell: Cell) -> str:
    """`largest` or `smallest` where the selected scale is at the end of its grid, else nothing."""
    scales = tables.facts(dataset)["setups"][cell.setup]["scales"]
    if len(scales) < 2:
        return "only"
    return {max(scales): "largest", min(scales): "smallest"}.get(cell.scale, "")


def twins(tables: Tables, dataset: str, cell: Cell, others: list[Cell]) -> list[Cell]:
    """The others whose shown images of the same seeds are the cell's, but for SAME of 255."""
    return [
        other for other in others if other != cell and tables.apart(dataset, cell, other) < SAME
    ]


def table(tables: Tables, dataset: str) -> dict[str, Any]:
    """Head and rows of the table; rows carry `best` where none is shown to be better."""
    metric = tables.distance(dataset, "cfd")
    entries = contest(tables, dataset)
    cells = [entry.cell for entry in entries]
    blocks = tables.jackknife.block[tables.jackknife.dataset == dataset].nunique()
    rows = []
    for entry in entries:
        value, end = entry.value, edge(tables, dataset, entry.cell)
        fewest = min(blocks, value.reference_n or blocks)  # fewer real images make fewer blocks
        half = quantile(max(1, fewest - 1)) * value.se
        same = twins(tables, dataset, entry.cell, cells)
        rows.append(
            [
                theme.title(entry.cell.setup),
                f"{entry.cell.scale:g}" + (f" ({end} tried)" if end else ""),
                str(Interval(value.value, value.value - half, value.value + half)),
                number(value.raw) + (" †" if value.few else ""),
                _standing(entry),
                ", ".join(f"{other.setup} at {other.scale:g}" for other in same) or MISSING,
            ]
        )
    interval = f"{metric}, 95 % interval"
    head = ["setup", "scale", interval, "raw", "minus the winner's", "same images as"]
    return words.table(head, rows, [entry.tied for entry in entries])


def _standing(entry: Entry) -> str:
    if entry.behind is None:
        return "winner on selection seeds"
    if not np.isfinite(entry.behind.low):
        return f"{number(entry.behind.estimate)}: no interval"
    return str(entry.behind) + (
        "" if entry.behind.positive else " below" if entry.behind.negative else " tie"
    )


def unranked(tables: Tables, dataset: str) -> list[str]:
    """Setups that are in no ranking: at every scale, or at the selected one, they broke."""
    metric = tables.distance(dataset, "cfd")
    ranked = {cell.setup for cell in selected(tables, dataset, metric)}
    return [setup for setup in tables.guided(dataset) if setup not in ranked]


def warnings(tables: Tables, dataset: str) -> list[str]:
    """What to know before the numbers are compared: few images, few references, broken setups.

    And classifiers at chance, and guides that take unguided samples for the target.
    """
    facts, metric = tables.facts(dataset), tables.distance(dataset, "cfd")
    values = [entry.value for entry in contest(tables, dataset)]
    features = max((value.features for value in values), default=0)
    lines = premises.said(tables, dataset)
    splits = {"n_selection": SELECTION, "n_chosen": EVALUATION}
    few = [
        f"n = {facts[key]} on {split} seeds"
        for key, split in splits.items()
        if facts[key] < ENOUGH * features
    ]
    reference = min((value.reference_n for value in values), default=0)
    if reference < ENOUGH * features:
        few.append(f"a reference of {reference} images")
    if few:
        lines.append(
            f"{', '.join(few)}: fewer than four times the {features} features of {metric}, "
            "so a correction of its bias is rough (below the number of features it does "
            "not hold) and choices between near scales are not safe."
        )
    if broken := unranked(tables, dataset):
        lines.append(
            f"Broken, so in no ranking (more than {100 * BROKEN:g} % of the images "
            f"diverged, or nothing was measured): {', '.join(broken)}."
        )
    return lines
