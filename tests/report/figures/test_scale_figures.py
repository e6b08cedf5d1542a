"""Metrics against the scale: bars, axes, broken cells."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
import synthetic_tables as synthetic
from table_edits import EMA99, diverge, level

from guidebench.report.claims.intervals import proportion
from guidebench.report.claims.verdicts import quantile
from guidebench.report.figures import sampling
from guidebench.report.figures.sampling import against_scale


def test_a_broken_cell_is_a_cross_in_the_plots() -> None:
    tables = synthetic.tables()
    diverge(tables, EMA99, 1.0, "evaluation")
    level(EMA99, "cfd_judge", np.nan)(tables)
    axes = sampling.against_scale(tables, "balls", "cfd_judge").axes[0]
    crosses = [line for line in axes.lines if line.get_marker() == "x" and len(line.get_xdata())]
    assert [line.get_xdata().tolist() for line in crosses] == [[10.0, 30.0, 100.0, 300.0]]
    assert "broken: over 2 % diverged" in axes.get_legend_handles_labels()[1]
    axes = sampling.against_scale(synthetic.tables(), "balls", "cfd_judge").axes[0]
    assert not any(line.get_marker() == "x" for line in axes.lines)


@pytest.mark.parametrize("floor", [-0.4, -3.0])
@pytest.mark.parametrize("highest", [8.0, 900.0])
def test_a_corrected_distance_below_zero_is_on_the_axis(floor: float, highest: float) -> None:
    tables = synthetic.tables()
    level("floor", "cfd_judge", floor)(tables)
    level("clean/raw", "cfd_judge", highest)(tables)
    axes = sampling.against_scale(tables, "balls", "cfd_judge").axes[0]
    assert axes.get_ylim()[0] < floor
    assert axes.get_ylim()[1] > highest


@pytest.mark.parametrize("floor", [0.4, -0.4])
def test_a_floor_below_zero_is_in_the_trade_off_plot(floor: float) -> None:
    """Its axis is logarithmic, and around zero linear where something lies there."""
    tables = synthetic.tables()
    frames = {}
    for name in ("results", "jackknife"):
        rows = getattr(tables, name)
        clear = rows[rows.metric == "accuracy_judge"].assign(metric="is_judge")
        frames[name] = pd.concat([rows, clear], ignore_index=True)
    tables = dataclasses.replace(tables, **frames)
    level("floor", "fd_judge", floor)(tables)
    axes = sampling.tradeoff(tables, "balls").axes[0]
    assert axes.get_xscale() == ("log" if floor > 0 else "symlog")
    (star,) = [line for line in axes.lines if line.get_label().startswith("floor")]
    assert star.get_xdata().tolist() == [floor]
    shown = axes.transData.transform((floor, star.get_ydata()[0]))
    assert axes.get_xlim()[0] < floor
    assert np.isfinite(shown).all()
    assert axes.bbox.contains(*shown)


@pytest.mark.parametrize("metric", ["accuracy_judge", "cfd_judge"])
def test_bars_are_exact_intervals_of_shares_and_students_of_the_rest(metric: str) -> None:
    tables = synthetic.tables()
    axes = sampling.against_scale(tables, "balls", metric).axes[0]
    (bars,) = [one for one in axes.containers if one.get_label().endswith("x0+ema0.99")]
    rows = tables.curve("balls", EMA99, metric)
    ends = np.array([segment[:, 1] for segment in bars.lines[2][0].get_segments()])
    for (low, high), (value, se) in zip(ends, zip(rows.value, rows.se, strict=True), strict=True):
        half = quantile(synthetic.K - 1) * se
        exact = proportion(value, synthetic.N) if metric.startswith("accuracy") else None
        wanted = (exact.low, exact.high) if exact else (value - half, value + half)
        assert (low, high) == pytest.approx(wanted)
    assert metric == "cfd_judge" or ends.max() <= 1


def test_what_has_no_error_has_no_bar() -> None:
    """Neither a curve nor a reference; a bar of length 0 would say that it is known exactly."""
    tables = synthetic.tables()
    rows = tables.results
    rows.loc[(rows.metric == "cfd_judge") & rows.setup.isin([EMA99, "floor"]), "se"] = np.nan
    drawn = sampling.against_scale(tables, "balls", "cfd_judge")
    axes = drawn.axes[0]
    drawn.canvas.draw()
    (bars,) = [one for one in axes.containers if one.get_label().endswith("x0+ema0.99")]
    assert not any(len(segment) for segment in bars.lines[2][0].get_segments())
    values = tables.curve("balls", EMA99, "cfd_judge").value
    assert bars.lines[0].get_ydata().tolist() == values.tolist()
    bands = [np.isfinite(patch.get_extents().bounds).all() for patch in axes.patches]
    assert bands == [True, False]  # of the unguided samples, and of the floor
    assert np.isfinite(axes.get_ylim()).all()


def test_weight_zero_is_on_an_axis_without_negative_scales() -> None:
    tables = synthetic.tables()
    rows = tables.results
    rows.loc[(rows.setup == "clean/x0") & (rows.scale == 1), "scale"] = 0.0
    axes = against_scale(tables, "balls", "cfd_judge").axes[0]
    assert axes.get_xscale() == "symlog"
    assert -0.03 <= axes.get_xlim()[0] < 0
