"""Figures of guided samples against the scale (nrCG, figures 5 to 8), and of the costs."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from guidebench.base.cells import Cell
from guidebench.report.figures import rows as tidy
from guidebench.report.figures import theme
from guidebench.report.metrics import METRICS, Metric, metrics
from guidebench.report.sampled import plain
from guidebench.report.tables import BROKEN, FLOOR, Tables

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WIDE = 20.0
LETTERS = 9  # of an axis label, in an inch of a panel's height


def bars(rows: pd.DataFrame) -> np.ndarray:
    """How far intervals reach below and above the values [2, k]; NaN, which draws none, without."""
    return np.array([rows.value - rows.low, rows.high - rows.value], dtype=float)


def against_scale(tables: Tables, dataset: str, metric: str) -> Figure:
    """A metric against the guidance scale, one line per setup, with floor and unguided."""
    drawn, axes = theme.figure()
    table = tidy.against_scale(tables, dataset, metric)
    setups = plain(tables, dataset)
    of_setups = table[table.setup.isin(setups)]
    scales, to_show = list(of_setups.scale), [of_setups[~of_setups.broken]]
    n = int(of_setups.n.max()) if of_setups.n.notna().any() else 0
    least = tables.facts(dataset)["n"]  # of scales that are no finalists, where some are
    crosses = None
    for setup in setups:
        look = theme.style(setup, setups.index(setup))
        own = of_setups[of_setups.setup == setup]
        broken, rows = own.scale[own.broken], own[~own.broken]
        if len(broken):
            form = {"marker": "x", "markersize": 9, "markeredgewidth": 2, "linestyle": ""}
            place = {"transform": axes.get_xaxis_transform(), "clip_on": False, "zorder": 5}
            crosses = axes.plot(broken, [1.0] * len(broken), color=look.color, **form, **place)
        if rows.empty:
            continue
        whiskers = {"yerr": bars(rows), "capsize": 2.5, "elinewidth": 1}
        axes.errorbar(rows.scale, rows.value, **whiskers, **look.marked, label=theme.title(setup))
        few = rows[rows.n <= least] if least < n else rows[:0]
        axes.plot(few.scale, few.value, **look.marked | theme.HOLLOW)
    for cell, look, label in _references(tables, dataset):
        to_show.append(tidy.of_cell(table, cell))
        for row in to_show[-1].to_dict("records"):
            axes.axhspan(row["low"], row["high"], color=look.color, alpha=0.12, lw=0)
            axes.axhline(row["value"], **look.stroke, label=label)
    _scale_axis(axes, scales, "cfg" in {tables.facts(dataset)["setups"][s]["kind"] for s in setups})
    shown = metrics(tables.summary)[metric]
    drawn_rows = pd.concat(to_show)
    value_axis(axes, shown, drawn_rows)
    counts = f"n = {n}" + (f" (hollow: {least})" if least < n else "")
    axes.set_title(f"{dataset}: {shown.title}, {counts}, 95 % intervals")
    if crosses:
        # one entry of the legend for all crosses, in no setup's colour
        broken_cells = f"broken: over {100 * BROKEN:g} % diverged"
        axes.plot([], [], marker="x", linestyle="", color="#333333", label=broken_cells)
    if len(drawn_rows) or crosses:
        theme.legend(axes)
    return drawn


def _references(tables: Tables, dataset: str) -> list[tuple[Cell, theme.Style, str]]:
    """Unguided samples, by each way in which the setups are sampled, and the floor."""
    found = []
    for cell in tidy.unguided(tables, dataset, plain(tables, dataset)):
        broken = " (broken)" if tables.is_broken(dataset, cell) else ""
        found.append((cell, theme.UNGUIDED, f"{cell.setup}{broken}"))
    return [*found, (Cell(FLOOR), theme.FLOOR, "floor (held-out real images)")]


def tradeoff(tables: Tables, dataset: str) -> Figure:
    """Clearness (IS on the judge) against distance (FD), one line per setup over its scales.

    The headline figure of Ho & Salimans 2021 (figure 4), on other features.
    """
    drawn, axes = theme.figure()
    width = tidy.half_width(tables, dataset)
    distance = tables.distance(dataset, "fd")
    setups = plain(tables, dataset)
    table = tradeoff_rows(tables, dataset)
    both = table[table.metric == distance].merge(
        table[table.metric == "is_judge"], on=["setup", "scale"], suffixes=("_x", "_y")
    )
    for setup in setups:
        rows = both[(both.setup == setup) & ~both.broken_x]
        look = theme.style(setup, setups.index(setup))
        half_widths = {"xerr": width * rows.se_x, "yerr": width * rows.se_y}
        whiskers = half_widths | {"capsize": 2, "elinewidth": 0.8}
        axes.errorbar(
            rows.value_x, rows.value_y, **whiskers, **look.marked, label=theme.title(setup)
        )
        beside = {"xytext": (4, 4), "textcoords": "offset points"}
        for row in rows.to_dict("records"):
            point = row["value_x"], row["value_y"]
            axes.annotate(f"{row['scale']:g}", point, fontsize=8, **beside)
    for cell, look, label in _references(tables, dataset):
        for row in both[(both.setup == cell.setup) & both.scale.isna()].to_dict("records"):
            star = {"marker": "*", "markersize": 11, "linestyle": "", "color": look.color}
            axes.plot(row["value_x"], row["value_y"], **star, label=label)
    theme.logarithmic(axes, "x")
    if axes.dataLim.x0 <= 0:  # corrected, a floor's distance can fall below 0
        axes.set_xscale("symlog", linthresh=axes.dataLim.minpos[0], linscale=0.5)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.set_xlabel(f"{distance}, logarithmic, lower is better")
    axes.set_ylabel(METRICS["is_judge"].axis)
    axes.set_title(f"{dataset}: clear against varied; labels are scales")
    theme.legend(axes)
    return drawn


def tradeoff_rows(tables: Tables, dataset: str) -> pd.DataFrame:
    """The points of the trade-off: both metrics of every cell."""
    metrics = (tables.distance(dataset, "fd"), "is_judge")
    return pd.concat([tidy.against_scale(tables, dataset, metric) for metric in metrics])


def _scale_axis(axes: Any, scales: list[float], cfg: bool) -> None:
    positive = [scale for scale in scales if scale > 0]
    if positive and min(scales) > 0:
        axes.set_xscale("log")
    elif positive:
        axes.set_xscale("symlog", linthresh=min(positive), linscale=0.5)
        # left to itself the axis would go on to negative scales
        axes.set_xlim(-0.3 * min(positive), 1.5 * max(positive))
    name = "guidance scale (cfg: weight w)" if cfg else "guidance scale"
    axes.set_xlabel(f"{name}, logarithmic")
    if positive:
        # unlike the default, readable as plain numbers
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")


def value_axis(axes: Any, metric: Metric, rows: pd.DataFrame) -> None:
    """Label and range of a metric's axis, for whole intervals: logarithmic for far distances."""
    label, values = metric.axis, metric.values
    levels = [*rows.value.dropna(), *rows.high.dropna()]
    positive = [level for level in levels if level > 0]
    least = min([*levels, *rows.low.dropna()], default=0.0)
    if values == "share":
        axes.set_ylim(-0.02, 1.04)
    elif values == "distance" and positive:
        if max(positive) <= WIDE * min(positive):
            axes.set_ylim(1.15 * min(0.0, least), max(positive) * 1.15)
        else:
            if min(levels) > 0:
                axes.set_yscale("log")
                # what reaches 0 leaves a logarithmic axis
                bottom = least if least > 0 else min(positive)
                axes.set_ylim(bottom / 2, max(positive) * 2)
            else:  # corrected, a distance near 0 can fall below it
                axes.set_yscale("symlog", linthresh=min(positive), linscale=0.5)
                axes.set_ylim(2 * least, max(positive) * 2)
            axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
            label += " (log scale)"
    height = axes.figure.get_figheight() / axes.get_gridspec().nrows
    axes.set_ylabel(textwrap.fill(label, round(LETTERS * height)))


