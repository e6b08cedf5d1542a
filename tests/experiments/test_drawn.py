"""A valid experiment ends in a report: drawn ones, and those that once did not."""

import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from drawn import bases, experiments, settled
from faces import write_faces
from hypothesis import HealthCheck, Phase, given, seed, settings
from model_edits import DROP, Edit
from tiny import apart, draw_coarsely, run_job, warm

from guidebench.pipeline.errors import UserError
from guidebench.pipeline.jobs.check import problems
from guidebench.pipeline.jobs.layout import Job, Layout
from guidebench.pipeline.jobs.listing import jobs, seconds
from guidebench.pipeline.jobs.rates import assumed

# of the first job, which alone reads what a source of the user's own gives
DOOR = re.compile(r"prepare \S+: data\.source: own_methods:\w+: found .+, allowed: .+")
SEED = int(os.environ.get("GUIDEBENCH_SEED", "2026"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    warm()
    root = tmp_path_factory.mktemp("drawn")
    write_faces(root / "faces")
    return root


def ended(base: dict[str, Any], edits: list[Edit], results: Path) -> str:
    """Every job of an experiment, in a fork of this process: nothing to say, its report is there.

    Or the line by which the first job refuses what a source of the user's own gave: only who reads
    it knows.
    """

    def work() -> str:
        draw_coarsely(laid_out=True)
        results.mkdir(exist_ok=True)
        config, _ = settled(base, edits, results / "experiment.json")
        rates = {name: assumed(config, name) for name in [*config.datasets, *config.worlds]}
        layout = Layout(results, config.name)
        for job in jobs(config):
            assert seconds(config, job, rates) > 0
            try:
                run_job(config, job, layout)
            except UserError as error:
                if DOOR.fullmatch(str(error)):
                    return str(error)
                raise
        assert list(problems(config, layout, list(jobs(config)))) == []
        assert layout.report.is_file()
        return ""

    return str(apart(work))


def run(base: dict[str, Any], edits: list[Edit], results: Path) -> Layout:
    """The files of an experiment that ends in its report."""
    assert ended(base, edits, results) == ""
    return Layout(results, base["name"])


def _check(folder: Path, count: int) -> None:
    done = refused = 0

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
        nonlocal done, refused
        done += 1
        refused += ended(*experiment, folder / f"{count}-{done}") != ""

    try:
        whole()
    except BaseException as error:
        error.add_note(f"experiments drawn with GUIDEBENCH_SEED={SEED}")
        raise
    assert done >= count
    assert refused < count / 10


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


EXTREME: dict[str, dict[str, Any]] = {
    "scale": {"scales": [1e-30, 1.0, 1e30]},
    "cold": {"temperature": 1e-30},
    "hot": {"temperature": 1e300},
    "ema": {"stabilizer": {"name": "ema", "beta": 0.9999999999999999}},
    "now": {"stabilizer": {"name": "ema", "beta": 0.0}},
    "adam": {"stabilizer": {"name": "adam", "beta1": 0.0, "beta2": 0.0, "eps": 5e-324}},
    "damped": {"stabilizer": {"name": "adam", "eps": 1e308}},
    "rmsprop": {"stabilizer": {"name": "rmsprop", "beta": 0.9999999999999999, "eps": 5e-324}},
    "clipped": {"stabilizer": {"name": "norm_clip", "max_norm": 5e-324}},
    "never": {"interval": [0.0, 0.0]},
    "frozen": {"input": "x0_frozen", "hold": "eps", "scales": [1e30]},
    "free": {"clip": False, "scales": [1e30]},
    **{name: {"sampler": name, "scales": [1e30]} for name in ("ddim", "heun", "dpmpp_2m")},
    "euler": {"sampler": "euler_maruyama", "injection": "mean", "scales": [1e30]},
}


@pytest.mark.timeout(1200)
def test_extreme_options_end_in_marked_divergence(folder: Path) -> None:
    """Every finite value that a key takes, whatever comes of it: a report, and no NaN as a number.

    The betas of the process, too: its last one leaves no signal that float32 could hold.
    """
    guided = {"guidance": "classifier", "classifier": "clean", "input": "x0", "scales": [1e30]}
    guided |= {"injection": "score"}
    setups = {f"{name}/x0": guided | keys for name, keys in EXTREME.items()}
    at = ("datasets", "digits")
    edits = [
        *(Edit((*at, "setups", name), setup) for name, setup in setups.items()),
        Edit((*at, "setups", "cfg"), {"guidance": "cfg", "scales": [1e-30, 1e30]}),
        Edit((*at, "schedule", "beta_end"), 0.9999999999999999),
        Edit((*at, "sampling", "limit"), 1e-300),
    ]
    layout = run(bases(folder / "faces")["digits"], edits, folder / "extreme")
    results = pd.read_csv(layout.tables / "results.csv")
    evaluated = results[(results.split == "evaluation") & (results.metric == "diverged")]
    broken = set(evaluated.setup[evaluated.value > 0.5])
    assert {"scale/x0", "cold/x0"} <= broken
    assert not {"unguided", "never/x0", "clipped/x0"} & broken
    assert np.isfinite(results.value.dropna()).all()


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
