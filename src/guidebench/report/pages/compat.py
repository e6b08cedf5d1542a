"""What each choice of the public nrCG code changes: `paper_compat` (docs/compat.md)."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from guidebench.base.cells import Cell
from guidebench.base.choices import FORWARD_COMPAT
from guidebench.base.jackknife import standard_error
from guidebench.report.claims.verdicts import (
    Interval,
    Unmeasured,
    difference,
    mean,
    quantile,
    times,
)
from guidebench.report.figures import theme
from guidebench.report.tables import Measure, Tables
from guidebench.report.variants import plainest_first
from guidebench.report.words import MISSING, measure, table

# keys of a setup by which it does what the public code does, each beside the key that it changes
KEYS = ("paper_compat", "clip_gradient")
# what is compared, as the table's head calls it, and the factor of its unit
METRICS = {
    "accuracy_judge": ("accuracy by judge, %", 100.0),
    "fd_judge": ("fd_judge", 1.0),
    "cfd_judge": ("cfd_judge", 1.0),
}
QUANTITIES = ("logit_sensitivity", "grad_sensitivity")


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
            words = [*own.pop("paper_compat", []), *(f"{key}: {own[key]}" for key in own)]
            found.append(Switched(name, plainest_first(twins)[0], ", ".join(words)))
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
    titles = [(f"corrected: {name}", "change") for name, _ in METRICS.values()]
    head = ["corrected setup", "switches", "scale", *(one for pair in titles for one in pair)]
    return table(head, rows)


def _changed(
    tables: Tables, dataset: str, cells: tuple[Cell, Cell], metric: str
) -> tuple[str, str]:
    """The corrected value, and the switched minus the corrected one with its paired interval."""
    _, factor = METRICS[metric]
    base = tables.measure(dataset, cells[1], metric)
    if base is not None:
        base = Measure(factor * base.value, factor * base.se, base.n)
    try:
        change = str(
            times(difference(tables, dataset, (cells[0], metric), (cells[1], metric)), factor)
        )
    except Unmeasured:
        change = "broken" if tables.is_broken(dataset, cells[0]) else MISSING
    return measure(base), change


def forward(tables: Tables, dataset: str) -> dict[str, Any]:
    """Head and rows: each switch's effect on the sensitivities, a ratio, and on the accuracy."""
    walks = _walks(tables, dataset)
    rows = [entry for walk in walks for entry in _effects(tables, dataset, *walk)]
    head = ["classifier, input", "switches", "stabilizer", "quantity", "with the switch"]
    return table(head, rows)


def _walks(tables: Tables, dataset: str) -> list[tuple[str, str]]:
    """(classifier, input) of the walks with switches, in the tables' order."""
    table = tables.sensitivity[tables.sensitivity.dataset == dataset]
    named = table.input.str.split("+").str[-1].isin(list(FORWARD_COMPAT))
    pairs = table.loc[named, ["classifier", "input"]].drop_duplicates()
    return list(pairs.itertuples(index=False, name=None))


def _effects(
    tables: Tables, dataset: str, classifier: str, source: str
) -> Iterator[tuple[str, ...]]:
    plain, *switches = source.split("+")
    keep = (tables.sensitivity.dataset == dataset) & (tables.sensitivity.input == source)
    names = tables.sensitivity[keep & (tables.sensitivity.classifier == classifier)]
    for quantity, stabilizer in (
        names[["quantity", "stabilizer"]].drop_duplicates().itertuples(index=False, name=None)
    ):
        if quantity not in (*QUANTITIES, "accuracy"):
            continue
        found, base = (
            tables.along(dataset, quantity, classifier, one, stabilizer).set_index("t")["values"]
            for one in (source, plain)
        )
        common = found.index.intersection(base.index)
        if common.empty:
            continue
        pair = [np.stack(list(rows[common])).astype(float) for rows in (found, base)]
        if quantity == "accuracy":
            words = f"accuracy at t = {common[0]:g}: change in points"
            effect = str(times(mean((pair[0] - pair[1]).mean(0)), 100))
        else:
            words, effect = f"mean {quantity}: ratio", str(ratio(*pair))
        yield theme.title(f"{classifier}/{plain}"), ", ".join(switches), stabilizer, words, effect


def ratio(values: np.ndarray, base: np.ndarray) -> Interval:
    """Mean of `values` over mean of `base`, both [times, images], with its paired interval.

    By the jackknife over images: each one is left out of both.
    """
    top, bottom = values.sum(0), base.sum(0)
    estimate = float(top.sum() / bottom.sum())
    without = (top.sum() - top) / (bottom.sum() - bottom)
    half = quantile(len(top) - 1) * standard_error(without)
    return Interval(estimate, estimate - half, estimate + half)
