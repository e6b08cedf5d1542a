"""The figure of quality against denoiser evaluations: fewer steps, other samplers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from guidebench.base.cells import Cell
from guidebench.report.figures import rows as tidy
from guidebench.report.figures import sampling, theme
from guidebench.report.metrics import METRICS
from guidebench.report.sampled import ways
from guidebench.report.tables import FLOOR, Measure, Tables

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PASSES = {"evaluations": "denoiser_evaluations", "backward_passes": "backward_passes"}


def shown(tables: Tables, dataset: str) -> list[str]:
    """What is shown of quality: the cFD and the judge's accuracy, where they were measured."""
    both = [tables.distance(dataset, "cfd"), "accuracy_judge"]
    return [metric for metric in both if tables.has(dataset, metric)]


def rows(tables: Tables, dataset: str) -> pd.DataFrame:
    """Columns guide, sampler, steps, setup, scale, passes of an image, metric, and its interval.

    Of each way at its scale chosen on selection seeds; then the floor, which has no guide.
    """
    found = []
    every = ways(tables, dataset)
    for metric in shown(tables, dataset):
        setups = [way.setup for way in every]
        values = tidy.against_scale(tables, dataset, metric, setups)
        for way in every:
            cell = tables.best(dataset, way.setup)
            if cell is None:
                continue
            costs = {key: tables.measure(dataset, cell, name) for key, name in PASSES.items()}
            own = values[(values.setup == way.setup) & (values.scale == cell.scale)]
            passes = {key: cost.value if cost else np.nan for key, cost in costs.items()}
            found.append(own.assign(**way._asdict(), **passes))
        found.append(tidy.of_cell(values, Cell(FLOOR)))
    columns = ["guide", "sampler", "steps", "setup", "scale", *PASSES, "metric", "broken"]
    columns += ["low", "high", *Measure._fields]
    return pd.concat(found, ignore_index=True).reindex(columns=columns)


def quality(tables: Tables, dataset: str) -> Figure:
    """The cFD and the judge's accuracy against evaluations: a column a sampler, a line a guide."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import LogLocator, NullFormatter

    every, table = ways(tables, dataset), rows(tables, dataset)
    whole = table[~table.broken.astype(bool)]
    samplers = list(dict.fromkeys(way.sampler for way in every))
    guides = list(dict.fromkeys(way.guide for way in every))
    metrics = shown(tables, dataset)
    drawn = Figure(figsize=(2.2 + 3 * len(samplers), 1 + 2.7 * len(metrics)))
    panels = drawn.subplots(len(metrics), len(samplers), squeeze=False, sharex=True, sharey="row")
    for line, metric in zip(panels, metrics, strict=True):
        for axes, sampler in zip(line, samplers, strict=True):
            for place, guide in enumerate(guides):
                own = whole[(whole.metric == metric) & (whole.sampler == sampler)]
                own = own[own.guide == guide].sort_values("evaluations")
                look = theme.style(guide, place)
                axes.errorbar(
                    own.evaluations,
                    own.value,
                    yerr=sampling.bars(own),
                    color=look.color,
                    marker=look.marker,
                    linestyle=look.line,
                    capsize=2.5,
                    elinewidth=1,
                    label=theme.title(guide),
                )
            for floor in table.value[(table.metric == metric) & (table.setup == FLOOR)]:
                axes.axhline(floor, color=theme.FLOOR.color, linestyle=theme.FLOOR.line)
        sampling.value_axis(line[0], METRICS[metric], whole[whole.metric == metric])
    for axes, sampler in zip(panels[0], samplers, strict=True):
        axes.set_title(sampler)
    for axes in panels[-1]:
        theme.logarithmic(axes, "x")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.set_xlabel("denoiser evaluations an image")
    theme.legend(panels[0][-1])
    n = int(table.n.max()) if table.n.notna().any() else 0
    drawn.suptitle(
        f"{dataset}: quality against denoiser evaluations, n = {n}, 95 % intervals", fontsize=10.5
    )
    return drawn
