"""The rows behind the figures: what is drawn, and what the CSV has."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import synthetic_tables as synthetic
from table_edits import EMA99, broke, level

from guidebench.base.cells import Cell
from guidebench.report.claims.intervals import proportion
from guidebench.report.claims.verdicts import quantile
from guidebench.report.figures import drawing, forward, rows, sampling


def test_accuracy_is_of_four_curves_with_exact_intervals() -> None:
    """The paper's three classifiers, and the noise-trained one on x0_pred."""
    table = rows.along(synthetic.tables(), "balls", "accuracy", forward.ACCURACY)
    groups = table.groupby(rows.CURVE, sort=False)
    assert [name for name, _ in groups] == [
        ("clean", "raw", "none"),
        ("clean", "x0", "none"),
        ("noise_trained", "raw", "none"),
        ("noise_trained", "x0", "none"),
    ]
    # at t = 59 the clean classifier is at chance: 128 of 512
    (row,) = table[
        (table.t == 59) & (table.classifier == "clean") & (table.input == "raw")
    ].to_dict("records")
    exact = proportion(0.25, 512)
    assert (row["mean"], row["n"], row["quantity"]) == (0.25, 512, "accuracy")
    assert (row["low"], row["high"]) == (exact.low, exact.high)


def test_the_four_curves_are_drawn() -> None:
    axes = forward.accuracy(synthetic.tables(), "balls").axes[0]
    lines = {line.get_label(): line for line in axes.lines}
    assert {"clean (non-robust), raw", "noise-trained (robust), x0"} <= set(lines)
    on_x0 = lines["noise-trained (robust), x0"]
    wanted = [synthetic.accuracy(("noise_trained", "x0", "none"), t) for t in synthetic.TIMES]
    assert on_x0.get_ydata() == pytest.approx(wanted, abs=1 / 1024)


def test_a_sensitivitys_band_is_one_sd_of_a_log_normal() -> None:
    table = rows.along(synthetic.tables(), "balls", "grad_sensitivity", forward.PLAIN)
    factor = np.exp(np.sqrt(np.log1p((table.sd / table["mean"]) ** 2)))
    assert table.low.to_numpy() == pytest.approx((table["mean"] / factor).to_numpy())
    assert table.high.to_numpy() == pytest.approx((table["mean"] * factor).to_numpy())
    cosine = rows.along(synthetic.tables(), "balls", "grad_cosine", forward.PLAIN)
    assert cosine.low.isna().all()  # drawn without a band


def test_a_distance_against_the_scale_by_hand() -> None:
    tables = synthetic.tables()
    broke(tables, "clean/raw", 30.0)
    level("clean/raw", "fd_judge", [4, 9, 30, np.nan])(tables)
    table = rows.against_scale(tables, "balls", "fd_judge")
    assert list(table.setup.unique()) == [*tables.guided("balls"), "unguided", "floor"]
    own = table[table.setup == EMA99]
    half = quantile(synthetic.K - 1) * 0.02 * own.value
    assert own.scale.tolist() == [10, 30, 100, 300]
    assert own.value.tolist() == pytest.approx([4, 8, 8.5, 26])
    assert own.low.tolist() == pytest.approx((own.value - half).tolist())
    assert own.high.tolist() == pytest.approx((own.value + half).tolist())
    assert own.n.tolist() == [synthetic.N] * 4
    assert not own.broken.any()
    # the broken cell stays, without the value that it does not have
    lost = table[(table.setup == "clean/raw") & table.broken]
    assert (lost.scale.tolist(), lost.value.isna().tolist()) == ([30.0], [True])
    assert rows.of_cell(table, Cell("floor")).value.tolist() == [0.4]
    assert rows.of_cell(table, Cell("unguided")).scale.isna().all()


def test_a_share_has_exact_ends() -> None:
    table = rows.against_scale(synthetic.tables(), "balls", "accuracy_guide")
    row = table[(table.setup == EMA99) & (table.scale == 30)].iloc[0]
    exact = proportion(0.98, synthetic.N)
    assert (row.low, row.high) == (exact.low, exact.high)


def test_a_metric_without_any_finite_value_has_rows_without_values() -> None:
    tables = synthetic.tables()
    tables.results.loc[tables.results.metric == "cfd_judge", "value"] = np.inf
    table = rows.against_scale(tables, "balls", "cfd_judge")
    assert table.value.notna().sum() == 0
    assert sampling.against_scale(tables, "balls", "cfd_judge").axes


def test_the_csv_has_what_is_drawn(demo: Path) -> None:
    tables = synthetic.tables()
    folder = demo / "figures" / "balls"
    for name, plot in drawing.plots(tables, "balls").items():
        kept = pd.read_csv(folder / f"{name}.csv").fillna({"reference": ""})
        wanted = plot.rows(tables, "balls").reset_index(drop=True)
        pd.testing.assert_frame_equal(kept, wanted, check_dtype=False)
    curve = pd.read_csv(folder / "cfd.csv")
    axes = sampling.against_scale(tables, "balls", "cfd_judge").axes[0]
    (bars,) = [one for one in axes.containers if one.get_label().endswith("x0+ema0.99")]
    assert bars.lines[0].get_ydata().tolist() == curve.value[curve.setup == EMA99].tolist()
