"""Figures of guidance against the truth: densities with samples over them, errors, orders."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from guidebench.report.claims.verdicts import quantile
from guidebench.report.figures import theme
from guidebench.report.tables import Tables

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DISTANCE = "sliced_wasserstein"
# the three Gaussians, in Okabe and Ito's colours
CLASSES = ["#0072B2", "#D55E00", "#009E73", "#B0558A", "#E69F00", "#56B4E9"]
MARKERS = ["o", "s", "^", "v", "D", "P", "X", "<", ">", "h", "p", "*"]
PANEL = 1.9
FLOOR_NAME = "exact samples (floor)"


def draw(tables: Tables, world: str, pictures: dict[str, np.ndarray], folder: Any) -> list[Any]:
    """Draw a world's figures into `folder`; densities of 2-D worlds alone."""
    paths = []
    with theme.settings():
        if "extent" in pictures:
            if any(key.startswith("class:") for key in pictures):
                paths += theme.save(pulled_apart(tables, world, pictures), folder, "truth_classes")
            if _guided(tables, world, "tilted").size:
                paths += theme.save(densities(tables, world, pictures), folder, "truth_densities")
        paths += theme.save(against_scale(tables, world), folder, "truth_scale")
        if _conditional(tables, world) is not None:
            paths += theme.save(against_evaluations(tables, world), folder, "truth_evaluations")
        if tables.summary["worlds"][world]["temperatures"]:
            paths += theme.save(temperature(tables, world), folder, "truth_temperature")
    return paths


def _contours(axes: Any, density: np.ndarray, extent: np.ndarray, color: str) -> None:
    left, right, low, high = extent.tolist()
    x, y = np.linspace(left, right, density.shape[1]), np.linspace(low, high, density.shape[0])
    # levels that hold 39 %, 86 % and 99 % of the mass: one, two and three deviations of a Gaussian
    ordered = np.sort(density.ravel())[::-1]
    mass = np.cumsum(ordered) / ordered.sum()
    levels = sorted({float(ordered[np.searchsorted(mass, share)]) for share in (0.39, 0.86, 0.99)})
    axes.contour(x, y, density, levels=levels, colors=color, linewidths=0.9)


def _panel(axes: Any, extent: np.ndarray, title: str) -> None:
    axes.set_xlim(*extent[:2])
    axes.set_ylim(*extent[2:])
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_aspect("equal")
    axes.spines[:].set_visible(True)
    axes.set_title(title, fontsize=8.5)


def _grid(rows: int, columns: int) -> tuple[Figure, Any]:
    from matplotlib.figure import Figure

    drawn = Figure(figsize=(PANEL * columns, (PANEL + 0.15) * rows))
    return drawn, drawn.subplots(rows, columns, squeeze=False)


def pulled_apart(tables: Tables, world: str, pictures: dict[str, np.ndarray]) -> Figure:
    """The CFG notes' mixture: every class's guided samples over its tilted density."""
    found: dict[str, dict[float, dict[int, np.ndarray]]] = {}
    for key, points in pictures.items():
        if key.startswith("class:"):
            _, label, setup, scale = key.split(":")
            scales = found.setdefault(setup, {})
            scales.setdefault(float(scale), {})[int(label)] = points
    tilted = tables.errors(world, DISTANCE, "tilted")
    columns = max(len(scales) for scales in found.values())
    drawn, axes = _grid(len(found), columns)
    for row, (name, cells) in zip(axes, found.items(), strict=True):
        for panel, (strength, classes) in zip(row, sorted(cells.items()), strict=False):
            power = tilted[(tilted.setup == name) & (tilted.scale == strength)].exponent.iloc[0]
            for number, points in sorted(classes.items()):
                color = CLASSES[number % len(CLASSES)]
                panel.scatter(*points.T, s=2, color=color, alpha=0.45, linewidths=0)
                _contours(panel, pictures[f"density:{power:g}"][number], pictures["extent"], color)
            _panel(panel, pictures["extent"], f"{name}, {strength:g} (s = {power:g})")
        for panel in row[len(cells) :]:
            panel.axis("off")
    return drawn


