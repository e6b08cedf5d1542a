"""Attribute drift of made-up values: what moved, whether chance explains it, and the table."""

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import synthetic_tables as synthetic

from guidebench.base.cells import Cell
from guidebench.report.claims.verdicts import Unmeasured
from guidebench.report.columns import columns
from guidebench.report.drift import ROUNDS, SWAPS, cells, compared
from guidebench.report.figures import drift as figure
from guidebench.report.figures import theme
from guidebench.report.pages import drift, page
from guidebench.report.tables import Tables

LEAST = 1 / (1 + ROUNDS * SWAPS)
NAMES = ("x", "y", "diameter")


def _values(seed: int, n: int = 200) -> np.ndarray:
    return np.random.default_rng(seed).uniform(10, 20, n)


def test_no_change_is_none() -> None:
    found = compared(_values(0), _values(0))
    assert (found.moved, *found.shift, found.distance, found.chance) == (0, 0, 0, 0, 0, 1)
    assert found.n == 200


def test_a_shift_is_found() -> None:
    plain = _values(0)
    found = compared(plain + 1.5 + 0.1 * np.random.default_rng(1).normal(size=200), plain)
    assert found.moved == pytest.approx(1.5, abs=0.05)
    assert found.shift.low < 1.5 < found.shift.high
    assert found.distance == pytest.approx(1.5, abs=0.05)
    assert found.chance == LEAST
    wide = compared(plain + 1.5 + 0.1 * np.random.default_rng(1).normal(size=200), plain, tests=20)
    assert wide.shift.low < found.shift.low


def test_a_narrower_distribution_is_found_without_a_shift() -> None:
    plain = _values(0)
    found = compared(15 + (plain - 15) / 2, plain)
    assert found.shift.low < 0 < found.shift.high
    assert found.chance == LEAST


def test_other_balls_of_the_same_law_have_moved_but_not_drifted() -> None:
    found = compared(np.random.default_rng(3).permutation(_values(0)), _values(0))
    assert found.moved > 2
    assert found.distance == pytest.approx(0, abs=1e-12)
    assert found.chance == 1


def test_the_test_is_wrong_as_often_as_it_says() -> None:
    """Pairs of one law: p is uniform, whatever the correlation within a pair."""
    chances = []
    for seed in range(60):
        chance = np.random.default_rng(seed)
        common = chance.normal(size=40)
        pair = 0.7 * common + chance.normal(size=(2, 40))
        chances.append(compared(*pair).chance)
    assert np.mean(np.array(chances) < 0.2) == pytest.approx(0.2, abs=0.16)
    assert np.mean(chances) == pytest.approx(0.5, abs=0.12)


def test_diverged_images_are_in_no_pair() -> None:
    plain, guided = _values(0), _values(0) + 1
    plain[:5], guided[3:9] = np.nan, np.inf
    assert compared(guided, plain).n == 191
    with pytest.raises(Unmeasured):
        compared(np.full(4, np.nan), np.ones(4))
    with pytest.raises(Unmeasured):
        compared(np.ones(4), np.empty(0))


def _tables() -> Tables:
    """The demo's tables, in which clean/raw makes balls larger and all else leaves them."""
    tables = synthetic.tables()
    best = {cell.setup: cell for cell in cells(tables, "balls")}
    rows = []
    for number, name in enumerate(NAMES):
        for cell in (Cell("real"), tables.unguided("balls"), *best.values()):
            grown = 2.0 if (cell.setup, name) == ("clean/raw", "diameter") else 0.0
            noise = 0.01 * np.random.default_rng(len(rows)).normal(size=200)
            values = (_values(number) + grown + noise).astype(np.float32)
            scale = np.nan if cell.scale is None else cell.scale
            rows.append(["balls", cell.setup, scale, name, 0.25, values])
    table = pd.DataFrame(rows, columns=list(columns("attributes")))
    return dataclasses.replace(tables, attributes=table)


def test_the_table_says_who_resizes_the_ball() -> None:
    tables = _tables()
    found = drift.table(tables, "balls")
    assert found["errors"] == [f"0.25 ({name}, px)" for name in NAMES]
    rows = {row["cells"][0]: row["cells"] for row in found["rows"]}
    assert len(rows) == len(tables.guided("balls"))
    assert all(len(row) == len(found["head"]) == 3 + 3 * len(NAMES) for row in rows.values())
    marked = {
        name: [number for number, cell in enumerate(row) if "*" in cell]
        for name, row in rows.items()
    }
    assert marked.pop("clean (non-robust), raw") == [10]
    assert not any(marked.values())
    assert found["head"][10] == "diameter: distance, px"
    assert rows["clean (non-robust), raw"][9].startswith("2 [")
    assert drift.table(synthetic.tables(), "balls")["rows"] == []


def test_of_a_turn_the_table_has_the_shift_alone_and_the_page_says_why() -> None:
    tables = _tables()
    turned = tables.attributes[tables.attributes.attribute == "x"].assign(attribute="cos turn")
    tables = dataclasses.replace(tables, attributes=pd.concat([tables.attributes, turned]))
    found = drift.table(tables, "balls")
    assert found["head"][-2:] == ["cos turn: shift", "n"]
    assert all(len(row["cells"]) == len(found["head"]) == 13 for row in found["rows"])
    text = page.render(Path(), tables, [], Path())
    assert "0.25 (x, px), 0.25 (y, px), 0.25 (diameter, px), 0.25 (cos turn)." in text
    assert "<h3>Attribute drift" in text


def test_the_figure_has_a_line_for_each_of_them() -> None:
    tables = _tables()
    with theme.settings():
        drawn = figure.shares(tables, "balls")
    assert [len(axes.lines) for axes in drawn.axes] == [2 + len(tables.guided("balls"))] * 3


def test_a_curve_of_many_images_has_few_points_and_both_ends() -> None:
    tables = _tables()
    many = np.linspace(10, 20, 20_001).astype(np.float32)
    tables.attributes.at[0, "values"] = np.random.default_rng(0).permutation(many)
    whole = figure.rows(tables, "balls")
    own = whole[(whole.setup == "real") & (whole.attribute == NAMES[0])]
    assert len(own) == figure.POINTS
    assert own.value.iloc[[0, -1]].tolist() == many[[0, -1]].tolist()
    np.testing.assert_allclose(np.searchsorted(many, own.value) + 0.5, own.share * 20_001)
    few = whole[(whole.setup == "unguided") & (whole.attribute == NAMES[0])]
    assert len(few) == 200
