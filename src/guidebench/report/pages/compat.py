"""What the choices of the public nrCG code change in samples and scores (docs/compat.md)."""

import math
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, NamedTuple

from guidebench.base.cells import Cell
from guidebench.base.choices import DRAWN_REFERENCE
from guidebench.report.claims.verdicts import (
    Interval,
    Unmeasured,
    difference,
    quantile,
    times,
)
from guidebench.report.figures import theme
from guidebench.report.tables import Measure, Tables
from guidebench.report.variants import plainest_first
from guidebench.report.words import MISSING, distance, measure, table

# keys of a setup by which it does what the public code does, each beside the key that it changes
KEYS = ("paper_compat", "clip_gradient")
# what is compared, as the table's head calls it, and the factor of its unit
METRICS = {
    "accuracy_judge": ("accuracy by judge, %", 100.0),
    "fd_judge": ("fd_judge", 1.0),
    "cfd_judge": ("cfd_judge", 1.0),
}
# what a data set's own switches, and what comes of them, are in its entry of the summary
MADE = {"paper_compat", "setups", "stabilizers", "trained"}


class Switched(NamedTuple):
    """A setup with switches, in words, and the corrected one that is the same without them."""

    setup: str
    corrected: str
    switches: str


def switched(tables: Tables, dataset: str) -> list[Switched]:
    """Setups with switches whose corrected setup is in the experiment, too, in its order."""
    setups = tables.facts(dataset)["setups"]
    found = []
    for name in tables.guided(dataset):
        own = {key: setups[name]["variant"][key] for key in KEYS if key in setups[name]["variant"]}
        twins = {
            other: entry
            for other, entry in setups.items()
            if _core(entry) == _core(setups[name]) and not set(KEYS) & set(entry["variant"])
        }
        if own and twins:
            found.append(Switched(name, plainest_first(twins)[0], _words(own)))
    return found


def _core(entry: Mapping[str, Any]) -> dict[str, Any]:
    """What a setup's entry of the summary says beside its scales and switches."""
    variant = {key: value for key, value in entry["variant"].items() if key not in KEYS}
    return {key: value for key, value in entry.items() if key != "scales"} | {"variant": variant}


def reverse(tables: Tables, dataset: str) -> dict[str, Any]:
    """Head and rows: each switch's paired difference to the corrected run, scale by scale."""
    setups, rows = tables.facts(dataset)["setups"], []
    for setup, corrected, switches in switched(tables, dataset):
        for scale in setups[setup]["scales"]:
            if scale not in setups[corrected]["scales"]:
                continue
            cells = Cell(setup, scale), Cell(corrected, scale)
            shown = [
                text for metric in METRICS for text in _changed(tables, dataset, cells, metric)
            ]
            title = theme.title(corrected)
            rows.append([title, switches, f"{scale:g}", *shown])
    return table(["corrected setup", "switches", "scale", *_titles()], rows)


def _titles() -> list[str]:
    """Two columns of each metric."""
    return [title for name, _ in METRICS.values() for title in (f"corrected: {name}", "change")]


def corrected_data(tables: Tables, dataset: str) -> str | None:
    """The data set that is this one without its `paper_compat`; None where none is."""
    facts = tables.facts(dataset)
    if not facts["paper_compat"]:
        return None
    wanted = _made(facts)
    for name in tables.datasets:
        other = tables.facts(name)
        if not other["paper_compat"] and _made(other) == wanted:
            return name
    return None


def _made(facts: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in facts.items() if key not in MADE}


def data(tables: Tables, dataset: str) -> dict[str, Any]:
    """Head and rows: what a data set with switches of its own changes; no rows where it has none.

    Against the cells of the same name of the corrected one. Other data, or another training: not
    paired, and the interval counts the images alone.
    """
    rows: list[list[str]] = []
    other = corrected_data(tables, dataset)
    head = ["setup", "its switches", "scale", *_titles()]
    if other is None:
        return table(head, rows)
    setups = tables.facts(dataset)["setups"]
    known = tables.facts(other)["setups"]
    for setup in (name for name in setups if name in known):
        for scale in [s for s in setups[setup]["scales"] if s in known[setup]["scales"]] or [None]:
            cell = Cell(setup, scale)
            pairs = [_apart(tables, (dataset, other), cell, metric) for metric in METRICS]
            shown = [text for pair in pairs for text in pair]
            at = "" if scale is None else f"{scale:g}"
            rows.append([theme.title(setup), _words(setups[setup]["variant"]), at, *shown])
    return table(head, rows)


def _words(variant: Mapping[str, Any]) -> str:
    """A setup's switches in words."""
    named = [f"{key}: {variant[key]}" for key in KEYS[1:] if key in variant]
    return ", ".join([*variant.get("paper_compat", []), *named])


def _apart(tables: Tables, datasets: tuple[str, str], cell: Cell, metric: str) -> tuple[str, str]:
    """The corrected value of a cell, and the difference of the two data sets' with its interval."""
    _, factor = METRICS[metric]
    found, base = (tables.measure(name, cell, metric) for name in datasets)
    change = MISSING
    if any(tables.is_broken(name, cell) for name in datasets):
        change = "broken"
    elif found and base:
        blocks = min(len(tables.left_out(name, cell, metric)) for name in datasets)
        half = quantile(blocks - 1) * math.hypot(found.se, base.se)
        estimate = found.value - base.value
        change = str(times(Interval(estimate, estimate - half, estimate + half), factor))
    return measure(_in_units(base, factor)), change


def references(tables: Tables, dataset: str) -> dict[str, Any]:
    """Head and rows: distances from the reference that is drawn as the public code draws it.

    Beside the corrected ones of the same images: unguided, and each setup at its best scale.
    """
    metrics = [name for name in METRICS if tables.has(dataset, f"{name}+{DRAWN_REFERENCE}")]
    chosen = [tables.best(dataset, setup) for setup in tables.guided(dataset)]
    rows = []
    for cell in [tables.unguided(dataset), *chosen] if metrics else []:
        if cell is None:
            continue
        shown = []
        for metric in metrics:
            drawn = f"{metric}+{DRAWN_REFERENCE}"
            change = MISSING
            with suppress(Unmeasured):
                change = str(difference(tables, dataset, (cell, drawn), (cell, metric)))
            values = (distance(tables.measure(dataset, cell, one)) for one in (metric, drawn))
            shown += [*values, change]
        at = "" if cell.scale is None else f"{cell.scale:g}"
        rows.append([theme.title(cell.setup), at, *shown])
    titles = [title for name in metrics for title in (f"corrected: {name}", "from draws", "change")]
    return table(["setup", "scale", *titles], rows)


def _in_units(value: Measure | None, factor: float) -> Measure | None:
    return value and Measure(factor * value.value, factor * value.se, value.n)


def _changed(
    tables: Tables, dataset: str, cells: tuple[Cell, Cell], metric: str
) -> tuple[str, str]:
    """The corrected value, and the switched minus the corrected one with its paired interval."""
    _, factor = METRICS[metric]
    try:
        change = str(
            times(difference(tables, dataset, (cells[0], metric), (cells[1], metric)), factor)
        )
    except Unmeasured:
        change = "broken" if tables.is_broken(dataset, cells[0]) else MISSING
    return measure(_in_units(tables.measure(dataset, cells[1], metric), factor)), change
