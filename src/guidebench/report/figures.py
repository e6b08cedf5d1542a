"""The figures of one data set, in the paper's order, as svg and png with the same bytes always."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from guidebench.report import plots_forward, plots_sampling, theme
from guidebench.report.tables import Tables

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Draw = Callable[[Tables, str], "Figure"]

FORWARD: dict[str, Draw] = {
    "accuracy": plots_forward.accuracy,
    "logit_sensitivity": lambda tables, dataset: plots_forward.sensitivity(
        tables, dataset, "logit_sensitivity", plots_forward.PLAIN),
    "grad_sensitivity": lambda tables, dataset: plots_forward.sensitivity(
        tables, dataset, "grad_sensitivity", plots_forward.PLAIN),
    "grad_sensitivity_stabilized": lambda tables, dataset: plots_forward.sensitivity(
        tables, dataset, "grad_sensitivity", plots_forward.stabilised(tables, dataset)),
    "gradient_checks": plots_forward.gradient_checks,
}  # fmt: skip
STABILIZED = ["grad_sensitivity_stabilized"]


def draw(tables: Tables, dataset: str, folder: Path) -> list[Path]:
    """Draw a data set's figures into `folder`; those without any data are left out."""
    paths: list[Path] = []
    with theme.settings():
        known = tables.sensitivity[tables.sensitivity.dataset == dataset]
        if len(known):
            for name, plot in FORWARD.items():
                if name not in STABILIZED or plots_forward.stabilizers(tables, dataset):
                    paths += theme.save(plot(tables, dataset), folder, name)
        if (known.quantity == "implicit_cosine").any():
            paths += theme.save(plots_forward.implicit(tables, dataset), folder, "implicit")
        for metric, name in plots_sampling.FILES.items():
            if tables.has(dataset, metric):
                drawn = plots_sampling.against_scale(tables, dataset, metric)
                paths += theme.save(drawn, folder, name)
        if tables.has(dataset, "is_judge"):
            drawn = plots_sampling.tradeoff(tables, dataset)
            paths += theme.save(drawn, folder, "tradeoff")
        if (tables.history.dataset == dataset).any():
            paths += theme.save(plots_forward.loss(tables, dataset), folder, "loss")
    return paths


def draw_costs(tables: Tables, folder: Path) -> list[Path]:
    """Draw `costs`, the seconds of every stage over all data sets."""
    if tables.costs.empty:
        return []
    with theme.settings():
        return theme.save(plots_sampling.costs(tables.costs), folder, "costs")
