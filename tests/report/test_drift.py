"""Attribute drift of made-up values: what moved, whether chance explains it, and the table."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import synthetic_tables as synthetic
from table_edits import another

from guidebench.base.cells import Cell
from guidebench.report.claims.verdicts import Unmeasured
from guidebench.report.columns import columns
from guidebench.report.drift import CLEAR, ROUNDS, SWAPS, cells, chance, compared, paired
from guidebench.report.figures import drift as figure
from guidebench.report.figures import theme
from guidebench.report.figures.drawing import plots
from guidebench.report.pages import drift, page
from guidebench.report.tables import Tables

LEAST = 1 / (1 + ROUNDS * SWAPS)
NAMES = ("x", "y", "diameter")
X0 = "clean/x0"


def _values(seed: int, n: int = 200) -> np.ndarray:
    return np.random.default_rng(seed).uniform(10, 20, n)


def test_no_change_is_none() -> None:
    pairs = paired(_values(0), _values(0))
    found = compared(pairs)
    assert (found.moved, *found.shift, found.distance, chance(pairs)) == (0, 0, 0, 0, 0, 1)
    assert found.n == 200


def test_a_shift_is_found() -> None:
    plain = _values(0)
    pairs = paired(plain + 1.5 + 0.1 * np.random.default_rng(1).normal(size=200), plain)
    found = compared(pairs)
    assert found.moved == pytest.approx(1.5, abs=0.05)
    assert found.shift.low < 1.5 < found.shift.high
    assert found.distance == pytest.approx(1.5, abs=0.05)
    assert chance(pairs) == LEAST
    wide = compared(pairs, tests=20)
    assert wide.shift.low < found.shift.low


def test_a_narrower_distribution_is_found_without_a_shift() -> None:
    plain = _values(0)
    pairs = paired(15 + (plain - 15) / 2, plain)
    found = compared(pairs)
    assert found.shift.low < 0 < found.shift.high
    assert chance(pairs) == LEAST


@pytest.mark.parametrize("tests", [1, 251, 2000])
def test_a_clear_drift_is_clear_among_any_number_of_tests(tests: int) -> None:
    """A chance drift among them stops at the first rounds, and is as clear as it would be then."""
    plain = _values(0)
    assert chance(paired(plain + 1.5, plain), tests) * tests <= CLEAR / 2
    other = paired(np.random.default_rng(3).permutation(plain) + 0.1, plain)
    assert chance(other, tests) == chance(other) > 0.1


def test_other_balls_of_the_same_law_have_moved_but_not_drifted() -> None:
    pairs = paired(np.random.default_rng(3).permutation(_values(0)), _values(0))
    found = compared(pairs)
    assert found.moved > 2
    assert found.distance == pytest.approx(0, abs=1e-12)
    assert chance(pairs) == 1


def test_the_test_is_wrong_as_often_as_it_says() -> None:
    """Pairs of one law: p is uniform, whatever the correlation within a pair."""
    chances = []
    for seed in range(60):
        generator = np.random.default_rng(seed)
        common = generator.normal(size=40)
        chances.append(chance(0.7 * common + generator.normal(size=(2, 40))))
    assert np.mean(np.array(chances) < 0.2) == pytest.approx(0.2, abs=0.16)
    assert np.mean(chances) == pytest.approx(0.5, abs=0.12)


def test_diverged_images_are_in_no_pair() -> None:
    plain, guided = _values(0), _values(0) + 1
    plain[:5], guided[3:9] = np.nan, np.inf
    assert compared(paired(guided, plain)).n == 191
    with pytest.raises(Unmeasured):
        paired(np.full(4, np.nan), np.ones(4))
    with pytest.raises(Unmeasured):
        paired(np.ones(4), np.empty(0))


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
    assert all(len(row) == len(found["head"]) == 4 + 3 * len(NAMES) for row in rows.values())
    marked = {
        name: [number for number, cell in enumerate(row) if "*" in cell]
        for name, row in rows.items()
    }
    assert marked.pop("clean (non-robust), raw") == [11]
    assert not any(marked.values())
    assert found["head"][11] == "diameter: distance, px"
    assert rows["clean (non-robust), raw"][10].startswith("2 [")
    assert drift.table(synthetic.tables(), "balls")["rows"] == []


def test_of_a_turn_the_table_has_the_shift_alone_and_the_page_says_why() -> None:
    tables = _tables()
    turned = tables.attributes[tables.attributes.attribute == "x"].assign(attribute="cos turn")
    tables = dataclasses.replace(tables, attributes=pd.concat([tables.attributes, turned]))
    found = drift.table(tables, "balls")
    assert found["head"][-2:] == ["cos turn: shift", "n"]
    assert all(len(row["cells"]) == len(found["head"]) == 14 for row in found["rows"])
    text = page.render(Path(), tables, [], Path())
    assert "0.25 (x, px), 0.25 (y, px), 0.25 (diameter, px), 0.25 (cos turn)." in text
    assert "<h3>Attribute drift" in text


def _varied(tables: Tables, setup: str, way: str, variant: dict[str, Any]) -> Tables:
    """A setup sampled in another way, which moves whatever is read by 3."""
    tables = another(tables, setup, way, variant)
    rows = tables.attributes
    for index in rows.index[rows.setup == f"{setup}@{way}"]:
        rows.at[index, "values"] = rows.at[index, "values"] + 3
    return tables


HEUN = {"sampler": "heun", "steps": 10}


def test_what_the_sampler_changes_is_no_drift_of_guidance() -> None:
    tables = _tables()
    for setup in ("unguided", X0):
        tables = _varied(tables, setup, "heun-10", HEUN)
        tables = _varied(tables, setup, "heun-10-unclipped", HEUN | {"clip": False})
    tables = _varied(tables, X0, "ddim", {"sampler": "ddim"})
    rows = {row["cells"][0]: row["cells"] for row in drift.table(tables, "balls")["rows"]}
    title = theme.title(X0)
    against = {name.removeprefix(title): row[2] for name, row in rows.items() if title in name}
    assert {key: against[key] for key in ("", "@heun-10", "@heun-10-unclipped", "@ddim")} == {
        "": "unguided",
        "@heun-10": "unguided@heun-10",
        "@heun-10-unclipped": "unguided@heun-10-unclipped",
        "@ddim": "unguided (sampled otherwise)",
    }
    marked = {name for name, row in rows.items() if any("*" in cell for cell in row)}
    assert marked == {"clean (non-robust), raw", f"{title}@ddim"}


def test_only_the_tests_that_are_shown_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not a turn's distances, and not those of a setup of which nothing was read."""
    counted = []

    def spied(pairs: np.ndarray, tests: int) -> float:
        counted.append(tests)
        return chance(pairs, tests)

    monkeypatch.setattr(drift, "chance", spied)
    tables = _tables()
    turned = tables.attributes[tables.attributes.attribute == "x"].assign(attribute="cos turn")
    table = pd.concat([tables.attributes, turned])
    table = table[table.setup != X0]
    drift.table(dataclasses.replace(tables, attributes=table), "balls")
    assert set(counted) == {len(counted)} == {(len(tables.guided("balls")) - 1) * len(NAMES)}


