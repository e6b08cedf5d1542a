"""Who wins: ties, winners chosen on other seeds, same images, ends of the grid, broken cells."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import synthetic_tables as synthetic
from test_findings import level, wobble

from guidebench.base.choices import CHOSEN_BY
from guidebench.base.jackknife import standard_error
from guidebench.report.claims import findings
from guidebench.report.claims.intervals import proportion
from guidebench.report.claims.verdicts import FAILS, UNDECIDED, difference, quantile
from guidebench.report.columns import columns
from guidebench.report.figures import sampling
from guidebench.report.pages import page, rankings, winners
from guidebench.report.tables import BROKEN, Cell, Tables

EMA99, EMA9, ADAM = "clean/x0+ema0.99", "clean/x0+ema0.9", "clean/x0+adam"


def with_choosers(tables: Tables) -> Tables:
    """The sliced distances beside the Fréchet ones, with the same values."""
    frames = {}
    for name in ("results", "jackknife"):
        rows = getattr(tables, name)
        extra = rows[rows.metric.isin(CHOSEN_BY)]
        extra = extra.assign(metric=extra.metric.map(CHOSEN_BY))
        frames[name] = pd.concat([rows, extra], ignore_index=True)
    return dataclasses.replace(tables, **frames)


def with_columns(tables: Tables, **columns: float) -> Tables:
    return dataclasses.replace(tables, results=tables.results.assign(**columns))


def diverge(tables: Tables, setup: str, share: float, *splits: str) -> None:
    rows = tables.results
    keep = (rows.setup == setup) & (rows.metric == "diverged") & rows.split.isin(splits)
    rows.loc[keep, "value"] = share


def row(table: dict, title: str) -> list[str]:
    (found,) = [entry["cells"] for entry in table["rows"] if entry["cells"][0].endswith(title)]
    return found


def test_a_scale_is_chosen_by_the_sliced_distance_and_valued_by_frechets() -> None:
    tables = with_choosers(synthetic.tables())
    level(EMA99, "csw_judge", [9, 1, 9, 9], "selection")(tables)
    cell = tables.best("balls", EMA99)
    assert cell == Cell(EMA99, 30.0)
    assert tables.best("balls", EMA99, "cfd_judge") == cell
    assert tables.best("balls", EMA99, "csw_judge") == cell
    # another metric is its own chooser
    assert tables.best("balls", EMA99, "fd_judge") == Cell(EMA99, 10.0)
    assert tables.best("balls", EMA99, "accuracy_judge") == Cell(EMA99, 10.0)


def test_the_winner_is_chosen_on_selection_seeds() -> None:
    tables = with_choosers(synthetic.tables())
    level(EMA9, "csw_judge", [9, 9, 0.5, 9], "selection")(tables)
    found = winners.winner(tables, "balls")
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


def test_a_shared_reference_cancels_in_a_difference_and_counts_alone() -> None:
    """Both cells' distances move by the same when the same block of the reference is left out."""
    tables = synthetic.tables()
    pair = [(Cell(EMA99, 100.0), "cfd_judge"), (Cell(EMA9, 30.0), "cfd_judge")]
    before = difference(tables, "balls", *pair)
    moves = np.linspace(-1, 1, synthetic.K)
    frames = []
    for (setup, scale), metric in pair:
        frames.append(
            pd.DataFrame(
                {
                    "dataset": "balls",
                    "setup": setup,
                    "scale": scale,
                    "split": "evaluation",
                    "metric": metric,
                    "block": range(synthetic.K),
                    "value": 5 + moves,
                }
            )
        )
    same = dataclasses.replace(tables, reference_jackknife=pd.concat(frames))
    assert difference(same, "balls", *pair) == pytest.approx(before)
    frames[0]["value"] = 5 - moves
    other = dataclasses.replace(tables, reference_jackknife=pd.concat(frames))
    after = difference(other, "balls", *pair)
    assert after.estimate == pytest.approx(before.estimate)
    t = quantile(synthetic.K - 1)
    seeds, both = (interval.high - interval.estimate for interval in (before, after))
    assert both == pytest.approx(np.hypot(seeds, t * standard_error(2 * moves)))


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


