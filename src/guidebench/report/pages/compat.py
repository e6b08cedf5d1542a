"""What the choices of the public nrCG code change in samples and scores (docs/compat.md)."""

import math
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any, NamedTuple

from guidebench.base.cells import Cell
from guidebench.base.choices import DRAWN_REFERENCE
from guidebench.report.claims.verdicts import Interval, Unmeasured, difference, quantile, times
from guidebench.report.figures import theme
from guidebench.report.metrics import exact_share
from guidebench.report.tables import Measure, Tables
from guidebench.report.variants import plainest_first
from guidebench.report.words import MISSING, distance, measure, table

# keys of a setup by which it does what the public code does
KEYS = {"paper_compat", "clip_gradient"}
# what is compared where it was measured, as the table's head calls it; shares are in percent
METRICS = {
    "accuracy_judge": "accuracy by judge, %",
    "fd_judge": "fd_judge",
    "cfd_judge": "cfd_judge",
    "fid": "FID",
    "cfid": "cFID",
}


class Pair(NamedTuple):
    """A setup, the corrected one that is the same, and in words the switches that it lacks."""

    setup: str
    corrected: str
    switches: str


def pairs(tables: Tables, dataset: str, other: str) -> list[Pair]:
    """The data set's setups, in its order, each with its corrected one in the data set `other`.

    That is the same guide with the fewest of its switches: with none, if there is such a one.
    """
    known, found = tables.facts(other)["setups"], []
    for name, entry in tables.facts(dataset)["setups"].items():
        own = _switches(entry)
        alike = {
            twin: one
            for twin, one in known.items()
            if _core(one) == _core(entry) and set(_switches(one)) <= set(own)
        }
        if alike:
            base = min(plainest_first(alike), key=lambda twin: len(_switches(known[twin])))
            beyond = [switch for switch in own if switch not in _switches(known[base])]
            found.append(Pair(name, base, ", ".join(beyond)))
    return found


def _switches(entry: Mapping[str, Any]) -> list[str]:
    """The public code's choices in a setup, wherever the config makes them."""
    clip = ["clip_gradient: zero"] if entry["clip_gradient"] == "zero" else []
    return [*entry["variant"].get("paper_compat", []), *clip]


def _core(entry: Mapping[str, Any]) -> dict[str, Any]:
    """What a setup's entry of the summary says beside its scales and switches."""
    variant = {key: value for key, value in entry["variant"].items() if key not in KEYS}
    rest = {key: value for key, value in entry.items() if key not in ("scales", "clip_gradient")}
    return rest | {"variant": variant}


def _cells(
    tables: Tables, dataset: str, other: str, pair: Pair
) -> Iterator[tuple[list[str], Cell, Cell]]:
    """A pair's first columns and its two cells, at each scale that both have."""
    base = tables.facts(other)["setups"][pair.corrected]
    own = tables.facts(dataset)["setups"][pair.setup]["scales"]
    left = ", ".join(_switches(base))  # where no setup is without them
    title = theme.title(pair.corrected) + (f" ({left})" if left else "")
    for scale in [scale for scale in own if scale in base["scales"]] if own else [None]:
        at = "" if scale is None else f"{scale:g}"
        yield [title, pair.switches, at], Cell(pair.setup, scale), Cell(pair.corrected, scale)


def reverse(tables: Tables, dataset: str) -> dict[str, Any]:
    """Head and rows: each switch's paired difference to the corrected run, scale by scale."""
    metrics, rows = _measured(tables, dataset), []
    for pair in pairs(tables, dataset, dataset):
        if pair.switches:
            for row, *cells in _cells(tables, dataset, dataset, pair):
                for metric in metrics:
                    row += [_level(tables, dataset, cells[1], metric)]
                    row += [_change(tables, dataset, *((cell, metric) for cell in cells))]
                rows.append(row)
    titles = [title for name in metrics for title in (f"corrected: {METRICS[name]}", "change")]
    return table(["corrected setup", "switches", "scale", *titles], rows)


