"""Picture sheets: real images, the forward process, and samples of the same seeds side by side."""

import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from guidebench.base.cells import Cell
from guidebench.pipeline.errors import UserError
from guidebench.pipeline.records.artifacts import atomic
from guidebench.report import chosen, sampled
from guidebench.report.tables import Tables

SIDE = 56
GAP = 2
PER_ROW, UNLABELLED = 12, 16
ROWS = 12  # guided setups of the sheet of all
LABEL = 170
TEXT, FRAME = "#222222", "#d4d4d4"

Row = tuple[str, np.ndarray]


def read(npz_path: Path) -> dict[str, np.ndarray]:
    """The uint8 arrays of one data set that stage `collect` wrote; UserError when missing."""
    try:
        with np.load(npz_path) as file:
            return dict(file)
    except FileNotFoundError as error:
        raise UserError(f"{npz_path}: missing; run the stage `collect` first") from error


def draw(pictures: dict[str, np.ndarray], tables: Tables, dataset: str, folder: Path) -> list[Path]:
    """Draw the sheets of one data set into `folder` as PNG; nearest-neighbour, never smoothed."""
    sheets = {"sheet_real": [("", pictures["real"])]}
    if "target" in pictures:
        sheets["sheet_target"] = [("", pictures["target"])]
    sheets["sheet_best"] = _best(pictures, tables, dataset)
    for setup in tables.guided(dataset):
        sheets[scales_name(setup)] = _scales(pictures, tables, dataset, setup)
    for key, images in pictures.items():
        if key.startswith("grid:"):
            _, setup, scale = key.split(":")
            sheets[cell_name(setup, scale)] = _classes(images, tables.facts(dataset), setup)
    strip = forward(pictures["forward"], pictures["forward_t"])
    paths = [save(strip, folder / "sheet_forward.png")]
    for name, rows in sheets.items():
        if rows:
            paths.append(save(sheet(rows), folder / f"{name}.png"))
    return paths


def scales_name(setup: str) -> str:
    """`sheet_scales_clean-x0-ema0.99`: the file stem of a setup's sheet of all scales."""
    return f"sheet_scales_{plain(setup)}"


def cell_name(setup: str, scale: str) -> str:
    """`sheet_grid_cfg_3`: the file stem of a cell's own sheet."""
    return f"sheet_grid_{plain(setup)}_{scale}"


def plain(setup: str) -> str:
    """`clean-x0-ema0.99`: a setup's name as part of a file's."""
    return re.sub(r"[^A-Za-z0-9.@]+", "-", setup)


