"""Sheets of pictures."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from guidebench.report.figures import sheets


def test_a_grid_names_classes_only_where_they_were_asked_for() -> None:
    """Without, the notebook's 64 of 70 images: full rows alone."""
    facts = {
        "target": "each",
        "classes": ["a", "b"],
        "setups": {"unguided": {"asked": False}, "cfg": {"asked": True}},
    }
    images = np.arange(70, dtype=np.uint8).reshape(70, 1, 1, 1)
    rows = dict(sheets._classes(images, facts, "cfg"))
    assert list(rows) == ["a", "b"]
    assert rows["b"].ravel().tolist() == list(range(1, 70, 2))
    assert [(label, len(shown)) for label, shown in sheets._classes(images, facts, "unguided")] == [
        ("", 64)
    ]
    one = facts | {"target": "a"}
    assert len(sheets._classes(images, one, "unguided")[0][1]) == 70


def test_sheet_pixels_are_whole_and_labelled_rows_align(demo: Path) -> None:
    folder = demo / "figures" / "balls"
    with np.load(demo / "pictures" / "balls.npz") as file:
        first = file["real"][0].transpose(1, 2, 0)
    sheet = np.asarray(Image.open(folder / "sheet_real.png"))
    assert (sheet[2:66:2, 2:66:2] == first).all()
    names = {path.stem for path in folder.glob("sheet_*.png")}
    assert {"sheet_best", "sheet_forward", "sheet_scales_clean-x0-ema0.99"} <= names


def test_a_long_name_is_written_whole() -> None:
    name = "clean/x0+ema0.99+carried_state\nscale 1000"
    white = np.full((1, 3, 56, 56), 255, dtype=np.uint8)
    alone = Image.new("RGB", (999, 99), "white")
    ImageDraw.Draw(alone).multiline_text((0, 0), name, fill=sheets.TEXT, font=sheets.font())
    written = [
        (np.asarray(sheet) < 100).all(axis=2).sum()
        for sheet in (alone, sheets.sheet([(name, white)]))
    ]
    assert written[0] == written[1] > 0
