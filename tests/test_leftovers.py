"""What a killed run leaves: results without a record, SLURM jobs, processes."""

import base64
import os
import subprocess
from pathlib import Path

import psutil
import pytest

from guidebench import grid, leftovers, slurm, specs
from guidebench.artifacts import write_json
from guidebench.closure import code_digest
from guidebench.grid import Job, Layout
from guidebench.validate import load

JOB = Job("sample", "mnist", block="selection-0")


class Left:
    """A manifest of one job, with or without provenance and Snakemake's two kinds of records."""

    def __init__(self, config, root: Path) -> None:
        self.config, self.layout = config, Layout(Path("results"), "smoke")
        self.manifest = grid.manifest(self.layout, JOB)
        self.name = base64.urlsafe_b64encode(os.fspath(self.manifest).encode()).decode()
        self.record = root / leftovers.RECORDS / self.name
        self.begun = root / leftovers.BEGUN / self.name
        for folder in (self.record.parent, self.begun.parent):
            folder.mkdir(parents=True)
        write_json(self.manifest, {"files": {}})

    def provenance(self, **changes: object) -> None:
        asked = {"spec": specs.spec(self.config, JOB), "code": code_digest("sample")}
        write_json(grid.provenance(self.layout, JOB), asked | changes)

    def settle(self) -> bool:
        leftovers.settle(self.config, self.layout)
        return self.manifest.is_file()


@pytest.fixture
def left(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Left:
    config = load(str(repository / "workflow/config/smoke.yaml"), [])
    monkeypatch.chdir(tmp_path)
    return Left(config, tmp_path)


def test_a_recorded_result_is_snakemakes_business(left: Left) -> None:
    left.record.touch()
    assert left.settle()  # with no provenance at all


def test_an_orphans_result_that_is_asked_for_stays(left: Left) -> None:
    left.provenance()
    left.begun.touch()
    left.record.touch()  # of an earlier execution, with other params
    assert left.settle()
    assert not left.begun.exists()
    assert not left.record.exists()


@pytest.mark.parametrize("changes", [{"spec": {}}, {"code": "older"}])
def test_an_orphans_result_of_another_config_or_code_goes(left: Left, changes: dict) -> None:
    left.provenance(**changes)
    assert not left.settle()


def test_a_result_without_provenance_goes(left: Left) -> None:
    left.begun.touch()
    assert not left.settle()


def test_an_orphans_findings_and_figures_stay(left: Left) -> None:
    """Their provenance lies beside the files, not beside the manifest."""
    for stage, folder in (("findings", left.layout.root), ("plots", left.layout.figures)):
        job = Job(stage)
        assert grid.provenance(left.layout, job).parent == folder
        write_json(grid.manifest(left.layout, job), {"files": {}})
        asked = {"spec": specs.spec(left.config, job), "code": code_digest(stage)}
        write_json(grid.provenance(left.layout, job), asked)
        left.settle()
        assert grid.manifest(left.layout, job).is_file()


def test_a_manifest_that_an_ending_job_deletes_is_restored(left: Left) -> None:
    os.utime(left.manifest, ns=(10**18, 10**18))
    content = left.manifest.read_text()
    with leftovers.manifests_kept(left.config, left.layout):
        left.manifest.unlink()
    assert left.manifest.read_text() == content
    assert left.manifest.stat().st_mtime_ns == 10**18


def test_a_recorded_manifest_is_not_restored(left: Left) -> None:
    left.record.touch()
    with leftovers.manifests_kept(left.config, left.layout):
        left.manifest.unlink()
    assert not left.manifest.exists()


def test_processes_of_slurms_own_jobs_are_slurms_to_end(slurm_queue: Path, tmp_path: Path) -> None:
    """On a node that runs both: a job is cancelled, not shot; what else was left is stopped."""
    folder = tmp_path / "results/x"
    slurm_queue.write_text(f"7 {slurm.prefix(folder)}_1234\n")
    mark = os.environ | {leftovers.MARK: str(folder.resolve())}
    job, other = (
        subprocess.Popen(["sleep", "60"], env=mark | extra)
        for extra in ({"SLURM_JOB_ID": "7"}, {"SLURM_JOB_ID": "3"})
    )
    try:
        # also before a run that is not on SLURM: the one before it may have been
        assert leftovers.end(folder, on_slurm=False) == 1
        assert not psutil.pid_exists(other.pid)
        assert job.poll() is None
        assert leftovers.end(folder, on_slurm=True) == 0
        assert not psutil.pid_exists(job.pid)
    finally:
        for process in (job, other):
            process.kill()
