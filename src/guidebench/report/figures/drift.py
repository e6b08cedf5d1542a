"""The figure of attribute drift: where balls lie, how large and how turned they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from guidebench.base.cells import Cell
from guidebench.report.drift import cells, unit, values
from guidebench.report.figures import theme
from guidebench.report.tables import Tables

if TYPE_CHECKING:
    from matplotlib.figure import Figure

REAL = Cell("real")
POINTS = 500  # of a curve at most, evenly spaced by rank: at the paper's n a page would not open


def rows(tables: Tables, dataset: str) -> pd.DataFrame:
    """Columns setup, scale, attribute, value, share: images of the cell below that value."""
    parts = []
    for cell in (REAL, tables.unguided(dataset), *cells(tables, dataset)):
        for attribute in dict.fromkeys(tables.attributes.attribute):
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
    table = rows(tables, dataset)
    attributes = list(dict.fromkeys(table.attribute))
    drawn, panels = theme.figure(4 * len(attributes), 4.2, columns=len(attributes))
    looks = {REAL: theme.FLOOR, tables.unguided(dataset): theme.UNGUIDED}
    looks |= {cell: theme.style(cell.setup, n) for n, cell in enumerate(cells(tables, dataset))}
    for axes, attribute in zip(np.atleast_1d(panels), attributes, strict=True):
        for cell, look in looks.items():
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
