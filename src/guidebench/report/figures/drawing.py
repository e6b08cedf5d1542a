"""The figures of one data set, in the paper's order, as svg and png with the same bytes always."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from guidebench.report.figures import drift, forward, sampling, theme
from guidebench.report.metrics import metrics
from guidebench.report.tables import Tables

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Draw = Callable[[Tables, str], "Figure"]

FORWARD: dict[str, Draw] = {
    "accuracy": forward.accuracy,
    "logit_sensitivity": lambda tables, dataset: forward.sensitivity(
        tables, dataset, "logit_sensitivity", forward.PLAIN
    ),
    "grad_sensitivity": lambda tables, dataset: forward.sensitivity(
        tables, dataset, "grad_sensitivity", forward.PLAIN
    ),
    "grad_sensitivity_stabilized": lambda tables, dataset: forward.sensitivity(
        tables, dataset, "grad_sensitivity", forward.stabilised(tables, dataset)
    ),
    "gradient_checks": forward.gradient_checks,
}
STABILIZED = ["grad_sensitivity_stabilized"]


def draw(tables: Tables, dataset: str, folder: Path) -> list[Path]:
    """Draw a data set's figures into `folder`; those without any data are left out."""
    paths: list[Path] = []
    with theme.settings():
        curves = tables.sensitivity[tables.sensitivity.dataset == dataset]
        if len(curves):
            for name, plot in FORWARD.items():
                if name not in STABILIZED or forward.stabilizers(tables, dataset):
                    paths += theme.save(plot(tables, dataset), folder, name)
        if (curves.quantity == "implicit_cosine").any():
            paths += theme.save(forward.implicit(tables, dataset), folder, "implicit")
        for metric, shown in metrics(tables.summary).items():
            if tables.has(dataset, metric):
                drawn = sampling.against_scale(tables, dataset, metric)
                paths += theme.save(drawn, folder, shown.file)
        if tables.has(dataset, "is_judge"):
            drawn = sampling.tradeoff(tables, dataset)
            paths += theme.save(drawn, folder, "tradeoff")
        if (tables.attributes.dataset == dataset).any():
            paths += theme.save(drift.shares(tables, dataset), folder, "attribute_drift")
        if (tables.history.dataset == dataset).any():
            paths += theme.save(forward.loss(tables, dataset), folder, "loss")
    return paths


def draw_costs(tables: Tables, folder: Path) -> list[Path]:
    """Draw `costs`, the seconds of every stage over all data sets."""
    if tables.costs.empty:
        return []
    with theme.settings():
        return theme.save(sampling.costs(tables.costs), folder, "costs")