def _classes(images: np.ndarray, facts: dict[str, Any], setup: str) -> list[Row]:
    """One row per class where classes are generated in turn, else full rows without a label."""
    if facts["target"] != "each":
        return [("", images)]
    if not facts["setups"][setup]["asked"]:
        return [("", images[: len(images) // UNLABELLED * UNLABELLED or len(images)])]
    names = facts["classes"]
    return [(name, images[number :: len(names)]) for number, name in enumerate(names)]


def _best(pictures: dict[str, np.ndarray], tables: Tables, dataset: str) -> list[Row]:
    guided = chosen.pictured(tables, dataset, ROWS)
    free = [cell.setup for cell in tables.without_guidance(dataset)]
    free = sampled.plain(tables, dataset, free)
    free += [tables.unguided(dataset, cell.setup).setup for cell in guided]
    rows = [(name, pictures.get(f"sample:{Cell(name).key}")) for name in dict.fromkeys(free)]
    for cell in guided:
        label = f"{cell.setup}\nscale {cell.scale:g}"
        rows.append((label, pictures.get(f"sample:{cell.key}")))
    return [(label, images) for label, images in rows if images is not None]


def _scales(pictures: dict[str, np.ndarray], tables: Tables, dataset: str, setup: str) -> list[Row]:
    scales = sorted(tables.facts(dataset)["setups"][setup]["scales"])
    keys = {scale: f"sample:{Cell(setup, scale).key}" for scale in scales}
    rows = [
        (f"scale {scale:g}", pictures[key][:PER_ROW])
        for scale, key in keys.items()
        if key in pictures
    ]
    unguided = tables.unguided(dataset, setup)
    images = pictures.get(f"sample:{unguided.key}")
    return [(unguided.setup, images[:PER_ROW]), *rows] if rows and images is not None else rows


def _upscaled(images: np.ndarray) -> np.ndarray:
    """uint8 [N, C, H, W] -> uint8 [N, H', W', 3], each pixel a square of whole pixels."""
    factor = max(1, round(SIDE / images.shape[2]))
    images = images.repeat(factor, axis=2).repeat(factor, axis=3).transpose(0, 2, 3, 1)
    return images if images.shape[3] == 3 else images.repeat(3, axis=3)


def font() -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """What all sheets are labelled in."""
    return ImageFont.load_default(13)


def sheet(rows: Sequence[Row], per_row: int | None = None) -> Image.Image:
    """Rows of pictures uint8 [N, C, H, W], each with a label at its left; long rows are folded.

    At `per_row` pictures; None: PER_ROW, and UNLABELLED without any label.
    """
    drawn = [(label, _upscaled(images)) for label, images in rows]
    height, width = drawn[0][1].shape[1:3]
    left = _label_width([label for label, _ in rows])
    columns = per_row or (PER_ROW if left else UNLABELLED)
    columns = min(columns, max(len(images) for _, images in drawn))
    lines = [math.ceil(len(images) / columns) for _, images in drawn]
    space = 5 * GAP  # between labelled rows
    total = sum(lines) * (height + GAP) + space * (len(drawn) - 1) + GAP
    canvas = Image.new("RGB", (left + columns * (width + GAP) + GAP, total), "white")
    pen, y = ImageDraw.Draw(canvas), GAP
    for (label, images), count in zip(drawn, lines, strict=True):
        pen.multiline_text((4, y + count * height / 2), label, fill=TEXT, font=font(), anchor="lm")
        for number, image in enumerate(images):
            x = left + GAP + number % columns * (width + GAP)
            _paste(canvas, image, x, y + number // columns * (height + GAP))
        y += count * (height + GAP) + space
    return canvas


def _label_width(labels: Sequence[str]) -> int:
    """Pixels that the labels take: LABEL, more for a longer one, 0 where there is none."""
    if not any(labels):
        return 0
    pen = ImageDraw.Draw(Image.new("RGB", (1, 1)))
    widest = max(pen.multiline_textbbox((4, 0), label, font=font())[2] for label in labels)
    return max(LABEL, math.ceil(widest) + 4)


def _paste(canvas: Image.Image, image: np.ndarray, x: int, y: int) -> None:
    """Put a picture on the sheet; its frame shows where it ends, on white backgrounds too."""
    height, width = image.shape[:2]
    frame = (x - 1, y - 1, x + width, y + height)
    ImageDraw.Draw(canvas).rectangle(frame, outline=FRAME)
    canvas.paste(Image.fromarray(image), (x, y))


def forward(noisy: np.ndarray, times: np.ndarray) -> Image.Image:
    """One image uint8 [K, C, H, W] at growing noise, its t [K] written above each picture."""
    images = _upscaled(noisy).repeat(2, axis=1).repeat(2, axis=2)
    height, width = images.shape[1:3]
    top = 20
    canvas = Image.new("RGB", (len(images) * (width + GAP) + GAP, top + height + GAP), "white")
    pen = ImageDraw.Draw(canvas)
    for number, (image, t) in enumerate(zip(images, times, strict=True)):
        x = GAP + number * (width + GAP)
        pen.text((x + width / 2, top / 2), f"t = {t:g}", fill=TEXT, font=font(), anchor="mm")
        _paste(canvas, image, x, top)
    return canvas


def save(image: Image.Image, path: Path) -> Path:
    """Write a PNG; returns its path."""
    with atomic(path) as temporary:
        image.save(temporary, optimize=True)
    return path
