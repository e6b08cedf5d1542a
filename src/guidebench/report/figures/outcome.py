"""The figure of sensitivity tied to outcome."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from guidebench.report import outcome
from guidebench.report.figures import rows as tidy
from guidebench.report.figures import theme
from guidebench.report.figures.sampling import bars, value_axis
from guidebench.report.metrics import metrics
from guidebench.report.tables import Tables

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def rows(tables: Tables, dataset: str) -> pd.DataFrame:
    """Columns setup, scale, sensitivity, its _low and _high, and those of `tidy.against_scale`.

    Of the setups at their selected scale, each with both metrics. `low` and `high` are ends of 95 %
    intervals, of the sensitivity those of a bootstrap over images.
    """
    found = outcome.points(tables, dataset)
    drawn = outcome.of_images(found, np.random.default_rng(outcome.SEED))
    low, high = np.quantile(drawn, outcome.TAILS, axis=0)
    measured = pd.DataFrame(
        {
            "setup": [cell.setup for cell, _ in found],
            "scale": [cell.scale for cell, _ in found],
            "sensitivity": [values.mean() for _, values in found],
            "sensitivity_low": low,
            "sensitivity_high": high,
        }
    )
    reached = [
        measured.merge(tidy.against_scale(tables, dataset, metric), on=["setup", "scale"])
        for metric in outcome.metrics(tables, dataset)
    ]
    return pd.concat(reached, ignore_index=True).drop(columns="broken")


def sensitivity(tables: Tables, dataset: str) -> Figure:
    """What guidance reaches against the gradient's mean sensitivity, one point per setup."""
    table = rows(tables, dataset)
    drawn, panels = theme.figure(9.6, 4.8, columns=2)
    setups = tables.guided(dataset)
    for axes, metric in zip(panels, outcome.metrics(tables, dataset), strict=True):
        own = table[table.metric == metric]
        for number, row in own.iterrows():
            look = theme.style(row.setup, setups.index(row.setup))
            ends = [
                [row.sensitivity - row.sensitivity_low],
                [row.sensitivity_high - row.sensitivity],
            ]
            axes.errorbar(
                [row.sensitivity],
                [row.value],
                xerr=ends,
                yerr=bars(own.loc[[number]]),
                color=look.color,
                marker=look.marker,
                markersize=7,
                linestyle="",
                capsize=2.5,
                elinewidth=1,
                label=f"{theme.title(row.setup)}, {row.scale:g}",
            )
        theme.logarithmic(axes, "x")
        value_axis(axes, metrics(tables.summary)[metric], own)
        axes.set_xlabel("mean gradient sensitivity (log scale)")
        axes.set_title(metrics(tables.summary)[metric].title)
    drawn.suptitle(f"{dataset}: sensitivity and outcome, 95 % intervals", fontsize=10.5)
    handles, labels = panels[0].get_legend_handles_labels()
    drawn.legend(handles, labels, loc="outside lower center", ncols=3, fontsize=8)
    return drawn
