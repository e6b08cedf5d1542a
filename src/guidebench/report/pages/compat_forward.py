"""What the choices of the public nrCG code change along the forward process (docs/compat.md)."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from guidebench.base.choices import FORWARD_COMPAT
from guidebench.base.jackknife import agresti_coull, standard_error
from guidebench.report.claims.intervals import mean
from guidebench.report.claims.verdicts import Interval, quantile, times
from guidebench.report.figures import theme
from guidebench.report.tables import Tables
from guidebench.report.words import table

QUANTITIES = ("logit_sensitivity", "grad_sensitivity")


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
            change = (pair[0] - pair[1]).mean(0)
            # where no image changes, as `verdicts.contrast` has it
            effect = str(times(mean(change, least=agresti_coull(0, len(change))), 100))
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
