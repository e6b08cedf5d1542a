"""The tables of best setups and of what sampling cost."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import synthetic_tables as synthetic
from table_edits import (
    EMA99,
    row,
)

from guidebench.base.cells import Cell
from guidebench.report.claims.intervals import proportion
from guidebench.report.claims.verdicts import difference, times
from guidebench.report.pages import rankings


def test_the_guides_lead_over_the_judge_is_paired_and_never_certain() -> None:
    tables = synthetic.tables()
    shown = row(rankings.best_setups(tables, "balls"), "x0+ema0.99")
    found = difference(
        tables,
        "balls",
        (Cell(EMA99, 100.0), "accuracy_guide"),
        (Cell(EMA99, 100.0), "accuracy_judge"),
    )
    assert shown[4] == str(times(found, 100))
    assert shown[4].startswith("2 [")
    assert shown[-2] == "0 [0, 1.43]"
    gone = dataclasses.replace(tables, jackknife=tables.jackknife[:0])
    assert row(rankings.best_setups(gone, "balls"), "x0+ema0.99")[4] == "–"


def test_passes_are_the_unit_of_cost() -> None:
    table = rankings.sampling_cost(synthetic.tables(), "balls")
    assert table["head"][2:5] == [
        "denoiser evaluations per image",
        "of them with a backward pass",
        "passes, times unguided",
    ]
    assert row(table, "x0+ema0.99")[2:5] == ["50", "50", "2"]
    assert row(table, "noise-trained (robust), raw")[2:5] == ["50", "0", "1"]
    assert row(table, "x0+ema0.99")[-1] == "1.5"


def test_every_setup_without_guidance_has_a_row() -> None:
    tables = synthetic.tables()
    setups, rows = tables.facts("balls")["setups"], tables.results
    setups["unclipped"] = setups["unguided"] | {"variant": {"clip": False}}
    setups["conditional"] = setups["unguided"] | {"asked": True}
    twins = [rows[rows.setup == "unguided"].assign(setup=name) for name in ("unclipped",)]
    tables = dataclasses.replace(tables, results=pd.concat([rows, *twins], ignore_index=True))
    shown = [entry["cells"][0] for entry in rankings.best_setups(tables, "balls")["rows"]]
    assert shown[1:3] == ["unguided", "unclipped"]  # of the other one nothing was measured
    assert tables.unguided("balls") == Cell("unguided")


def test_the_classifiers_under_attack() -> None:
    tables = synthetic.tables()
    plain = rankings.classifiers(tables, "balls")
    assert "attack" not in " ".join(plain["head"])
    tables.facts("balls")["attack"] = {
        "norm": "l2",
        "radius": 1.0,
        "step_size": None,
        "iterations": 10,
    }
    right = (np.arange(200) < 50).astype(float)
    attacked = {"dataset": "balls", "classifier": "clean", "input": "attack", "stabilizer": "none"}
    attacked |= {"t": 0, "quantity": "accuracy"} | synthetic.row(right)
    rows = pd.concat([tables.sensitivity, pd.DataFrame([attacked])], ignore_index=True)
    found = rankings.classifiers(dataclasses.replace(tables, sensitivity=rows), "balls")
    assert found["head"] == [
        *plain["head"],
        "accuracy under attack (l2, radius 1, 10 steps), %",
    ]
    shown = {row["cells"][0]: row["cells"][-1] for row in found["rows"]}
    assert shown["clean (non-robust)"] == str(times(proportion(0.25, 200), 100))
    assert shown["judge"] == "–"
