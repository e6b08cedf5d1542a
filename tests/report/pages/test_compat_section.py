"""What the choices of the public code change: paired differences, and ratios along t."""

import dataclasses
from typing import Any

import numpy as np
import pandas as pd
import pytest
import synthetic_tables as synthetic
from table_edits import EMA99, NOISE, broke

from guidebench.base.cells import Cell
from guidebench.base.jackknife import standard_error
from guidebench.report.claims.verdicts import difference, quantile, times
from guidebench.report.pages import compat, page
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
    table = compat.forward(_walked(synthetic.tables(), 2.0), "balls")
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
    assert compat.forward(synthetic.tables(), "balls")["rows"] == []


def test_a_ratios_interval_leaves_out_each_image() -> None:
    chance = np.random.default_rng(0)
    base = chance.random((3, 6)) + 1
    values = 2 * base + 0.1 * chance.random((3, 6))
    found = compat.ratio(values, base)
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
