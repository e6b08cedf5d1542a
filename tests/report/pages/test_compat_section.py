"""What the choices of the public code change: paired differences, and ratios along t."""

import copy
import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import synthetic_tables as synthetic
from table_edits import EMA99, NOISE, broke

from guidebench.base.cells import Cell
from guidebench.base.jackknife import standard_error
from guidebench.report.claims.verdicts import Interval, difference, quantile, times
from guidebench.report.figures import theme
from guidebench.report.pages import compat, compat_forward, page
from guidebench.report.tables import Tables

RAW = f"{EMA99}+raw_logit"


def _with(tables: Tables, setup: str, variant: dict[str, Any], **keys: Any) -> Tables:
    """A setup with EMA 0.99's numbers, 0.1 and a wobble of each block higher."""
    facts = tables.facts("balls")["setups"]
    facts[setup] = facts[EMA99] | {"variant": variant} | keys
    frames = {}
    for name in ("results", "jackknife"):
        rows = getattr(tables, name)
        own = rows[rows.setup == EMA99].assign(setup=setup)
        higher = 0.1 + (0.01 * own.block if name == "jackknife" else 0)
        own["value"] += higher * own.metric.isin(list(compat.METRICS))
        frames[name] = pd.concat([rows, own], ignore_index=True)
    return dataclasses.replace(tables, **frames)


def test_a_switch_is_paired_with_the_setup_that_lacks_it() -> None:
    both = {"paper_compat": ["raw_logit", "carried_state"], "clip_gradient": "zero"}
    tables = _with(synthetic.tables(), "all", both)
    tables = _with(tables, RAW, {"paper_compat": ["raw_logit"]})
    tables = _with(tables, "steps", {"paper_compat": ["raw_logit"], "steps": 9})
    tables = _with(tables, "hot", {"temperature": 2.0})
    assert compat.switched(tables, "balls") == [
        ("all", EMA99, "raw_logit, carried_state, clip_gradient: zero"),
        (RAW, EMA99, "raw_logit"),
    ]
    assert compat.switched(synthetic.tables(), "balls") == []


def test_differences_are_paired_at_the_same_scale() -> None:
    tables = _with(
        synthetic.tables(), RAW, {"paper_compat": ["raw_logit"]}, scales=[30.0, 100.0, 5000.0]
    )
    table = compat.reverse(tables, "balls")
    assert [row["cells"][2] for row in table["rows"]] == ["30", "100"]
    cells = table["rows"][1]["cells"]
    assert len(cells) == len(table["head"])
    assert cells[0].endswith("x0+ema0.99")
    pair = Cell(RAW, 100.0), Cell(EMA99, 100.0)
    judge = difference(tables, "balls", *((cell, "accuracy_judge") for cell in pair))
    assert cells[4] == str(times(judge, 100))
    assert judge.estimate == pytest.approx(0.1)
    cfd = difference(tables, "balls", *((cell, "cfd_judge") for cell in pair))
    assert cells[8] == str(cfd)
    assert cells[7].startswith("3")


def test_a_switch_that_breaks_its_images_says_so() -> None:
    tables = _with(synthetic.tables(), RAW, {"paper_compat": ["raw_logit"]}, scales=[100.0])
    (row,) = compat.reverse(broke(tables, RAW, 100.0), "balls")["rows"]
    assert row["cells"][6] == row["cells"][8] == "broken"
    assert row["cells"][4] != "broken"  # a share counts what diverged


def _walked(tables: Tables, factor: float) -> Tables:
    """Walks with switches: x0_pred's sensitivities times a factor, and an accuracy at one t."""
    rows = tables.sensitivity
    x0 = rows[(rows.input == "x0") & rows.quantity.isin(["grad_sensitivity", "logit_sensitivity"])]
    own = x0.assign(input="x0+same_time", values=[factor * value for value in x0["values"]])
    first = rows[(rows.quantity == "accuracy") & (rows.t == rows.t.min())]
    zero = first[first.classifier == "noise_trained"]
    zero = zero.assign(input="raw+clean_at_zero", values=[value * 0 for value in zero["values"]])
    return dataclasses.replace(tables, sensitivity=pd.concat([rows, own, zero], ignore_index=True))


def test_ratios_are_of_means_over_t_and_images() -> None:
    table = compat_forward.forward(_walked(synthetic.tables(), 2.0), "balls")
    rows = [row["cells"] for row in table["rows"]]
    assert all(len(row) == len(table["head"]) for row in rows)
    ratios = {(row[2], row[3]): row[4] for row in rows if row[1] == "same_time"}
    assert set(ratios) == {
        ("none", "mean logit_sensitivity: ratio"),
        *((name, "mean grad_sensitivity: ratio") for name in ("none", "ema0.9", "ema0.99", "adam")),
    }
    assert set(ratios.values()) == {"2 [2, 2]"}
    (zero,) = [row for row in rows if row[1] == "clean_at_zero"]
    assert zero[0].startswith("noise-trained")
    assert zero[3] == f"accuracy at t = {synthetic.TIMES[0]}: change in points"
    assert zero[4].startswith("-9")
    assert compat_forward.forward(synthetic.tables(), "balls")["rows"] == []


