"""The report's tables: setups at their selected scale, trained models, and what everything cost."""

from __future__ import annotations

import math
from typing import Any

from guidebench.base.cells import Cell
from guidebench.base.units import duration
from guidebench.report.claims.intervals import proportion
from guidebench.report.claims.verdicts import Unmeasured, difference, times
from guidebench.report.figures import theme
from guidebench.report.metrics import metrics
from guidebench.report.pages import winners
from guidebench.report.tables import FLOOR, Measure, Tables
from guidebench.report.words import MISSING, distance, measure, number, table

COSTS = ("denoiser_evaluations", "backward_passes", "peak_memory", "seconds", "load")


def cells(tables: Tables, dataset: str) -> list[Cell]:
    """Floor, setups without guidance, and every guided one at its scale on selection seeds."""
    chosen = [tables.best(dataset, setup) for setup in tables.guided(dataset)]
    return [Cell(FLOOR), *tables.without_guidance(dataset), *filter(None, chosen)]


def gap(tables: Tables, dataset: str, cell: Cell) -> str:
    """Guide's minus judge's accuracy on the same images, in points with its paired interval."""
    try:
        lead = difference(tables, dataset, (cell, "accuracy_guide"), (cell, "accuracy_judge"))
    except Unmeasured:
        return MISSING
    return str(times(lead, 100))


def share(value: Measure | None) -> str:
    """A share of images in % with the exact interval that claims and figures have, too."""
    return str(times(proportion(value.value, value.n), 100)) if value else MISSING


def _scale(cell: Cell) -> str:
    return "" if cell.scale is None else f"{cell.scale:g}"


def _title(cell: Cell) -> str:
    return "floor (held-out real images)" if cell.setup == FLOOR else theme.title(cell.setup)


def best_setups(tables: Tables, dataset: str) -> dict[str, Any]:
    """Head and rows of the best setups; `best` rows are those that none is shown to beat."""
    shown = metrics(tables.summary)
    columns = [name for name, one in shown.items() if one.column and tables.has(dataset, name)]
    tied = {entry.cell for entry in winners.contest(tables, dataset) if entry.tied}
    rows: dict[Cell, list[str]] = {}
    for cell in cells(tables, dataset):
        shares = [tables.measure(dataset, cell, f"accuracy_{who}") for who in ("guide", "judge")]
        distances = [tables.measure(dataset, cell, metric) for metric in columns]
        n = next((item.n for item in [*distances, *shares] if item), None)
        if n is None:
            continue
        diverged = tables.measure(dataset, cell, "diverged")
        broken = " (broken)" if tables.is_broken(dataset, cell) else ""
        rows[cell] = [
            _title(cell),
            _scale(cell),
            *map(share, shares),
            gap(tables, dataset, cell),
            *map(distance, distances),
            share(diverged) + broken,
            str(n),
        ]
    head = [
        "setup",
        "scale",
        "accuracy by guide, %",
        "accuracy by judge, %",
        "guide − judge, points",
        *(shown[metric].column for metric in columns),
        "diverged, %",
        "n",
    ]
    return table(head, rows.values(), [cell in tied for cell in rows])


def sampling_cost(tables: Tables, dataset: str) -> dict[str, Any]:
    """Head and rows: passes through the denoiser per setup at its selected scale, and seconds."""
    rows = []
    for cell in cells(tables, dataset)[1:]:
        costs = {name: tables.measure(dataset, cell, name) for name in COSTS}
        passes = _passes(tables, dataset, cell)
        if passes is None:
            continue
        plain, named = tables.unguided(dataset, cell.setup), tables.against(dataset, cell.setup)
        base = _passes(tables, dataset, plain)
        times = number(passes / base if base else None)
        times += f", of {named}" if base and named != plain.setup else ""
        evaluations, backward, memory, load = (
            number(cost.value if (cost := costs[name]) else None)
            for name in ("denoiser_evaluations", "backward_passes", "peak_memory", "load")
        )
        run = [evaluations, backward, times, memory, measure(costs["seconds"]), load]
        rows.append([_title(cell), _scale(cell), *run])
    head = [
        "setup",
        "scale",
        "denoiser evaluations per image",
        "of them with a backward pass",
        "passes, times unguided",
        "peak memory, MiB",
        "seconds per image",
        "load meanwhile",
    ]
    return table(head, rows)


def _passes(tables: Tables, dataset: str, cell: Cell) -> float | None:
    """Forward and backward passes through the denoiser per image; each costs about the same."""
    forward, backward = (
        tables.measure(dataset, cell, name) for name in ("denoiser_evaluations", "backward_passes")
    )
    return forward.value + backward.value if forward and backward else None


def classifiers(tables: Tables, dataset: str) -> dict[str, Any]:
    """Head and rows: architecture, size and accuracy of the classifiers, on clean images and under
    attack, which those that may guide are measured under.
    """
    known, attack = tables.classifiers, tables.facts(dataset).get("attack")
    rows = []
    for name in known.classifier[known.dataset == dataset]:
        row = known[(known.dataset == dataset) & (known.classifier == name)].iloc[0]
        shown = share(tables.clean_accuracy(dataset, name))
        attacked = [_attacked(tables, dataset, name)] if attack else []
        built = [theme.WORDS.get(name, name), str(row.architecture), number(row.parameters)]
        rows.append([*built, shown, str(int(row.n)), *attacked])
    head = ["classifier", "architecture", "parameters", "accuracy on clean images, %", "n"]
    if attack:
        head.append(
            f"accuracy under attack ({attack['norm']}, radius {attack['radius']:g}, "
            f"{attack['iterations']} steps), %"
        )
    return table(head, rows)


def _attacked(tables: Tables, dataset: str, classifier: str) -> str:
    """A classifier's accuracy on adversarial examples."""
    rows = tables.along(dataset, "accuracy", classifier, "attack")
    if rows.empty:
        return MISSING
    return share(Measure(float(rows["mean"].iloc[0]), math.nan, int(rows.n.iloc[0])))


def stage_cost(tables: Tables) -> dict[str, Any]:
    """Head and rows: jobs, time and peak memory of every stage and data set."""
    costs = tables.costs.assign(dataset=tables.costs.dataset.fillna(""))
    rows = []
    for (stage, dataset), jobs in costs.groupby(["stage", "dataset"], sort=True):
        devices = ", ".join(sorted(set(jobs.device.astype(str))))
        cost = [duration(jobs.seconds.sum()), number(jobs.peak_memory_mib.max()), devices]
        rows.append([str(stage), str(dataset) or "all", str(len(jobs)), *cost])
    head = ["stage", "data set", "jobs", "time of all jobs", "peak memory, MiB", "device"]
    return table(head, rows)