def test_what_never_varies_is_named_on_the_page() -> None:
    tables = _tables()
    assert drift.table(tables, "balls")["constant"] == []
    kept = tables.attributes[tables.attributes.attribute != "diameter"]
    turned = kept[kept.attribute == "x"].assign(attribute="cos turn", dataset="other")
    tables = dataclasses.replace(tables, attributes=pd.concat([kept, turned]))
    assert drift.table(tables, "balls")["constant"] == ["diameter"]
    text = page.render(Path(), tables, [], Path())
    assert "Not read, as all training images agree in it: diameter." in text
    with theme.settings():
        assert len(figure.shares(tables, "balls").axes) == 2  # of its own data set's attributes


def test_the_figure_leaves_the_turn_out_which_a_changed_class_changes() -> None:
    tables = _tables()
    only = tables.attributes[tables.attributes.attribute == "x"]
    turned = only.assign(attribute="cos turn")
    both = dataclasses.replace(tables, attributes=pd.concat([only, turned]))
    assert set(figure.rows(both, "balls").attribute) == {"x"}
    assert "attribute_drift" in plots(both, "balls")
    alone = dataclasses.replace(tables, attributes=turned)
    assert "attribute_drift" not in plots(alone, "balls")
    assert drift.table(alone, "balls")["rows"]


def test_the_figure_has_a_dashed_line_for_each_way_of_its_guides() -> None:
    tables = _tables()
    for setup in ("unguided", X0):
        tables = _varied(tables, setup, "heun-10", HEUN)
    assert {cell.setup for cell in figure.looks(tables, "balls")} == {
        "real",
        "unguided",
        *synthetic.tables().guided("balls"),
    }
    tables.facts("balls")["setups"][X0]["variant"] = HEUN | {"temperature": 2.0}
    dashed = [
        cell.setup for cell, look in figure.looks(tables, "balls").items() if look.line == "--"
    ]
    assert dashed[:2] == ["unguided", "unguided@heun-10"]


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