def test_a_ratios_interval_leaves_out_each_image() -> None:
    chance = np.random.default_rng(0)
    base = chance.random((3, 6)) + 1
    values = 2 * base + 0.1 * chance.random((3, 6))
    found = compat_forward.ratio(values, base)
    assert found.estimate == pytest.approx(values.mean() / base.mean())
    without = np.array(
        [np.delete(values, k, 1).mean() / np.delete(base, k, 1).mean() for k in range(6)]
    )
    assert found.high - found.estimate == pytest.approx(quantile(5) * standard_error(without))


def test_the_page_shows_both_tables_where_there_are_switches(tmp_path) -> None:
    heading = "What the choices of the public code change"
    plain = synthetic.tables()
    assert heading not in page.render(tmp_path, plain, [], tmp_path)
    tables = _with(_walked(plain, 2.0), RAW, {"paper_compat": ["raw_logit"]})
    shown = page.render(tmp_path, tables, [], tmp_path)
    assert heading in shown
    assert "<td>same_time</td>" in shown
    assert "<td>raw_logit</td>" in shown
    assert NOISE in shown


def _second(tables: Tables, name: str, **facts: Any) -> Tables:
    """The data set once more under another name: cfd 2 higher, its facts changed."""
    tables.summary["datasets"][name] = copy.deepcopy(tables.facts("balls")) | facts
    frames = {}
    for one in ("results", "jackknife"):
        rows = getattr(tables, one)
        own = rows[rows.dataset == "balls"].assign(dataset=name)
        own["value"] += 2.0 * (own.metric == "cfd_judge")
        frames[one] = pd.concat([rows, own], ignore_index=True)
    return dataclasses.replace(tables, **frames)


def test_a_data_set_with_switches_is_held_against_the_corrected_one() -> None:
    switched = {"paper_compat": ["validation_images"]}
    tables = _second(synthetic.tables(), "all", **switched)
    assert compat.corrected_data(tables, "all") == "balls"
    assert compat.corrected_data(tables, "balls") is None
    assert compat.data(tables, "balls")["rows"] == []
    table = compat.data(tables, "all")
    rows = {(row["cells"][0], row["cells"][2]): row["cells"] for row in table["rows"]}
    assert ("unguided", "") in rows
    cell = rows[theme.title(EMA99), "100"]
    assert len(cell) == len(table["head"])
    base = tables.measure("balls", Cell(EMA99, 100.0), "cfd_judge")
    assert base
    blocks = len(tables.left_out("balls", Cell(EMA99, 100.0), "cfd_judge"))
    half = quantile(blocks - 1) * base.se * 2**0.5
    assert cell[8] == str(Interval(2.0, 2.0 - half, 2.0 + half))
    assert cell[6].startswith("0 [")
    text = page.render(Path(), tables, [], Path())
    assert "(validation_images), to the cells of the same name of\nballs, not paired" in text


@pytest.mark.parametrize("other", [{"steps": 7}, {"n": 1}, {"target": "volleyball"}])
def test_another_experiment_is_no_corrected_one(other: dict[str, Any]) -> None:
    tables = _second(synthetic.tables(), "all", paper_compat=["one_draw"], **other)
    assert compat.corrected_data(tables, "all") is None
    assert compat.data(tables, "all")["rows"] == []


def test_a_data_sets_table_names_the_setups_switches_and_what_broke() -> None:
    tables = _second(synthetic.tables(), "public", paper_compat=["one_draw"])
    tables.facts("public")["setups"][EMA99]["variant"] = {"paper_compat": ["raw_logit"]}
    results = tables.results
    here = (results.dataset == "public") & (results.setup == EMA99)
    at = here & (results.scale == 100) & (results.metric == "diverged")
    results.loc[at, "value"] = 1.0
    table = compat.data(tables, "public")
    (row,) = [r["cells"] for r in table["rows"] if r["cells"][:3:2] == [theme.title(EMA99), "100"]]
    assert row[1] == "raw_logit"
    assert row[8] == "broken"


def test_a_drawn_reference_stands_beside_the_whole_one() -> None:
    tables = synthetic.tables()
    assert compat.references(tables, "balls")["rows"] == []
    frames = {}
    for one in ("results", "jackknife"):
        rows = getattr(tables, one)
        own = rows[rows.metric.isin(["fd_judge", "cfd_judge"])]
        own = own.assign(metric=own.metric + "+drawn_reference", value=own.value + 0.5)
        frames[one] = pd.concat([rows, own], ignore_index=True)
    tables = dataclasses.replace(tables, **frames)
    table = compat.references(tables, "balls")
    assert table["rows"][0]["cells"][0] == "unguided"
    assert len(table["rows"]) == 1 + len(tables.guided("balls"))
    for row in table["rows"]:
        assert len(row["cells"]) == len(table["head"]) == 8
        assert row["cells"][4] == row["cells"][7] == "0.5 [0.5, 0.5]"
    assert "drawn_reference" in page.render(Path(), tables, [], Path())
