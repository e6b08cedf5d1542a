"""Two experiments beside each other, with every stage: what one has, the other does not compute."""

import shutil
from pathlib import Path

import pytest
from once import once
from states import Experiment
from tiny import warm

from guidebench.pipeline.jobs.layout import Job
from guidebench.pipeline.records.artifacts import read_json, sha256

LAST = ["collect", "findings", "plots", "report"]
CELLS = ("setups", "clean/raw", "scales")


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """Results of the digits, under the name `other`."""
    return once(tmp_path_factory, worker_id, "beside", _run)


def _run(root: Path) -> Path:
    warm()
    experiment = Experiment(root)
    experiment.finish(name="other")
    return experiment.results


@pytest.fixture
def beside(finished: Path, tmp_path: Path) -> Experiment:
    """The digits, with a finished experiment beside the one that is run."""
    warm()
    shutil.copytree(finished, tmp_path / "results")
    return Experiment(tmp_path)


def sums(experiment: Experiment, name: str) -> dict[str, str]:
    """Every file of an experiment that somebody reads."""
    root = experiment.results / name
    return {
        str(path.relative_to(root)): sha256(path)
        for path in experiment.files()
        if path.is_relative_to(root)
    }


def stages(jobs: list[Job]) -> list[str]:
    return [job.stage for job in jobs]


def test_one_more_scale_costs_its_cells_the_metrics_and_the_report(beside: Experiment) -> None:
    before = sums(beside, "other")
    beside.set(CELLS, [1, 10])
    outcome = beside.finish()
    assert outcome.foreseen == outcome.planned == outcome.ran
    # of two scales one is no finalist: who has more seeds is decided anew
    decided = ["finalists", "sample", "features"]
    assert stages(outcome.ran) == ["sample"] * 2 + ["features"] * 2 + decided + ["metrics", *LAST]
    for kind in ("samples", "features"):
        cells = sorted((beside.results / "tiny/digits" / kind).rglob("*.cell.json"))
        said = {path: read_json(path).get("taken_from") for path in cells}
        new = [path for path in cells if said[path] is None]
        assert {path.parent.name for path in new} == {"scale-10"}
        assert len(new) == 2
        assert all(said[path] == ["other"] for path in cells if path not in new)
    assert sums(beside, "other") == before
    assert beside.digest() == beside.reference()
    assert beside.problems() == []


def test_other_code_costs_what_it_made(beside: Experiment) -> None:
    beside.code = frozenset(["heun"])
    outcome = beside.finish()
    assert "train_denoiser" not in stages(outcome.ran)
    assert "sensitivity" not in stages(outcome.ran)
    assert stages(outcome.ran)[:2] == ["sample", "sample"]
    assert not any(
        "taken_from" in read_json(path)
        for path in (beside.results / "tiny/digits/samples").rglob("*.cell.json")
    )
    assert beside.digest() == beside.reference()


def test_no_stage_changes_a_file_that_another_experiment_has(beside: Experiment) -> None:
    """All jobs run anew, with another seed, where every file has a second name."""
    beside.finish()
    before = sums(beside, "other")
    taken = [path for path in beside.files() if path.stat().st_nlink > 1]
    assert len(taken) > 40
    beside.values["seed"] = 1
    outcome = beside.finish()
    assert set(stages(outcome.ran)) >= {
        "prepare",
        "train_denoiser",
        "train_classifier",
        "sensitivity",
        "sample",
        "features",
        "metrics",
    }
    assert sums(beside, "other") == before


@pytest.mark.parametrize("at", [1, 7, 30, 90])
def test_a_run_that_was_killed_while_it_took_over_goes_on(at: int, beside: Experiment) -> None:
    before = sums(beside, "other")
    assert beside.run(at=at, kill=True) is None
    outcome = beside.finish()
    assert stages(outcome.ran) == LAST
    assert sums(beside, "other") == before
    assert beside.digest() == beside.reference()