def test_a_broken_cell_is_never_selected_best_or_bold() -> None:
    tables = synthetic.tables()
    rows = tables.results
    at = (rows.setup == EMA99) & (rows.scale == 100) & (rows.metric == "diverged")
    rows.loc[at & (rows.split == "selection"), "value"] = BROKEN + 0.001
    assert tables.best("balls", EMA99) == Cell(EMA99, 30.0)
    rows.loc[at, "value"] = BROKEN
    assert tables.best("balls", EMA99) == Cell(EMA99, 100.0)
    # broken on evaluation seeds alone: shown, but in no ranking
    diverge(tables, EMA99, 0.5, "evaluation")
    found = winners.winner(tables, "balls")
    assert found is not None
    assert found[0].setup == "noise_trained/raw"
    shown = rankings.best_setups(tables, "balls")["rows"]
    (cell,) = [one for one in shown if one["cells"][0].endswith("ema0.99")]
    assert not cell["best"]
    assert cell["cells"][-2].endswith("(broken)")
    diverge(tables, EMA99, 1.0, "selection", "evaluation")
    assert tables.best("balls", EMA99) is None
    assert any(
        line.startswith("Broken") and EMA99 in line for line in winners.warnings(tables, "balls")
    )


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


def test_the_guides_lead_over_the_judge_is_paired_and_never_certain() -> None:
    tables = synthetic.tables()
    shown = row(rankings.best_setups(tables, "balls"), "x0+ema0.99")
    found = difference(
        tables,
        "balls",
        (Cell(EMA99, 100.0), "accuracy_guide"),
        (Cell(EMA99, 100.0), "accuracy_judge"),
    )
    assert shown[4] == str(found.times(100))
    assert shown[4].startswith("2 [")
    assert shown[-2] == "0 [0, 1.43]"
    gone = dataclasses.replace(tables, jackknife=tables.jackknife[:0])
    assert row(rankings.best_setups(gone, "balls"), "x0+ema0.99")[4] == "–"


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


def test_page_shows_who_wins_and_what_is_not_distinguishable(tmp_path) -> None:
    tables = synthetic.tables()
    level(EMA9, "cfd_judge", 3.0)(tables)
    text = page.render(tmp_path, tables, findings.decide(tables), tmp_path)
    assert "Who wins" in text
    assert f"Not distinguishable from the best of all: <code>{EMA9}</code>" in text
    for setup in ("noise_trained/raw", "clean/raw", "clean/x0", EMA9, EMA99, ADAM):
        diverge(tables, setup, 1.0, "selection", "evaluation")
    text = page.render(tmp_path, tables, findings.decide(tables), tmp_path)
    assert "<h3>Who wins" not in text
    assert "Broken, so in no ranking" in text


@pytest.mark.parametrize(
    ("setup", "said"),
    [(EMA99, "no finite value on selection seeds"), (EMA9, f"Not compared: {EMA9}")],
)
def test_a_claim_is_not_won_by_a_broken_cell(setup: str, said: str) -> None:
    tables = synthetic.tables()
    diverge(tables, setup, 1.0, "selection", "evaluation")
    (found,) = [one for one in findings.decide(tables) if one["id"] == 13]
    assert found["verdict"] == UNDECIDED
    assert said in found["reason"]


def test_nothing_is_measured_against_a_broken_unguided() -> None:
    """Its scale is NaN, which equals nothing."""
    tables = synthetic.tables()
    diverge(tables, "unguided", 1.0, "evaluation")
    assert tables.is_broken("balls", Cell("unguided"))
    found = {one["id"]: one["verdict"] for one in findings.decide(tables)}
    assert (found[8], found[12]) == (UNDECIDED, UNDECIDED)
    assert "(broken)" in page.render(Path(), tables, findings.decide(tables), Path())


def test_a_rival_that_broke_late_hides_no_loss() -> None:
    tables = synthetic.tables()
    level(ADAM, "cfd_judge", 0.1)(tables)
    (before,) = [one for one in findings.decide(tables) if one["id"] == 13]
    assert before["verdict"] == FAILS
    diverge(tables, EMA9, 1.0, "evaluation")
    (after,) = [one for one in findings.decide(tables) if one["id"] == 13]
    assert after["verdict"] == FAILS


def test_one_image_of_few_may_be_chance() -> None:
    tables = synthetic.tables()
    tables.results.loc[tables.results.metric == "diverged", "n"] = 48
    diverge(tables, EMA9, 1 / 48, "selection")
    assert tables.broken("balls", EMA9, "selection") == []
    diverge(tables, EMA9, 2 / 48, "selection")
    assert len(tables.broken("balls", EMA9, "selection")) > 1


def test_inception_features_of_too_few_images_decide_nothing() -> None:
    tables = synthetic.tables()
    rows = tables.results[tables.results.metric == "cfd_judge"]
    few = rows.assign(metric="cfid", features=2048, reference_n=6000)
    tables = dataclasses.replace(tables, results=pd.concat([tables.results, few]))
    assert tables.distance("balls", "cfd") == "cfd_judge"
    tables.results.loc[tables.results.metric == "cfid", "features"] = 64
    assert tables.distance("balls", "cfd") == "cfid"
