"""A valid experiment ends in a report: drawn ones, and those that once did not."""

import os
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from drawn import bases, experiments, settled
from faces import write_faces
from hypothesis import HealthCheck, Phase, given, seed, settings
from model_edits import DROP, Edit
from tiny import apart, run_job, warm

from guidebench.pipeline.jobs.check import problems
from guidebench.pipeline.jobs.layout import Job, Layout
from guidebench.pipeline.jobs.listing import jobs, seconds
from guidebench.pipeline.jobs.rates import assumed

SEED = int(os.environ.get("GUIDEBENCH_SEED", "2026"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    warm()
    root = tmp_path_factory.mktemp("drawn")
    write_faces(root / "faces")
    return root


def _drawn_small(figure: Any, folder: Path, name: str, rows: Any = None) -> list[Path]:
    """A figure drawn in full on few pixels: in letters as paths it takes seconds."""
    folder.mkdir(parents=True, exist_ok=True)
    figure.savefig(path := folder / f"{name}.png", dpi=30)
    return [path]


def run(base: dict[str, Any], edits: list[Edit], results: Path) -> Layout:
    """Every job of an experiment, in a fork of this process; the report's files."""

    def work() -> None:
        from guidebench.report.figures import theme

        theme.save = _drawn_small
        results.mkdir(exist_ok=True)
        config, _ = settled(base, edits, results / "experiment.json")
        rates = {name: assumed(config, name) for name in [*config.datasets, *config.worlds]}
        layout = Layout(results, config.name)
        for job in jobs(config):
            assert seconds(config, job, rates) > 0
            run_job(config, job, layout)
        assert list(problems(config, layout, list(jobs(config)))) == []

    apart(work)
    return Layout(results, base["name"])


def _check(folder: Path, count: int) -> None:
    done = 0

    @seed(SEED)
    @settings(
        max_examples=count,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(experiments(folder / "faces"))
    def whole(experiment: tuple[dict[str, Any], list[Edit]]) -> None:
        nonlocal done
        done += 1
        layout = run(*experiment, folder / f"{count}-{done}")
        assert layout.report.is_file()

    try:
        whole()
    except BaseException as error:
        error.add_note(f"experiments drawn with GUIDEBENCH_SEED={SEED}")
        raise
    assert done >= count


@pytest.mark.timeout(1200)
def test_three_drawn_experiments_end_in_a_report(folder: Path) -> None:
    _check(folder, 3)


@pytest.mark.slow
@pytest.mark.timeout(6 * 3600)
def test_three_hundred_drawn_experiments_end_in_a_report(folder: Path) -> None:
    _check(folder, 300)


def test_a_judge_alone_and_no_labels(folder: Path) -> None:
    """Nothing guides, nothing is along the forward process: the tables have columns, no rows."""
    kinds = bases(folder / "faces")
    sets = kinds["alone"]["datasets"] | kinds["none"]["datasets"]
    base = kinds["alone"] | {"datasets": sets}
    layout = run(base, [], folder / "alone")
    assert pd.read_parquet(layout.tables / "sensitivity.parquet").columns[0] == "dataset"
    results = pd.read_csv(layout.tables / "results.csv")
    assert set(results.metric[results.dataset == "none"]) == {"diverged"}
    assert {"accuracy_judge", "cfd_judge"} <= set(results.metric[results.dataset == "alone"])


def test_worlds_alone_in_one_dimension(folder: Path) -> None:
    world = ("worlds", "world")
    guided = {"guidance": "cfg", "scales": [0, 1]}
    parts = [{"mean": [-1.0], "label": 0}, {"mean": [1.0], "label": 1, "covariance": [[0.5]]}]
    edits = [
        Edit((*world, "drawn"), DROP),
        Edit((*world, "components"), parts),
        Edit((*world, "setups", "cfg"), guided),
    ]
    layout = run(bases(folder)["world"], edits, folder / "worlds")
    errors = pd.read_parquet(layout.tables / "truth.parquet")
    assert errors[errors.setup == "cfg"].value.notna().all()
    results = pd.read_csv(layout.tables / "results.csv")
    assert len(results) == 0
    assert {"dataset", "setup", "scale", "metric", "value", "se", "n"} <= set(results.columns)
    assert Job("ground_truth", "world").name in layout.report.read_text()
