"""Tables 1 to 3 and figure 9: which samples stand where, and which numbers above them."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import synthetic_tables as synthetic
from PIL import Image
from table_edits import EMA99, diverge, without

from guidebench.base.cells import Cell
from guidebench.report.claims.intervals import proportion
from guidebench.report.claims.verdicts import times
from guidebench.report.figures import paper_sheets, sheets
from guidebench.report.tables import Tables


def pictures(tables: Tables, side: int = 8, count: int = 20) -> dict[str, np.ndarray]:
    """Flat images whose grey is their seed, or 100 more where they are guided."""
    cells = [tables.unguided("balls"), Cell(EMA99, 100.0)]
    return {
        f"first:{cell.key}": np.full((count, 3, side, side), 100 * place, np.uint8)
        + np.arange(count, dtype=np.uint8).reshape(-1, 1, 1, 1)
        for place, cell in enumerate(cells)
    } | {"judged": np.arange(count) % 4}


def corner(sheet: np.ndarray, grey: int) -> tuple[int, int] | None:
    """Row and column of the first picture of that grey: no letter is as large as 40 pixels."""
    same = (sheet == grey).all(2)
    found = np.argwhere(same[:-40, :-40] & same[40:, 40:] & same[40:, :-40] & same[:-40, 40:])
    return (int(found[0, 0]), int(found[0, 1])) if len(found) else None


def test_seeds_of_the_second_row_are_those_that_the_judge_calls_another_class() -> None:
    facts = {"target": "baseball", "classes": ["baseball", "basketball", "volleyball"]}
    judged = np.array([0, 1, -1, 0, 2, 1, 0])  # the third diverged: it is of no class
    assert paper_sheets.called_another(judged, facts).tolist() == [1, 4, 5]
    male = {"target": "Male: false", "classes": ["Male: false", "Male: true"]}
    assert paper_sheets.called_another(np.array([1, 0, 1]), male).tolist() == [0, 2]
    for target in ("each", None):
        assert not len(paper_sheets.called_another(judged, facts | {"target": target}))


def test_the_halves_are_of_the_same_seeds_at_the_same_places(tmp_path: Path) -> None:
    tables = synthetic.tables()
    found = pictures(tables)
    paths = {path.name for path in paper_sheets.draw(found, tables, "balls", tmp_path)}
    assert paths == {
        "sheet_table.png",
        "sheet_table.csv",
        "sheet_generations_unguided-none.png",
        "sheet_generations_clean-x0-ema0.99-100.png",
    }
    sheet = np.asarray(Image.open(tmp_path / "sheet_table.png")).astype(int)
    places = {seed: (corner(sheet, seed), corner(sheet, 100 + seed)) for seed in range(20)}
    for unguided, guided in places.values():
        assert (unguided is None) == (guided is None)
        if unguided and guided:
            assert guided[0] == unguided[0]
            assert guided[1] > unguided[1]
    tops = [places[seed][0] for seed in (0, 4, 5, 9)]  # of the first ten, five to a line
    assert [top[0] - tops[0][0] for top in tops] == [0, 0, 58, 58]
    assert [top[1] - tops[0][1] for top in tops] == [0, 4 * 58, 0, 4 * 58]
    # below them 1, 2, 3, 5, 6, 7, 9, 10, 11, 13, which the judge does not call a baseball
    assert all(places[seed][0][0] > tops[2][0] + 58 for seed in (10, 11, 13))
    assert [seed for seed, (top, _) in places.items() if top is None] == [12, *range(14, 20)]


def test_what_stands_above_a_half_is_what_was_measured() -> None:
    tables = synthetic.tables()
    unguided, guided = paper_sheets.halves(pictures(tables), tables, "balls")
    assert unguided.lines[0] == "unguided"
    assert guided.lines == [
        "clean (non-robust), x0+ema0.99, scale 100",
        f"accuracy_guide: {times(proportion(0.99, synthetic.N), 100)} %",
        "fd_judge: 8.50 ± 0.17",
        "cfd_judge: 3.00 ± 0.06",
    ]


def test_the_rows_behind_the_table(tmp_path: Path) -> None:
    tables = synthetic.tables()
    paper_sheets.draw(pictures(tables), tables, "balls", tmp_path)
    table = pd.read_csv(tmp_path / "sheet_table.csv")
    assert table.metric.tolist() == ["accuracy_guide", "fd_judge", "cfd_judge"] * 2
    assert table.setup.tolist() == ["unguided"] * 3 + [EMA99] * 3
    assert table.value.tolist() == pytest.approx([0.25, 2.0, 40.0, 0.99, 8.5, 3.0])
    assert table.scale.dropna().tolist() == [100.0] * 3


def test_without_a_guided_setup_there_are_generations_alone(tmp_path: Path) -> None:
    tables = synthetic.tables()
    for setup in tables.guided("balls"):
        without(setup)(tables)
    paths = paper_sheets.draw(pictures(tables), tables, "balls", tmp_path)
    assert [path.name for path in paths] == ["sheet_generations_unguided-none.png"]


def test_where_all_setups_broke_nothing_is_best() -> None:
    tables = synthetic.tables()
    for setup in tables.guided("balls"):
        diverge(tables, setup, 1.0, "selection", "evaluation")
    shown = paper_sheets.halves(pictures(tables), tables, "balls")
    assert [half.cell for half in shown] == [Cell("unguided")]
    diverge(tables, "unguided", 1.0, "evaluation")
    (shown,) = paper_sheets.halves(pictures(tables), tables, "balls")
    assert shown.lines[0] == "unguided (broken)"


def test_generations_stand_sixteen_to_a_line_and_large_ones_are_averaged() -> None:
    images = np.zeros((40, 3, 128, 128), np.uint8)
    images[:, :, ::2, ::2] = 200
    small = paper_sheets._reduced(images)
    assert small.shape == (40, 3, 64, 64)
    assert (small == 50).all()
    sheet = sheets.sheet([("", small)])
    assert sheet.size == (16 * 66 + 2, 3 * 66 + 2)
    odd = np.zeros((1, 3, 81, 81), np.uint8)
    assert paper_sheets._reduced(odd) is odd  # 81 is no whole number of twos
