"""Which scales go on is what the report would choose, and all that follows knows who is missing."""

import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from tiny import configured, experiment, run_job

from guidebench import workload
from guidebench.base.cells import Cell
from guidebench.pipeline.jobs.finalists import dropped
from guidebench.pipeline.jobs.freshness import stale
from guidebench.pipeline.jobs.layout import Job, Layout
from guidebench.pipeline.jobs.listing import jobs, manifest
from guidebench.pipeline.records.artifacts import read_json, read_manifest
from guidebench.report.claims.verdicts import difference
from guidebench.report.figures import sampling, theme
from guidebench.report.tables import COMMON, EVALUATION, SELECTION, Tables

SCALES = [1, 10, 100, 1000]
OUT = 3  # of these


def values(root: Path, scales: int = 1) -> dict[str, Any]:
    """The balls of `tiny`: three blocks of evaluation seeds, of which the best of four scales has
    two more than the others.
    """
    whole, finalists = experiment(root), {"scales": scales, "evaluation": 12}
    balls = whole["datasets"]["balls"]
    balls["sampling"] |= {"block": 4, "evaluation": 4} | {"finalists": finalists}
    balls["setups"]["clean/raw"]["scales"] = SCALES
    return whole | {"worlds": {}, "datasets": {"balls": balls}}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Layout]:
    """All but the figures."""
    root = tmp_path_factory.mktemp("finalists")
    config, layout = configured(values(root), root / "c.json"), Layout(root / "results", "tiny")
    for job in jobs(config):
        if job.stage != "plots" and job.stage != "report":
            run_job(config, job, layout)
    return config, layout


def test_the_best_scale_of_the_report_goes_on_and_no_other(run: tuple[Any, Layout]) -> None:
    config, layout = run
    tables = Tables.read(layout.tables)
    curve = tables.curve("balls", "clean/raw", "csw_judge", SELECTION)
    ranked = read_json(layout.finalists("balls") / "finalists.json")["setups"]
    assert list(ranked) == ["clean/raw"]
    broken = tables.broken("balls", "clean/raw", SELECTION)
    whole = [one for one in ranked["clean/raw"] if one["distance"] is not None]
    assert {one["scale"] for one in ranked["clean/raw"]} - {one["scale"] for one in whole} == {
        *broken
    }
    for one in whole:
        (value,) = curve.value[curve.scale == one["scale"]]
        assert one["distance"] == pytest.approx(value, rel=1e-12)
    out = dropped(layout.finalists("balls"))
    best = tables.best("balls", "clean/raw")
    assert best not in out
    assert out == {Cell("clean/raw", float(s)) for s in SCALES} - {best}
    for block, cells in (("evaluation-0", 0), ("evaluation-1", OUT), ("evaluation-2", OUT)):
        for stage in ("sample", "features"):
            files = read_manifest(manifest(layout, Job(stage, "balls", block=block)))["files"]
            left = [name for name in files if name.endswith(".npz")]
            assert len(left) == len(workload.cells(config, "balls")) - cells


def test_every_number_says_of_how_many_images_it_is(run: tuple[Any, Layout]) -> None:
    config, layout = run
    tables = Tables.read(layout.tables)
    out = dropped(layout.finalists("balls"))
    for cell in workload.cells(config, "balls"):
        accuracy = tables.measure("balls", cell, "accuracy_judge")
        assert accuracy is not None
        assert accuracy.n == (4 if cell in out else 12)
        rows = tables.attributes[tables.attributes.setup == cell.setup]
        rows = rows[rows.scale.isna() if cell.scale is None else rows.scale == cell.scale]
        assert {len(one) for one in rows["values"]} == {accuracy.n}
        # and is paired with every other by the same jackknife blocks
        assert list(tables.left_out("balls", cell, "accuracy_judge").index) == [0, 1, 2, 3]


def test_differences_are_of_the_seeds_that_both_cells_have(run: tuple[Any, Layout]) -> None:
    """Those that one has alone would add to the error."""
    _, layout = run
    tables, metric = Tables.read(layout.tables), "accuracy_judge"
    out = sorted(dropped(layout.finalists("balls")))[0]
    free, best = Cell("unguided"), tables.best("balls", "clean/raw")
    assert best is not None
    assert tables.pairing("balls", [free, out]) == {free: COMMON, out: EVALUATION}
    one = tables.measure("balls", free, metric, COMMON)
    other = tables.measure("balls", out, metric)
    assert one is not None
    assert other is not None
    assert one.n == other.n == 4
    found = difference(tables, "balls", (free, metric), (out, metric))
    assert found.estimate == one.value - other.value
    # of two with all seeds, of all seeds
    assert set(tables.pairing("balls", [free, best]).values()) == {EVALUATION}
    assert len(tables.left_out("balls", free, "cfd_judge", COMMON)) == 4


def test_figures_mark_what_has_fewer(run: tuple[Any, Layout]) -> None:
    _, layout = run
    tables = Tables.read(layout.tables)
    with theme.settings():
        drawn = sampling.against_scale(tables, "balls", "accuracy_judge")
    (axes,) = drawn.axes
    assert re.search(r"n = 12 \(hollow: 4\)", axes.get_title())
    hollow = [line for line in axes.lines if line.get_markerfacecolor() == "white"]
    scales = {float(scale) for line in hollow for scale in line.get_xdata()}
    assert scales == {cell.scale for cell in dropped(layout.finalists("balls"))}


def test_what_was_left_out_is_not_read_when_it_lies_there(run: tuple[Any, Layout]) -> None:
    """All numbers are the same where files of cells that dropped out still lie in the folder."""
    config, layout = run
    before = pd.read_parquet(layout.metrics("balls") / "metrics.parquet")
    for cell in dropped(layout.finalists("balls")):
        for folder in (layout.samples("balls"), layout.features("balls")):
            (folder / cell.path / "evaluation-1.npz").write_bytes(b"of an earlier run")
    run_job(config, Job("metrics", "balls"), layout)
    run_job(config, Job("attributes", "balls"), layout)
    pd.testing.assert_frame_equal(
        pd.read_parquet(layout.metrics("balls") / "metrics.parquet"), before
    )


def test_another_number_of_finalists_samples_what_is_new(
    run: tuple[Any, Layout], tmp_path: Path
) -> None:
    _, layout = run
    edited = configured(values(tmp_path, scales=2), tmp_path / "c.json")
    found = stale(edited, layout)
    assert found[Job("finalists", "balls")].startswith("changed: finalists: 1 -> 2")
    ran = {(job.stage, job.block) for job in found}
    assert ("sample", "evaluation-1") in ran
    assert ("sample", "evaluation-0") not in ran
    assert ("sample", "selection-0") not in ran
