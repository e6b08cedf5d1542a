"""The figures of one data set, in the paper's order: svg, png and csv, the same bytes always."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pandas as pd

from guidebench.report.figures import (
    architectures,
    drift,
    evaluations,
    forward,
    outcome,
    rows,
    sampling,
    theme,
)
from guidebench.report.metrics import metrics
from guidebench.report.outcome import points
from guidebench.report.sampled import ways
from guidebench.report.tables import Tables

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Plot(NamedTuple):
    """How a figure is drawn, and the rows behind it."""

    draw: Callable[[Tables, str], Figure]
    rows: Callable[[Tables, str], pd.DataFrame]


def _checks(tables: Tables, dataset: str) -> pd.DataFrame:
    curves = forward.stabilised(tables, dataset)
    drawn = ("grad_cosine", "update_norm")
    return pd.concat([rows.along(tables, dataset, quantity, curves) for quantity in drawn])


def _implicit(tables: Tables, dataset: str) -> pd.DataFrame:
    return rows.along(tables, dataset, "implicit_cosine", forward.IMPLICIT)


def _sensitivity(
    quantity: str, curves: Callable[[Tables, str], list[rows.Curve]] = lambda *_: forward.PLAIN
) -> Plot:
    return Plot(
        lambda tables, name: forward.sensitivity(tables, name, quantity, curves(tables, name)),
        lambda tables, name: rows.along(tables, name, quantity, curves(tables, name)),
    )


def _forward() -> dict[str, Plot]:
    """Along the forward process; made where they are drawn, so that what ran is recorded."""
    return {
        "accuracy": Plot(
            forward.accuracy,
            lambda tables, name: rows.along(tables, name, "accuracy", forward.ACCURACY),
        ),
        "logit_sensitivity": _sensitivity("logit_sensitivity"),
        "grad_sensitivity": _sensitivity("grad_sensitivity"),
        "grad_sensitivity_stabilized": _sensitivity("grad_sensitivity", forward.stabilised),
        "gradient_checks": Plot(forward.gradient_checks, _checks),
    }


STABILIZED = ["grad_sensitivity_stabilized"]
IMPLICIT = Plot(forward.implicit, _implicit)
TRADEOFF = Plot(sampling.tradeoff, sampling.tradeoff_rows)
ARCHITECTURES = Plot(architectures.compared, architectures.rows)
OUTCOME = Plot(outcome.sensitivity, outcome.rows)
EVALUATIONS = Plot(evaluations.quality, evaluations.rows)
DRIFT = Plot(drift.shares, drift.rows)
LOSS = Plot(forward.loss, rows.losses)


def _against_scale(metric: str) -> Plot:
    return Plot(
        lambda tables, name: sampling.against_scale(tables, name, metric),
        lambda tables, name: rows.against_scale(tables, name, metric),
    )


def plots(tables: Tables, dataset: str) -> dict[str, Plot]:
    """The figures of a data set by their file's name; those without any data are left out."""
    found: dict[str, Plot] = {}
    curves = tables.sensitivity[tables.sensitivity.dataset == dataset]
    if len(curves):
        with_stabilizers = bool(forward.stabilizers(tables, dataset))
        found |= {k: v for k, v in _forward().items() if with_stabilizers or k not in STABILIZED}
    if (curves.quantity == "implicit_cosine").any():
        found["implicit"] = IMPLICIT
    for metric, shown in metrics(tables.summary).items():
        if tables.has(dataset, metric):
            found[shown.file] = _against_scale(metric)
    if tables.has(dataset, "is_judge"):
        found["tradeoff"] = TRADEOFF
    if len(set(architectures.guides(tables, dataset).values())) > 1:
        found["architectures"] = ARCHITECTURES
    if points(tables, dataset):
        found["outcome"] = OUTCOME
    if ways(tables, dataset) and evaluations.shown(tables, dataset):
        found["evaluations"] = EVALUATIONS
    if drift.attributes(tables, dataset):
        found["attribute_drift"] = DRIFT
    if (tables.history.dataset == dataset).any():
        found["loss"] = LOSS
    return found


def draw(tables: Tables, dataset: str, folder: Path) -> list[Path]:
    """Draw a data set's figures into `folder`, each beside its rows."""
    paths: list[Path] = []
    with theme.settings():
        for name, plot in plots(tables, dataset).items():
            drawn, behind = plot.draw(tables, dataset), plot.rows(tables, dataset)
            paths += theme.save(drawn, folder, name, behind)
    return paths


def draw_costs(tables: Tables, folder: Path) -> list[Path]:
    """Draw `costs`, the seconds of every stage over all data sets."""
    if tables.costs.empty:
        return []
    with theme.settings():
        behind = sampling.cost_rows(tables.costs)
        return theme.save(sampling.costs(tables.costs), folder, "costs", behind)