def data(tables: Tables, dataset: str) -> dict[str, Any]:
    """Head and rows: what a data set with switches of its own changes; no rows where it has none.

    Beside the corrected data set's. Of shares the difference, not paired: other data or another
    training; its interval counts the images alone. Distances stand side by side: each data set's
    are in the features of a judge of its own, and to real images of its own.
    """
    rows: list[list[str]] = []
    other, metrics = tables.facts(dataset)["corrected"], _measured(tables, dataset)
    found = pairs(tables, dataset, other) if other in tables.datasets else []
    for pair in found:
        for row, own, base in _cells(tables, dataset, other, pair):
            for metric in metrics:
                row += [_level(tables, other, base, metric)]
                if exact_share(metric):
                    row += [_apart(tables, (dataset, other), (own, base), metric)]
                else:
                    row += [_level(tables, dataset, own, metric)]
            rows.append(row)
    titles = []
    for name in metrics:
        second = "change" if exact_share(name) else f"with switches: {METRICS[name]}"
        titles += [f"corrected: {METRICS[name]}", second]
    return table(["corrected setup", "its switches", "scale", *titles], rows)


def _apart(tables: Tables, datasets: tuple[str, str], cells: tuple[Cell, Cell], metric: str) -> str:
    """The difference of a share in two data sets' cells, with its interval."""
    places = list(zip(datasets, cells, strict=True))
    found, base = (tables.measure(name, cell, metric) for name, cell in places)
    if not found or not base:
        return MISSING
    blocks = min(len(tables.left_out(name, cell, metric)) for name, cell in places)
    half = quantile(blocks - 1) * math.hypot(found.se, base.se)
    estimate = found.value - base.value
    return str(times(Interval(estimate, estimate - half, estimate + half), 100))


def references(tables: Tables, dataset: str) -> dict[str, Any]:
    """Head and rows: distances from the reference that is drawn as the public code draws it.

    Beside the corrected ones of the same images: unguided, and each setup at its best scale.
    """
    metrics = _measured(tables, dataset, f"+{DRAWN_REFERENCE}")
    chosen = [tables.best(dataset, setup) for setup in tables.guided(dataset)]
    rows = []
    for cell in [tables.unguided(dataset), *chosen] if metrics else []:
        if cell is None:
            continue
        row = [theme.title(cell.setup), "" if cell.scale is None else f"{cell.scale:g}"]
        for metric in metrics:
            drawn = f"{metric}+{DRAWN_REFERENCE}"
            row += [_level(tables, dataset, cell, one) for one in (metric, drawn)]
            row += [_change(tables, dataset, (cell, drawn), (cell, metric))]
        rows.append(row)
    titles = [
        title
        for name in metrics
        for title in (f"corrected: {METRICS[name]}", "from draws", "change")
    ]
    return table(["setup", "scale", *titles], rows)


def _measured(tables: Tables, dataset: str, ending: str = "") -> list[str]:
    return [name for name in METRICS if tables.has(dataset, name + ending)]


def _level(tables: Tables, dataset: str, cell: Cell, metric: str) -> str:
    """A cell's value in words; a share counts what diverged, a distance lacks it."""
    value = tables.measure(dataset, cell, metric)
    if exact_share(metric):
        return measure(value and Measure(100 * value.value, 100 * value.se, value.n))
    return "broken" if tables.is_broken(dataset, cell) else distance(value)


def _change(tables: Tables, dataset: str, first: tuple[Cell, str], base: tuple[Cell, str]) -> str:
    """The first minus the second (cell, metric), with its paired interval."""
    factor = 100 if exact_share(base[1]) else 1
    with suppress(Unmeasured):
        return str(times(difference(tables, dataset, first, base), factor))
    return "broken" if tables.is_broken(dataset, first[0]) else MISSING
