"""Who wins: ties, winners chosen on other seeds, same images, ends of the grid, broken cells."""

import dataclasses

import pandas as pd
import pytest
import synthetic_tables as synthetic
from table_edits import ADAM, EMA9, EMA99, level, row, with_choosers, with_columns, wobble

from guidebench.base.cells import Cell
from guidebench.base.jackknife import standard_error
from guidebench.report import chosen
from guidebench.report.claims.verdicts import difference, quantile
from guidebench.report.columns import columns
from guidebench.report.pages import rankings, winners


def test_the_winner_is_chosen_on_selection_seeds() -> None:
    tables = with_choosers(synthetic.tables())
    level(EMA9, "csw_judge", [9, 9, 0.5, 9], "selection")(tables)
    found = chosen.winner(tables, "balls")
    assert found is not None
    assert found[0] == Cell(EMA9, 30.0)
    assert found[1].value == pytest.approx(7.0)  # on evaluation seeds, where EMA 0.99 has 3
    table = winners.table(tables, "balls")
    assert row(table, "x0+ema0.9")[4] == "winner on selection seeds"
    assert row(table, "x0+ema0.99")[4].endswith("below")


def test_intervals_hold_together_and_ties_are_bold() -> None:
    tables = synthetic.tables()
    for setup in (EMA9, ADAM):
        level(setup, "cfd_judge", 3.05)(tables)
        wobble(setup, "cfd_judge", 0.2)(tables)
    entries = {entry.cell.setup: entry for entry in winners.contest(tables, "balls")}
    assert {setup for setup, entry in entries.items() if entry.tied} == {EMA99, EMA9, ADAM}
    assert entries[EMA99].behind is None
    gap = entries[ADAM].behind
    assert gap is not None
    pair = [(entries[setup].cell, "cfd_judge") for setup in (ADAM, EMA99)]
    alone = difference(tables, "balls", *pair)
    rivals = len(entries) - 1
    error = standard_error(tables.left_out("balls", *pair[0]) - tables.left_out("balls", *pair[1]))
    assert gap.high - gap.estimate == pytest.approx(quantile(synthetic.K - 1, rivals) * error)
    assert gap.high - gap.low > alone.high - alone.low
    bold = [entry["cells"][0] for entry in winners.table(tables, "balls")["rows"] if entry["best"]]
    assert len(bold) == 3
    assert {
        one["cells"][0] for one in rankings.best_setups(tables, "balls")["rows"] if one["best"]
    } == set(bold)


def test_same_images_are_named_whatever_the_order() -> None:
    cells = [Cell(EMA99, 100.0), Cell(EMA9, 30.0), Cell(ADAM, 0.3)]
    rows = [
        ["balls", EMA99, 100.0, EMA9, 30.0, 1.4],
        ["balls", ADAM, 0.3, EMA99, 100.0, 23],
        ["balls", EMA99, 30.0, ADAM, 0.3, 0.1],
    ]
    pixels = pd.DataFrame(rows, columns=list(columns("pixels")))
    tables = dataclasses.replace(synthetic.tables(), pixels=pixels)
    assert winners.twins(tables, "balls", cells[0], cells) == [cells[1]]
    assert winners.twins(tables, "balls", cells[1], cells) == [cells[0]]
    assert winners.twins(tables, "balls", cells[2], cells) == []
    table = winners.table(tables, "balls")
    assert row(table, "x0+ema0.9")[5] == f"{EMA99} at 100"
    assert row(table, "x0+adam")[5] == "–"


@pytest.mark.parametrize(
    ("values", "end"),
    [
        ([1, 9, 9, 9], "10 (smallest tried)"),
        ([9, 9, 9, 1], "300 (largest tried)"),
        ([9, 1, 9, 9], "30"),
    ],
)
def test_the_end_of_a_grid_is_said(values: list[float], end: str) -> None:
    tables = synthetic.tables()
    level(EMA99, "cfd_judge", values)(tables)
    assert row(winners.table(tables, "balls"), "x0+ema0.99")[1] == end


def test_few_images_and_a_small_reference_are_said_and_marked() -> None:
    tables = with_columns(synthetic.tables(), raw=5.0, reference_n=4000, features=64)
    (line,) = winners.warnings(tables, "balls")  # 128 selection seeds, 256 evaluation seeds
    assert line.startswith("n = 128 on selection seeds: fewer than four times the 64 features")
    small = with_columns(tables, reference_n=40)
    (line,) = winners.warnings(small, "balls")
    assert "a reference of 40 images" in line
    assert row(winners.table(small, "balls"), "x0+ema0.99")[3] == "5 †"
    assert "(raw 5) †" in row(rankings.best_setups(small, "balls"), "x0+ema0.99")[6]
    enough = with_columns(tables, features=32)
    assert winners.warnings(enough, "balls") == []
    assert row(winners.table(enough, "balls"), "x0+ema0.99")[3] == "5"
    shown = row(rankings.best_setups(enough, "balls"), "x0+ema0.99")[6]
    assert shown.replace("\u00a0", " ") == "3.00 ± 0.06 (raw 5)"
