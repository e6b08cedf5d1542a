"""What a killed run leaves behind: its processes, its SLURM jobs, results without a record."""

from __future__ import annotations

import base64
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from guidebench import grid, slurm, specs
from guidebench.artifacts import canonical, read_json
from guidebench.closure import code_digest
from guidebench.config import Config
from guidebench.errors import UserError
from guidebench.grid import Job, Layout

MARK = "GUIDEBENCH_RUN"
# of Snakemake: one file per output, named by its path
RECORDS, BEGUN = Path(".snakemake/metadata"), Path(".snakemake/incomplete")


def end(folder: Path, on_slurm: bool) -> int:
    """Stop the processes of this experiment, then cancel its SLURM jobs; returns their number.

    In this order: a Snakemake that is still there would submit cancelled jobs again. UserError when
    SLURM does not answer though the run is `on_slurm`, or when a job does not end.
    """
    jobs: list[str] = []
    with suppress(UserError):
        jobs = slurm.jobs(folder)
    stop(processes(folder, jobs))
    # a run that is not on SLURM may follow one that was
    return slurm.cancel(folder) if jobs or on_slurm else 0


def processes(folder: Path, jobs: list[str]) -> list[psutil.Process]:
    """Processes that a run of this experiment started and did not outlive.

    Those of SLURM's `jobs` (on this machine, too, if it is a node) are not among them.
    """
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            environment = process.environ()
            mine = environment.get(MARK) == str(folder.resolve())
            if mine and environment.get("SLURM_JOB_ID") not in jobs:
                found.append(process)
    return found


def stop(alive: list[psutil.Process]) -> None:
    """Interrupt what is still alive after a moment (a terminal's Ctrl-C reaches all), then wait."""
    _, alive = psutil.wait_procs(alive, timeout=1)
    for number in (signal.SIGINT, signal.SIGKILL):
        for process in alive:
            with suppress(psutil.Error):
                process.send_signal(number)
        _, alive = psutil.wait_procs(alive, timeout=10)


@contextmanager
def manifests_kept(config: Config, layout: Layout) -> Iterator[None]:
    """Restore the manifests that ending jobs take with them: Snakemake deletes a failed job's
    output, also when the work was done and only the job around it had not ended yet.
    """
    before = {}
    for job in grid.jobs(config):
        path = grid.manifest(layout, job)
        if path.is_file() and not _settled(path):
            before[path] = path.read_bytes(), path.stat()
    yield
    for path, (content, found) in before.items():
        if not path.exists():
            path.write_bytes(content)
            os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))


def _records(path: Path) -> tuple[Path, Path]:
    """Snakemake's files about an output: of how it was made, and that it was begun."""
    name = base64.urlsafe_b64encode(os.fspath(path).encode()).decode()
    return RECORDS / name, BEGUN / name


def _settled(path: Path) -> bool:
    record, begun = _records(path)
    return record.is_file() and not begun.is_file()


def settle(config: Config, layout: Layout) -> None:
    """Keep or delete the results of jobs that ended after their Snakemake had been killed.

    Snakemake has no record of them. A manifest comes last, so one that is there is whole: what is
    asked for now stays, and Snakemake is not told that it was begun; anything else would be taken
    for good and goes (its cells and checkpoints stay).
    """
    for job in grid.jobs(config):
        path = layout.report if job.stage == "report" else grid.manifest(layout, job)
        if not path.is_file() or _settled(path):
            continue
        if not _stands(config, layout, job):
            path.unlink()
            continue
        record, begun = _records(path)
        if begun.is_file():
            begun.unlink()
            record.unlink(missing_ok=True)


def _stands(config: Config, layout: Layout, job: Job) -> bool:
    with suppress(UserError):
        entry = read_json(grid.provenance(layout, job))
        asked = [specs.spec(config, job), code_digest(job.stage)]
        return canonical([entry["spec"], entry["code"]]) == canonical(asked)
    return False
