"""Sheets of pictures."""

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import synthetic_tables as synthetic
from PIL import Image, ImageDraw
from table_edits import EMA9, EMA99

from guidebench.report.figures import films, sheets


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


def test_the_sheet_of_all_has_a_row_for_each_guide_and_no_more_than_a_reader_looks_at() -> None:
    tables = synthetic.tables()
    samples = np.zeros((2, 3, 8, 8), dtype=np.uint8)
    setups, rows = tables.facts("balls")["setups"], tables.results
    parts = [rows]
    for number in range(sheets.ROWS):
        heun = {"sampler": "heun", "steps": number}
        for setup, variant in {
            EMA99: heun,
            "unguided": heun,
            EMA9: {"temperature": number},
        }.items():
            name = f"{setup}@{'-'.join(map(str, variant.values()))}"
            setups[name] = setups[setup] | {"variant": variant}
            parts.append(rows[rows.setup == setup].assign(setup=name))
    tables = dataclasses.replace(tables, results=pd.concat(parts, ignore_index=True))

    class Every(dict[str, np.ndarray]):
        """Samples of whichever cell."""

        def get(self, key: str, default: object = None) -> np.ndarray:
            return samples

    labels = [label for label, _ in sheets._best(Every(), tables, "balls")]
    assert len(labels) == 1 + sheets.ROWS
    assert labels[0] == "unguided"
    assert not any("heun" in label for label in labels)
    assert f"{EMA99}\nscale 100" in labels
    films_of = [label for label, _ in films._films(Every(), tables, "balls")]
    assert len(films_of) == 1 + films.FILMS
    assert films_of[0] == "unguided"
