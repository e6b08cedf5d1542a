"""Figures of guidance against the truth: samples over the densities that they are to have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from guidebench.report.figures import theme, truth_errors
from guidebench.report.figures.truth_errors import DISTANCE, guided
from guidebench.report.tables import Tables

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# the three Gaussians, in Okabe and Ito's colours
CLASSES = ["#0072B2", "#D55E00", "#009E73", "#B0558A", "#E69F00", "#56B4E9"]
PANEL = 1.9
KINDS = {
    "exact": "exact networks",
    "learned": "trained networks",
    "guidance": "trained, guidance alone",
}


def draw(tables: Tables, world: str, pictures: dict[str, np.ndarray], folder: Any) -> list[Any]:
    """Draw a world's figures into `folder`; densities of 2-D worlds alone."""
    paths = []
    with theme.settings():
        if "extent" in pictures:
            if any(key.startswith("class:") for key in pictures):
                paths += theme.save(pulled_apart(tables, world, pictures), folder, "truth_classes")
            if guided(tables, world, "tilted").size:
                paths += theme.save(densities(tables, world, pictures), folder, "truth_densities")
        if "curl_density" in pictures:
            paths += theme.save(curl(pictures), folder, "truth_curl")
        paths += theme.save(truth_errors.against_scale(tables, world), folder, "truth_scale")
        if truth_errors.conditional(tables, world) is not None:
            paths += theme.save(
                truth_errors.against_evaluations(tables, world), folder, "truth_evaluations"
            )
        if tables.summary["worlds"][world]["temperatures"]:
            paths += theme.save(
                truth_errors.temperature(tables, world), folder, "truth_temperature"
            )
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


def _panels(rows: int, columns: int) -> tuple[Figure, Any]:
    from matplotlib.figure import Figure

    drawn = Figure(figsize=(PANEL * columns, (PANEL + 0.15) * rows))
    return drawn, drawn.subplots(rows, columns, squeeze=False)


def pulled_apart(tables: Tables, world: str, pictures: dict[str, np.ndarray]) -> Figure:
    """The CFG notes' mixture: every class's guided samples over its tilted density."""
    setups: dict[str, dict[float, dict[int, np.ndarray]]] = {}
    for key, points in pictures.items():
        if key.startswith("class:"):
            _, label, setup, strength = key.split(":")
            scales = setups.setdefault(setup, {})
            scales.setdefault(float(strength), {})[int(label)] = points
    tilted = tables.errors(world, DISTANCE, "tilted")
    columns = max(len(scales) for scales in setups.values())
    drawn, axes = _panels(len(setups), columns)
    for row, (name, cells) in zip(axes, setups.items(), strict=True):
        for panel, (scale, classes) in zip(row, sorted(cells.items()), strict=False):
            power = tilted[(tilted.setup == name) & (tilted.scale == scale)].exponent.iloc[0]
            for number, points in sorted(classes.items()):
                color = CLASSES[number % len(CLASSES)]
                panel.scatter(*points.T, s=2, color=color, alpha=0.45, linewidths=0)
                _contours(panel, pictures[f"density:{power:g}"][number], pictures["extent"], color)
            _panel(panel, pictures["extent"], f"{name}, {scale:g} (s = {power:g})")
        for panel in row[len(cells) :]:
            panel.axis("off")
    return drawn


def densities(tables: Tables, world: str, pictures: dict[str, np.ndarray]) -> Figure:
    """Guided samples of the target over the density that the guidance is read as aiming at."""
    target = tables.summary["worlds"][world]["target"]
    rows = guided(tables, world, "tilted")
    setups = list(dict.fromkeys(rows.setup))
    columns = int(rows.groupby("setup").scale.nunique().max())
    drawn, axes = _panels(len(setups), columns)
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


def curl(pictures: dict[str, np.ndarray]) -> Figure:
    """The curl of each drawn setup's field over the plane, by networks and part of the field."""
    grids: dict[tuple[str, str], dict[str, np.ndarray]] = {}
    for key, grid in pictures.items():
        if key.startswith("curl:"):
            _, reference, setup, strength = key.split(":")
            grids.setdefault((setup, strength), {})[reference] = grid
    density, extent = pictures["curl_density"], pictures["extent"]
    inside = density > density.max() / 100
    limit = max(float(abs(grid[inside]).max()) for of in grids.values() for grid in of.values())
    columns = list(next(iter(grids.values())))
    drawn, axes = _panels(len(grids), len(columns))
    for line, ((setup, strength), of_kind) in zip(axes, grids.items(), strict=True):
        for panel, (reference, grid) in zip(line, of_kind.items(), strict=True):
            image = panel.imshow(
                grid, extent=extent, origin="lower", cmap="RdBu_r", vmin=-limit, vmax=limit
            )
            panel.grid(False)
            _contours(panel, density, extent, "#333333")
            title = f"{setup}, {float(strength):g}\n" if reference == columns[0] else "\n"
            _panel(panel, extent, title + KINDS[reference])
    drawn.colorbar(image, ax=axes, shrink=0.6, label="curl of the guided eps")
    return drawn
