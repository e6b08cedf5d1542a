"""Guides that are sampled in several ways: figure, table and sentences."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import synthetic_tables as synthetic
from table_edits import EMA9, EMA99, another, diverge, level

from guidebench.base.cells import Cell
from guidebench.report.claims.verdicts import difference
from guidebench.report.figures import drawing, evaluations, rows, theme
from guidebench.report.pages import few_steps, page
from guidebench.report.sampled import Way, against_none, plain, ways
from guidebench.report.tables import FLOOR, Tables

X0 = "clean/x0"


@pytest.fixture
def tables() -> Tables:
    """The paper's setups by `ancestral` in 50 steps, two of them by others and in 10, too."""
    tables = synthetic.tables()
    for setup in (X0, EMA99):
        tables = another(tables, setup, "10", {"steps": 10}, 10.0)
        tables = another(tables, setup, "heun-10", {"sampler": "heun", "steps": 10}, 19.0)
    return tables


def test_ways_are_known_by_what_differs_and_not_by_names(tables) -> None:
    found = ways(tables, "balls")
    assert found[0] == Way(X0, "ancestral", 50, X0)
    assert {way[1:] for way in found if way.guide == EMA99} == {
        ("ancestral", 50, EMA99),
        ("ancestral", 10, f"{EMA99}@10"),
        ("heun", 10, f"{EMA99}@heun-10"),
    }
    assert {way.guide for way in found} == {X0, EMA99}
    # a setup that differs in something else, too, is another guide
    other = {"steps": 10, "temperature": 2.0}
    more = another(tables, EMA9, "other", other, 10.0)
    assert {way.guide for way in ways(more, "balls")} == {X0, EMA99}
    assert ways(synthetic.tables(), "balls") == []


def test_figures_against_the_scale_have_one_line_a_guide(tables) -> None:
    names = plain(tables, "balls")
    assert names == synthetic.tables().guided("balls")
    drawn = rows.against_scale(tables, "balls", "cfd_judge")
    assert set(drawn.setup) == {*names, "unguided", FLOOR}


def test_the_rows_are_each_way_at_its_own_best_scale(tables) -> None:
    level(f"{EMA99}@heun-10", "cfd_judge", [1.0, 25.0, 25.0, 25.0])(tables)
    table = evaluations.rows(tables, "balls")
    own = table[(table.metric == "cfd_judge") & (table.guide == EMA99)].set_index("setup")
    assert own.scale.to_dict() == {EMA99: 100.0, f"{EMA99}@10": 100.0, f"{EMA99}@heun-10": 10.0}
    assert own.evaluations.to_dict() == {EMA99: 50.0, f"{EMA99}@10": 10.0, f"{EMA99}@heun-10": 19.0}
    assert (own.backward_passes == 50).all()
    for setup, row in own.iterrows():
        value = tables.measure("balls", Cell(str(setup), row.scale), "cfd_judge")
        assert (row.value, row.n) == (value.value, value.n)
        assert row.low < row.value < row.high
    assert set(table.metric) == {"cfd_judge", "accuracy_judge"}
    assert (table.setup == FLOOR).sum() == 2


def test_the_figure_has_a_column_a_sampler_and_is_there_only_with_several_ways(tables) -> None:
    drawn = evaluations.quality(tables, "balls")
    panels = drawn.axes
    assert [axes.get_title() for axes in panels[:2]] == ["ancestral", "heun"]
    assert len(panels) == 4
    line = panels[0].containers[1].lines[0]
    assert line.get_label() == "_nolegend_" or line.get_xdata().tolist() == [10.0, 50.0]
    assert line.get_xdata().tolist() == [10.0, 50.0]
    assert panels[0].get_xscale() == "log"
    assert "evaluations" in drawing.plots(tables, "balls")
    assert "evaluations" not in drawing.plots(synthetic.tables(), "balls")


def test_a_stabilizer_is_paired_with_none_by_the_same_sampler_and_steps(tables) -> None:
    found = against_none(tables, "balls")
    pairs = [(one.way.setup, one.plain.setup) for one in found]
    assert pairs == [(f"{EMA99}{way}", f"{X0}{way}") for way in ("", "@10", "@heun-10")]
    for one in found:
        first, second = one.cells
        expected = difference(tables, "balls", (first, "cfd_judge"), (second, "cfd_judge"), tests=3)
        assert one.gap == expected
    assert [first.scale for first, _ in (one.cells for one in found)] == [100.0] * 3


def test_the_sentence_counts_what_is_certain(tables) -> None:
    level(f"{EMA99}@10", "cfd_judge", 11.0)(tables)  # as without
    level(f"{EMA99}@heun-10", "cfd_judge", 30.0)(tables)
    shown = few_steps.table(tables, "balls")
    said = [row["cells"][-1] for row in shown["rows"]]
    assert said == [few_steps.LOWER, few_steps.EQUAL, few_steps.HIGHER]
    (sentence,) = shown["said"]
    assert sentence == (
        f"{theme.title(EMA99)} against {theme.title(X0)}: of 3 pairs of sampler and steps its "
        "cfd_judge is lower for certain in 1 (ancestral in 50), higher in 1, and not "
        "distinguishable in 1."
    )
    assert shown["count"] == 4
    assert all(len(row["cells"]) == len(shown["head"]) for row in shown["rows"])


def test_what_broke_is_not_measured(tables) -> None:
    for scale in (10.0, 30.0, 100.0, 300.0):
        for split in ("selection", "evaluation"):
            diverge(tables, f"{EMA99}@10", scale, split)
    shown = few_steps.table(tables, "balls")
    assert [row["cells"][-1] for row in shown["rows"]][1] == few_steps.UNMEASURED
    assert "; 1 not measured." in shown["said"][0]
    evaluations.quality(tables, "balls")


def test_the_page_has_both(tables, tmp_path: Path) -> None:
    drawing.draw(tables, "balls", tmp_path / "figures/balls")
    html = page.render(tmp_path, tables, [], tmp_path / "figures")
    assert "Quality against denoiser evaluations" in html
    assert "Does stabilisation survive fewer steps?" in html
    assert "4 more setups with a guide of these" in html
    without = page.render(tmp_path, synthetic.tables(), [], tmp_path / "nothing")
    assert "Does stabilisation survive" not in without
    written = pd.read_csv(tmp_path / "figures/balls/evaluations.csv")
    assert np.isfinite(written.evaluations[written.setup != FLOOR]).all()
