"""The paper's sheets of samples: tables 1 to 3 with their metrics, and figure 9's generations."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from PIL import Image, ImageDraw

from guidebench.base.cells import Cell
from guidebench.report.chosen import beside
from guidebench.report.claims.intervals import proportion
from guidebench.report.claims.verdicts import times
from guidebench.report.figures import rows, sheets, theme
from guidebench.report.metrics import exact_share
from guidebench.report.tables import Tables
from guidebench.report.words import MISSING, distance

ACROSS, FIRST = 5, 10  # samples of a row, and in all, of each half of the paper's tables
LINE, MARGIN = 17, 14
LARGEST = 64  # side of a picture among the generations
TABLE = "sheet_table"


def scored(tables: Tables, dataset: str) -> list[str]:
    """The metrics of the paper's tables: accuracy by the guide, FID and cFID.

    On the judge's features where Inception is absent; those that were not measured are left out.
    """
    wanted = (["accuracy_guide"], ["fid", "fd_judge"], ["cfid", "cfd_judge"])
    found = ([name for name in names if tables.has(dataset, name)][:1] for names in wanted)
    return [name for names in found for name in names]


def called_another(judged: np.ndarray, facts: dict[str, Any]) -> np.ndarray:
    """Seeds whose unguided sample the judge takes for another class than the target's, in order.

    `judged`: the class [N] of each, -1 where there is none. Empty without one target class.
    """
    if facts["target"] not in facts["classes"]:
        return np.flatnonzero(judged < -1)
    return np.flatnonzero((judged >= 0) & (judged != facts["classes"].index(facts["target"])))


class Half(NamedTuple):
    """A cell as the paper's tables show it: what was measured, and its samples by seed."""

    cell: Cell
    lines: list[str]
    images: np.ndarray  # uint8 [N, C, H, W] of the first seeds


def halves(pictures: dict[str, np.ndarray], tables: Tables, dataset: str) -> list[Half]:
    """Unguided, the winner, and the paper's best setup where it is another."""
    return [
        Half(cell, _lines(tables, dataset, cell), pictures[f"first:{cell.key}"])
        for cell in beside(tables, dataset)
        if f"first:{cell.key}" in pictures
    ]


def _lines(tables: Tables, dataset: str, cell: Cell) -> list[str]:
    """What stands above a half: the setup, and each metric with its error."""
    scale = "" if cell.scale is None else f", scale {cell.scale:g}"
    broken = " (broken)" if tables.is_broken(dataset, cell) else ""
    lines = [f"{theme.title(cell.setup)}{scale}{broken}"]
    for metric in scored(tables, dataset):
        value = tables.measure(dataset, cell, metric)
        if value and exact_share(metric):
            lines.append(f"{metric}: {times(proportion(value.value, value.n), 100)} %")
        else:
            lines.append(f"{metric}: {distance(value) if value else MISSING}")
    # the sheets' font has no glyph of either
    return [line.replace("\u00a0", " ").replace("†", "(n < features)") for line in lines]


def draw(pictures: dict[str, np.ndarray], tables: Tables, dataset: str, folder: Path) -> list[Path]:
    """Draw tables 1 to 3, with the rows behind their numbers, and figure 9, into `folder`.

    `pictures` holds `first:<setup>:<scale>`, uint8 [N, C, H, W], and `judged` [N]. Without a guided
    setup there is nothing to show beside unguided: figure 9 alone.
    """
    shown = halves(pictures, tables, dataset)
    paths = []
    for half in shown:
        image = sheets.sheet([("", _reduced(half.images))])
        paths.append(sheets.save(image, folder / f"{generations_name(half.cell)}.png"))
    if len(shown) < 2:
        return paths
    judged = pictures.get("judged", np.array([], int))
    facts = tables.facts(dataset)
    others = called_another(judged, facts)[:FIRST]
    rest = [name for name in facts["classes"] if name != facts["target"]]
    called = rest[0] if len(rest) == 1 else f"no {facts['target']}"
    return [
        *paths,
        sheets.save(_table(shown, others, called), folder / f"{TABLE}.png"),
        theme.save_rows(_rows(tables, dataset, [half.cell for half in shown]), folder, TABLE),
    ]


def generations_name(cell: Cell) -> str:
    """`sheet_generations_clean-x0-ema0.99-100`: the file stem of figure 9's sheet of a cell."""
    return f"sheet_generations_{sheets.plain(cell.key)}"


def _rows(tables: Tables, dataset: str, cells: Sequence[Cell]) -> pd.DataFrame:
    """What `rows.against_scale` has of these cells."""
    guided = [cell.setup for cell in cells if cell.scale is not None]
    table = pd.concat(
        [rows.against_scale(tables, dataset, metric, guided) for metric in scored(tables, dataset)]
    )
    found = [
        table[
            (table.setup == setup) & (table.scale.isna() if scale is None else table.scale == scale)
        ]
        for setup, scale in cells
    ]
    return pd.concat(found)


def _reduced(images: np.ndarray) -> np.ndarray:
    """Large pictures, averaged over whole squares of pixels to at most LARGEST where these fit."""
    n, channels, height, width = images.shape
    factor = -(-height // LARGEST)
    if height % factor or width % factor:
        return images
    squares = images.reshape(n, channels, height // factor, factor, width // factor, factor)
    return np.rint(squares.mean((3, 5))).astype(np.uint8)


def _table(shown: Sequence[Half], others: np.ndarray, called: str) -> Image.Image:
    """The halves side by side: metrics, the first samples, then those of the seeds `others`.

    `called`: what the judge calls these unguided.
    """
    titled = [f"unguided, the judge calls these {called}:", f"seeds {', '.join(map(str, others))}"]
    columns = []
    for half in shown:
        parts = [(half.lines, half.images[:FIRST])]
        if len(others):
            parts.append((titled, half.images[others]))
        columns.append(
            [(lines, sheets.sheet([("", images)], per_row=ACROSS)) for lines, images in parts]
        )
    return _side_by_side(columns)


def _side_by_side(columns: Sequence[Sequence[tuple[list[str], Image.Image]]]) -> Image.Image:
    """Columns of sheets, each below its lines of text; the sheets of a row begin at one height."""
    font = sheets.font()
    widths = [
        max(
            max(picture.width, *(round(font.getlength(line)) for line in lines))
            for lines, picture in column
        )
        for column in columns
    ]
    heights = [
        max(LINE * len(lines) + picture.height + MARGIN for lines, picture in row)
        for row in zip(*columns, strict=True)
    ]
    size = (sum(widths) + MARGIN * (len(widths) + 1), sum(heights) + MARGIN)
    canvas = Image.new("RGB", size, "white")
    pen, x = ImageDraw.Draw(canvas), MARGIN
    for width, column in zip(widths, columns, strict=True):
        y = MARGIN
        for height, (lines, picture) in zip(heights, column, strict=True):
            for number, line in enumerate(lines):
                pen.text((x, y + LINE * number), line, fill=sheets.TEXT, font=font)
            canvas.paste(picture, (x, y + LINE * len(lines)))
            y += height
        x += width + MARGIN
    return canvas