def cost_rows(table: pd.DataFrame) -> pd.DataFrame:
    """Columns stage, dataset, seconds of all jobs together."""
    table = table.assign(dataset=table.dataset.fillna("").replace("", "all data sets"))
    return table.groupby(["stage", "dataset"])[["seconds"]].sum().reset_index()


def costs(table: pd.DataFrame) -> Figure:
    """Seconds per stage, one bar per stage, stacked over data sets."""
    seconds = cost_rows(table).pivot_table(index="stage", columns="dataset", values="seconds")
    seconds = seconds.fillna(0).sort_index(axis=1)
    # the slowest stage on top
    seconds = seconds.loc[seconds.sum(axis=1).sort_values(kind="stable").index]
    drawn, axes = theme.figure(8.6, 1.2 + 0.3 * len(seconds))
    palette = ["#0072B2", "#E69F00", "#009E73", "#B0558A", "#56B4E9"]
    left = np.zeros(len(seconds))
    for position, dataset in enumerate(seconds.columns):
        color = "#888888" if dataset == "all data sets" else palette[position % len(palette)]
        axes.barh(seconds.index, seconds[dataset], left=left, color=color, label=dataset)
        left += seconds[dataset].to_numpy()
    for stage, total in zip(seconds.index, left, strict=True):
        axes.annotate(f" {total:,.0f}", (total, stage), va="center", fontsize=9)
    axes.grid(axis="y", visible=False)
    axes.margins(x=0.08)
    axes.set_xlabel("seconds of all jobs together (jobs run side by side)")
    axes.set_title("cost per stage")
    theme.legend(axes)
    return drawn