def _guided(tables: Tables, world: str, reference: str) -> pd.DataFrame:
    """The distances of guided setups with the first sampler."""
    rows = tables.errors(world, DISTANCE, reference)
    first = next(iter(tables.summary["worlds"][world]["samplers"]))
    return rows[(rows.sampler == first) & rows.scale.notna()]


def densities(tables: Tables, world: str, pictures: dict[str, np.ndarray]) -> Figure:
    """Guided samples of the target over the density that the guidance is read as aiming at."""
    target = tables.summary["worlds"][world]["target"]
    rows = _guided(tables, world, "tilted")
    setups = list(dict.fromkeys(rows.setup))
    columns = int(rows.groupby("setup").scale.nunique().max())
    drawn, axes = _grid(len(setups), columns)
    for line, setup in zip(axes, setups, strict=True):
        cells = rows[rows.setup == setup].sort_values("scale")
        for panel, cell in zip(line, cells.itertuples(), strict=False):
            points = pictures[f"points:{setup}:{cell.scale}"]
            panel.scatter(*points.T, s=2, color="#444444", alpha=0.5, linewidths=0)
            density = pictures[f"density:{cell.exponent:g}"][target]
            _contours(panel, density, pictures["extent"], "#D55E00")
            _panel(panel, pictures["extent"], f"{setup}, {cell.scale:g}\nSW {cell.value:.3f}")
        for panel in line[len(cells) :]:
            panel.axis("off")
    return drawn


def against_scale(tables: Tables, world: str) -> Figure:
    """Distance to the conditional and to the tilted density, against its exponent s."""
    drawn, axes = theme.figure(13, 4.8, columns=2)
    first = next(iter(tables.summary["worlds"][world]["samplers"]))
    reach = quantile(tables.summary["worlds"][world]["blocks"] - 1)
    floor = tables.errors(world, DISTANCE, "floor").sort_values("exponent")
    aimed = tables.errors(world, DISTANCE, "tilted").setup
    for panel, reference in zip(axes, ("conditional", "tilted"), strict=True):
        rows = _guided(tables, world, reference)
        rows = rows[rows.setup.isin(aimed)]
        for number, (setup, line) in enumerate(rows.groupby("setup", sort=False)):
            power = _power(tables, world, str(setup), line)
            panel.errorbar(
                power,
                line.value,
                yerr=reach * line.se,
                label=str(setup),
                marker=MARKERS[number % len(MARKERS)],
                capsize=2,
                elinewidth=0.8,
                linewidth=1.1,
                color=_color(number),
            )
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


def _power(tables: Tables, world: str, setup: str, line: pd.DataFrame) -> pd.Series:
    """The tilted density's exponent of rows of any reference."""
    tilted = tables.errors(world, DISTANCE, "tilted")
    known = tilted[tilted.setup == setup].drop_duplicates("scale").set_index("scale").exponent
    return line.scale.map(known)


def _conditional(tables: Tables, world: str) -> str | None:
    """The setup that samples p(x | y) without guidance, if there is one."""
    tilted = tables.errors(world, DISTANCE, "tilted")
    found = tilted[(tilted.exponent == 1) & tilted.scale.isna()].setup
    return str(found.iloc[0]) if len(found) else None


def against_evaluations(tables: Tables, world: str) -> Figure:
    """Each sampler's distance from the conditional density against denoiser evaluations."""
    drawn, axes = theme.figure(8.6, 4.2)
    kinds = tables.summary["worlds"][world]["samplers"]
    rows = tables.errors(world, DISTANCE, "conditional")
    rows = rows[rows.setup == _conditional(tables, world)]
    reach = quantile(tables.summary["worlds"][world]["blocks"] - 1)
    for number, (kind, line) in enumerate(rows.groupby(rows.sampler.map(kinds), sort=False)):
        ordered = line.sort_values("evaluations")
        axes.errorbar(
            ordered.evaluations,
            ordered.value,
            yerr=reach * ordered.se,
            label=str(kind),
            marker=MARKERS[number % len(MARKERS)],
            capsize=2,
            color=_color(number),
        )
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
            panel.errorbar(
                x,
                line.value,
                yerr=reach * line.se,
                label=f"temperature {value:g}",
                marker=MARKERS[number % len(MARKERS)],
                capsize=2,
                color=_color(2 * number),
            )
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
