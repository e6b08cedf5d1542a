"""Figures of a world's errors: distance from the truth by scale, evaluations and temperature."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from guidebench.report.claims.verdicts import quantile
from guidebench.report.figures import theme
from guidebench.report.tables import Tables

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DISTANCE = "sliced_wasserstein"
MARKERS = ["o", "s", "^", "v", "D", "P", "X", "<", ">", "h", "p", "*"]
FLOOR_NAME = "exact samples (floor)"


def guided(tables: Tables, world: str, reference: str) -> pd.DataFrame:
    """The distances of guided setups with the first sampler."""
    rows = tables.errors(world, DISTANCE, reference)
    first = next(iter(tables.summary["worlds"][world]["samplers"]))
    return rows[(rows.sampler == first) & rows.scale.notna()]


def against_scale(tables: Tables, world: str) -> Figure:
    """Distance to the conditional and to the tilted density, against its exponent s."""
    drawn, axes = theme.figure(13, 4.8, columns=2)
    first = next(iter(tables.summary["worlds"][world]["samplers"]))
    reach = quantile(tables.summary["worlds"][world]["blocks"] - 1)
    floor = tables.errors(world, DISTANCE, "floor").sort_values("exponent")
    aimed = tables.errors(world, DISTANCE, "tilted").setup
    for panel, reference in zip(axes, ("conditional", "tilted"), strict=True):
        rows = guided(tables, world, reference)
        rows = rows[rows.setup.isin(aimed)]
        for number, (setup, line) in enumerate(rows.groupby("setup", sort=False)):
            exponents = _exponents(tables, world, str(setup), line)
            thin: dict[str, Any] = {"elinewidth": 0.8, "linewidth": 1.1}
            _errorbar(panel, exponents, line, reach, number, label=str(setup), **thin)
        shown = floor if reference == "tilted" else floor[floor.exponent == 1]
        if reference == "tilted":
            panel.plot(
                shown.exponent, shown.value, color="#333333", linestyle=":", label=FLOOR_NAME
            )
        elif len(shown):
            panel.axhline(shown.value.iloc[0], color="#333333", linestyle=":", label=FLOOR_NAME)
        theme.logarithmic(panel, "y")
        panel.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
        panel.set_xlabel("s of p(x) p(y | x)^s: guidance scale, or 1 + w of cfg")
        panel.set_title(f"to the {reference} density", fontsize=10)
    axes[0].set_ylabel("sliced Wasserstein distance, lower is better")
    theme.legend(axes[1])
    n = tables.summary["worlds"][world]["n"]
    drawn.suptitle(f"{world}: {first}, n = {n} points, 95 % intervals", fontsize=10.5)
    return drawn


def _exponents(tables: Tables, world: str, setup: str, line: pd.DataFrame) -> pd.Series:
    """The tilted density's exponent of rows of any reference."""
    tilted = tables.errors(world, DISTANCE, "tilted")
    exponents = tilted[tilted.setup == setup].drop_duplicates("scale").set_index("scale").exponent
    return line.scale.map(exponents)


def conditional(tables: Tables, world: str) -> str | None:
    """The setup that samples p(x | y) without guidance, if there is one."""
    tilted = tables.errors(world, DISTANCE, "tilted")
    setups = tilted[(tilted.exponent == 1) & tilted.scale.isna()].setup
    return str(setups.iloc[0]) if len(setups) else None


def against_evaluations(tables: Tables, world: str) -> Figure:
    """Each sampler's distance from the conditional density against denoiser evaluations."""
    drawn, axes = theme.figure(8.6, 4.2)
    kinds = tables.summary["worlds"][world]["samplers"]
    rows = tables.errors(world, DISTANCE, "conditional")
    rows = rows[rows.setup == conditional(tables, world)]
    reach = quantile(tables.summary["worlds"][world]["blocks"] - 1)
    for number, (kind, line) in enumerate(rows.groupby(rows.sampler.map(kinds), sort=False)):
        ordered = line.sort_values("evaluations")
        _errorbar(axes, ordered.evaluations, ordered, reach, number, label=str(kind))
    floor = tables.errors(world, DISTANCE, "floor")
    floor = floor[floor.exponent == 1]
    if len(floor):
        axes.axhline(floor.value.iloc[0], color="#333333", linestyle=":", label=FLOOR_NAME)
    theme.logarithmic(axes, "x", "y")
    for axis in (axes.xaxis, axes.yaxis):
        _plain(axis)
    axes.set_xlabel("denoiser evaluations per point")
    axes.set_ylabel("sliced Wasserstein distance")
    axes.set_title(f"{world}: samplers of p(x | y) with the exact denoiser, 95 % intervals")
    theme.legend(axes)
    return drawn


def temperature(tables: Tables, world: str) -> Figure:
    """Does a low temperature act like a large scale? The same setup at several temperatures.

    Left against the scale, right against scale / temperature: where curves meet, only that ratio
    counts (CFG notes, temperature).
    """
    facts = tables.summary["worlds"][world]
    group, first = facts["temperatures"][0], next(iter(facts["samplers"]))
    drawn, axes = theme.figure(11, 4, columns=2)
    reach = quantile(facts["blocks"] - 1)
    rows = tables.errors(world, DISTANCE, "conditional")
    for number, (setup, value) in enumerate(sorted(group.items(), key=lambda item: item[1])):
        line = rows[(rows.setup == setup) & (rows.sampler == first)].sort_values("scale")
        for panel, x in zip(axes, (line.scale, line.scale / value), strict=True):
            _errorbar(panel, x, line, reach, number, shade=2, label=f"temperature {value:g}")
            theme.logarithmic(panel, "x", "y")
            for axis in (panel.xaxis, panel.yaxis):
                _plain(axis)
    axes[0].set_xlabel("guidance scale")
    axes[1].set_xlabel("guidance scale / temperature")
    axes[0].set_ylabel("sliced Wasserstein distance from p(x | y)")
    theme.legend(axes[1])
    name = min(group, key=len)
    drawn.suptitle(f"{world}: {name}, temperature beside scale, 95 % intervals", fontsize=10.5)
    return drawn


def _errorbar(
    axes: Any,
    x: pd.Series,
    rows: pd.DataFrame,
    reach: float,
    number: int,
    shade: int = 1,
    **own: Any,
) -> None:
    """A line of values with their intervals in the look of its number."""
    look = {"marker": MARKERS[number % len(MARKERS)], "color": _color(shade * number)}
    axes.errorbar(x, rows.value, yerr=reach * rows.se, capsize=2, **look, **own)


def _plain(axis: Any) -> None:
    """Ticks at 1, 2 and 5 of each decade, as plain numbers."""
    from matplotlib.ticker import LogLocator, NullFormatter

    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter(lambda value, _: f"{value:g}")
    axis.set_minor_formatter(NullFormatter())


def _color(number: int) -> str:
    from matplotlib import colormaps
    from matplotlib.colors import to_hex

    return str(to_hex(colormaps["tab20"](number % 20)))
