"""One record per metric: its figure, axis, caption and column come from it alone."""

import dataclasses
from pathlib import Path

import pandas as pd
import pytest
import synthetic_tables as synthetic
from table_edits import EMA99, level

from guidebench.base.cells import Cell
from guidebench.base.jackknife import agresti_coull
from guidebench.report.claims.verdicts import difference, quantile, share_of
from guidebench.report.columns import joined
from guidebench.report.figures import drawing, sampling
from guidebench.report.figures import rows as figure_rows
from guidebench.report.metrics import METRICS, Metric
from guidebench.report.pages import captions, rankings
from guidebench.report.tables import Measure, Tables


def with_metric(metric: str) -> Tables:
    """The judge's accuracies under the name of another metric."""
    tables = synthetic.tables()
    frames = {}
    for name in ("results", "jackknife"):
        rows = getattr(tables, name)
        extra = rows[rows.metric == "accuracy_judge"].assign(metric=metric)
        frames[name] = pd.concat([rows[rows.metric != metric], extra], ignore_index=True)
    return dataclasses.replace(tables, **frames)


@pytest.mark.parametrize("metric", list(METRICS))
def test_the_value_axis_says_what_the_record_says(metric: str) -> None:
    axes = sampling.against_scale(with_metric(metric), "balls", metric).axes[0]
    shown = METRICS[metric]
    label = " ".join(axes.get_ylabel().split())  # in lines, where the panel is low
    assert label.removesuffix(" (log scale)") == shown.axis
    assert shown.title in axes.get_title()
    if shown.values == "share":
        assert axes.get_ylim() == (-0.02, 1.04)


def test_the_axis_shows_whole_intervals() -> None:
    tables = with_metric("fd_judge")
    results = tables.results.copy()
    # alike, so that the axis is linear
    results.loc[results.metric == "fd_judge", "value"] += 100
    results.loc[results.metric == "fd_judge", "se"] = 40
    drawn = dataclasses.replace(tables, results=results)
    rows = figure_rows.against_scale(drawn, "balls", "fd_judge")
    axes = sampling.against_scale(drawn, "balls", "fd_judge").axes[0]
    assert rows.high.max() > 1.15 * rows.value.max()
    assert axes.get_ylim()[1] > rows.high.max()
    results.loc[results.metric == "fd_judge", "se"] = 140
    axes = sampling.against_scale(drawn, "balls", "fd_judge").axes[0]
    low = figure_rows.against_scale(drawn, "balls", "fd_judge").low.min()
    assert axes.get_ylim()[0] < low < 0


def test_records_do_not_share_a_figure() -> None:
    assert len({metric.file for metric in METRICS.values()}) == len(METRICS)


def test_a_new_metric_is_one_record(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Figure, axis and column of a metric that nothing else knows."""
    kid = Metric("KID (all classes)", "KID, lower is better", "kid", "KID", "Unbiased.", "KID")
    for metric in list(METRICS):
        monkeypatch.delitem(METRICS, metric)
    monkeypatch.setitem(METRICS, "kid", kid)
    tables = dataclasses.replace(
        with_metric("kid"), sensitivity=joined("sensitivity", []), history=joined("history", [])
    )
    names = {path.name for path in drawing.draw(tables, "balls", tmp_path)}
    assert names == {"kid.svg", "kid.png", "kid.csv"}
    axes = sampling.against_scale(tables, "balls", "kid").axes[0]
    assert axes.get_ylabel() == "KID, lower is better"
    table = rankings.best_setups(tables, "balls")
    (place,) = [place for place, title in enumerate(table["head"]) if title == "KID"]
    (row,) = [row for row in table["rows"] if row["cells"][0].endswith("x0+ema0.99")]
    assert row["cells"][place].startswith("0.97")


def test_every_metric_has_a_caption() -> None:
    for metric in METRICS.values():
        assert captions.guided({})[metric.file] == (metric.heading, metric.text)


@pytest.mark.parametrize(
    ("metric", "images"),
    [
        ("accuracy_judge", 256),
        ("accuracy_noise_trained", 256),
        ("diverged", 256),
        ("precision_judge", 256),
        ("recall_judge", 40),
        ("cfd_judge", 0),
        ("seconds", 0),
    ],
)
def test_what_a_metric_is_a_share_of(metric: str, images: int) -> None:
    assert share_of(metric, Measure(0.5, 0.1, 256, reference_n=40)) == images


def test_a_records_share_has_a_least_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(METRICS, "own", METRICS["precision_judge"])
    tables = with_metric("own")
    level(EMA99, "own", 1.0)(tables)
    tables.jackknife.loc[tables.jackknife.metric == "own", "value"] = 1.0
    cells = (Cell(EMA99, 100.0), "own"), (Cell(EMA99, 30.0), "own")
    found = difference(tables, "balls", *cells)
    least = agresti_coull(0, synthetic.N)
    assert found.high - found.estimate == pytest.approx(quantile(synthetic.K - 1) * least)
