"""Sensitivity tied to outcome: which setups, which correlation, and what its interval counts."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
import synthetic_tables as synthetic
from scipy import stats
from table_edits import EMA99, NOISE, broke, level, wobble

from guidebench.base.cells import Cell
from guidebench.report import outcome
from guidebench.report.claims.verdicts import Interval
from guidebench.report.figures import drawing, theme
from guidebench.report.figures import outcome as figure
from guidebench.report.tables import Tables

SETUPS = ["noise_trained/raw", "clean/raw", "clean/x0", "clean/x0+ema0.9", EMA99, "clean/x0+adam"]
CFD, JUDGED = "cfd_judge", "accuracy_judge"


def _found(tables: Tables, metric: str = CFD) -> Interval:
    interval = outcome.correlation(tables, "balls", metric)
    assert interval is not None
    return interval


def _width(interval: Interval) -> float:
    return interval.high - interval.low


def test_every_analysed_setup_is_a_point_at_its_selected_scale() -> None:
    tables = synthetic.tables()
    found = outcome.points(tables, "balls")
    assert [point.cell.setup for point in found] == SETUPS
    assert all(point.cell == tables.best("balls", point.cell.setup, CFD) for point in found)
    rows = tables.along("balls", "grad_sensitivity", "clean", "x0", "ema0.99")
    expected = np.mean(list(rows["values"]), axis=0)
    np.testing.assert_allclose(found[4].sensitivity, expected)


def test_the_correlation_is_spearmans() -> None:
    tables = synthetic.tables()
    found = outcome.points(tables, "balls")
    x = [point.sensitivity.mean() for point in found]
    for metric in (CFD, JUDGED):
        measures = [tables.measure("balls", point.cell, metric) for point in found]
        y = [value.value for value in measures if value]
        interval = _found(tables, metric)
        assert interval.estimate == pytest.approx(stats.spearmanr(x, y).statistic)
        assert -1 <= interval.low <= interval.estimate <= interval.high <= 1


def test_a_perfect_order_is_found() -> None:
    """Distances in the order of the sensitivities, far apart, and their reverse."""
    for sign in (1, -1):
        tables = synthetic.tables()
        for point in outcome.points(tables, "balls"):
            level(point.cell.setup, CFD, 50 + sign * 10 * float(point.sensitivity.mean()))(tables)
        interval = _found(tables)
        assert interval.estimate == pytest.approx(sign)
        assert sign * (interval.low + interval.high) > 0


def test_errors_of_either_axis_widen_the_interval() -> None:
    tables = synthetic.tables()
    for point in outcome.points(tables, "balls"):
        level(point.cell.setup, CFD, 10 * float(point.sensitivity.mean()))(tables)
    before = _width(_found(tables))
    for setup in ("clean/x0", "clean/x0+ema0.9"):
        wobble(setup, CFD, 30.0)(tables)
    assert _width(_found(tables)) > before + 0.05
    tables = synthetic.tables()
    before, rows = _width(_found(tables)), tables.sensitivity
    keep = (rows.quantity == "grad_sensitivity") & (rows.classifier == "clean")
    few = np.arange(32) < 2  # nearly all of the mean is of two images, others for each curve
    for place, index in enumerate(rows.index[keep]):
        rows.at[index, "values"] = rows.at[index, "values"] * np.where(np.roll(few, place), 300, 1)
    assert _width(_found(tables)) > before


def test_an_error_that_moves_all_alike_changes_no_rank() -> None:
    """Seeds are those of all setups: a block that is odd is odd in each."""
    tables = synthetic.tables()
    before = _found(tables)
    for setup in SETUPS:
        wobble(setup, CFD, 1000.0)(tables)
    after = _found(tables)
    assert (after.low, after.high) == pytest.approx((before.low, before.high), abs=0.02)


def test_setups_with_another_gradient_and_broken_ones_are_left_out() -> None:
    tables = synthetic.tables()
    setups = tables.facts("balls")["setups"]
    setups[NOISE]["variant"] = {"temperature": 2.0}
    assert [point.cell.setup for point in outcome.points(tables, "balls")] == SETUPS[1:]
    setups["clean/x0"]["variant"] = {"steps": 10}  # another grid is no other gradient
    setups["clean/x0+adam"]["stabilizer_options"]["eps"] = 1e-8
    tables.facts("balls")["stabilizers"]["adam"]["eps"] = 1e-4
    assert len(outcome.points(tables, "balls")) == 4
    broke(tables, "clean/raw", 1.0, 3.0, 10.0, 30.0)
    assert outcome.points(tables, "balls") == []  # three are too few
    assert outcome.correlation(tables, "balls", CFD) is None
    assert "outcome" not in drawing.plots(tables, "balls")


def test_a_guide_that_is_sampled_in_several_ways_counts_once() -> None:
    """Its ways share one gradient: as points of their own they would narrow the interval."""
    tables = synthetic.tables()
    before, setups = _found(tables), tables.facts("balls")["setups"]
    for steps in (10, 20):
        for setup in SETUPS:
            new = f"{setup}@{steps}"
            setups[new] = setups[setup] | {"variant": setups[setup]["variant"] | {"steps": steps}}
            tables = dataclasses.replace(
                tables,
                **{
                    name: pd.concat([rows, rows[rows.setup == setup].assign(setup=new)])
                    for name, rows in (("results", tables.results), ("jackknife", tables.jackknife))
                },
            )
    assert [point.cell.setup for point in outcome.points(tables, "balls")] == SETUPS
    assert _found(tables) == before


def test_a_gradient_through_a_denoiser_with_a_label_was_not_analysed() -> None:
    tables = synthetic.tables()
    tables.facts("balls")["setups"]["clean/x0"]["variant"] = {"conditional": True}
    assert "clean/x0" not in [point.cell.setup for point in outcome.points(tables, "balls")]


def test_without_differences_there_is_no_correlation() -> None:
    tables = synthetic.tables()
    for setup in SETUPS:
        level(setup, JUDGED, 0.5)(tables)
    assert outcome.correlation(tables, "balls", JUDGED) is None
    assert outcome.correlation(tables, "balls", CFD) is not None


def test_without_an_analysis_there_are_no_points() -> None:
    tables = synthetic.tables()
    bare = dataclasses.replace(tables, sensitivity=tables.sensitivity[:0])
    assert outcome.points(bare, "balls") == []


def test_the_figure_has_a_point_for_each_and_its_rows() -> None:
    tables = synthetic.tables()
    table = figure.rows(tables, "balls")
    assert list(table.setup) == SETUPS * 2
    assert set(table.metric) == {CFD, JUDGED}
    assert (table.sensitivity_low < table.sensitivity).all()
    assert (table.sensitivity < table.sensitivity_high).all()
    row = table[(table.setup == EMA99) & (table.metric == CFD)].iloc[0]
    value = tables.measure("balls", Cell(EMA99, 100.0), CFD)
    assert value is not None
    assert (row.value, row.se, row.scale) == (value.value, value.se, 100.0)
    assert row.low < row.value < row.high
    with theme.settings():
        drawn = figure.sensitivity(tables, "balls")
    for axes, metric in zip(drawn.axes, (CFD, JUDGED), strict=True):
        points = [line for line in axes.lines if len(line.get_xdata()) == 1 and line.get_label()]
        shown = {float(line.get_ydata()[0]) for line in points}
        assert set(table.value[table.metric == metric]) <= shown
        assert axes.get_xscale() == "log"
