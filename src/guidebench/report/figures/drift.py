"""The figure of attribute drift: where balls lie and how large they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from guidebench.base.cells import Cell
from guidebench.report.drift import cells, errors, unit, values
from guidebench.report.figures import theme
from guidebench.report.figures.rows import unguided
from guidebench.report.sampled import plain
from guidebench.report.tables import Tables

if TYPE_CHECKING:
    from matplotlib.figure import Figure

REAL = Cell("real")
POINTS = 500  # of a curve at most, evenly spaced by rank: at the paper's n a page would not open


def attributes(tables: Tables, dataset: str) -> list[str]:
    """Those whose distribution a changed class leaves as it is: not the turn."""
    return [attribute for attribute in errors(tables, dataset) if unit(attribute)]


def looks(tables: Tables, dataset: str) -> dict[Cell, theme.Style]:
    """Real images, those without guidance, and one way of sampling with each guide."""
    setups = plain(tables, dataset)
    guided = [cell for cell in cells(tables, dataset) if cell.setup in setups]
    return (
        {REAL: theme.FLOOR}
        | dict.fromkeys(unguided(tables, dataset, setups), theme.UNGUIDED)
        | {cell: theme.style(cell.setup, n) for n, cell in enumerate(guided)}
    )


def rows(tables: Tables, dataset: str) -> pd.DataFrame:
    """Columns setup, scale, attribute, value, share: images of the cell below that value."""
    parts = []
    for cell in looks(tables, dataset):
        for attribute in attributes(tables, dataset):
            read = np.sort(values(tables, dataset, cell, attribute))
            read = read[np.isfinite(read)]
            rank = np.linspace(0, len(read) - 1, min(POINTS, len(read))).round().astype(int)
            share = (rank + 0.5) / max(1, len(read))
            columns = {**cell._asdict(), "attribute": attribute, "value": read[rank]}
            columns["share"] = share
            parts.append(pd.DataFrame(columns))
    return pd.concat(parts, ignore_index=True)


def shares(tables: Tables, dataset: str) -> Figure:
    """The distribution of each attribute: its share below a value, by setup at its best scale."""
    table, shown = rows(tables, dataset), attributes(tables, dataset)
    drawn, panels = theme.figure(4 * len(shown), 4.2, columns=len(shown))
    for axes, attribute in zip(np.atleast_1d(panels), shown, strict=True):
        for cell, look in looks(tables, dataset).items():
            curve = table[(table.attribute == attribute) & (table.setup == cell.setup)]
            if len(curve):
                scale = "" if cell.scale is None else f", {cell.scale:g}"
                title = "real images" if cell == REAL else f"{theme.title(cell.setup)}{scale}"
                axes.plot(curve.value, curve.share, **look.stroke, linewidth=1.3, label=title)
        axes.set_xlabel(f"{attribute}{unit(attribute)}")
    np.atleast_1d(panels)[0].set_ylabel("share of images below")
    theme.legend(np.atleast_1d(panels)[-1])
    drawn.suptitle(f"{dataset}: attribute drift", fontsize=10.5)
    return drawn
