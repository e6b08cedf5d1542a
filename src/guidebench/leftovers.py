"""What a killed run leaves behind: its processes, its SLURM jobs, results without a record."""

from __future__ import annotations

import base64
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from guidebench import grid, specs
from guidebench.artifacts import canonical, digest_of, read_json
from guidebench.closure import code_digest
from guidebench.config import Config
from guidebench.errors import UserError
from guidebench.grid import Job, Layout

MARK = "GUIDEBENCH_RUN"
CANCEL_SECONDS = 120.0
# of Snakemake: one file per output, named by its path
RECORDS, BEGUN = Path(".snakemake/metadata"), Path(".snakemake/incomplete")


def end(folder: Path, slurm: bool) -> int:
    """Stop the processes of this experiment, then cancel its SLURM jobs; returns their number.

    In this order: a Snakemake that is still there would submit cancelled jobs again. UserError when
    SLURM does not answer, or a job does not end.
    """
    jobs: list[str] = []
    if slurm:
        with suppress(UserError):
            jobs = _slurm_jobs(folder)
    stop(processes(folder, jobs))
    return cancel_slurm_jobs(folder) if slurm else 0


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


def slurm_prefix(folder: Path) -> str:
    """How the names of an experiment's SLURM jobs begin."""
    return f"guidebench-{digest_of(str(folder.resolve()))[:12]}"


def cancel_slurm_jobs(folder: Path) -> int:
    """Cancel the jobs of this experiment that are queued or running and wait until they are gone.

    Returns their number. UserError when SLURM does not answer, or a job does not end.
    """
    jobs = alive = _slurm_jobs(folder)
    deadline = time.monotonic() + CANCEL_SECONDS
    if jobs:
        subprocess.run(["scancel", *jobs], check=False, capture_output=True)
    while alive:
        if time.monotonic() > deadline:
            raise UserError(f"{folder.name}: SLURM jobs {', '.join(alive)} of an earlier run do "
                            "not end; wait for them, then run again")  # fmt: skip
        time.sleep(1)
        alive = _slurm_jobs(folder)
    return len(jobs)


def _slurm_jobs(folder: Path) -> list[str]:
    if shutil.which("squeue") is None:
        raise UserError("squeue: not found; start where SLURM's commands are (the login node)")
    query = ["squeue", "--me", "--noheader", "--format=%A %j"]
    done = subprocess.run(query, capture_output=True, text=True, check=False)
    if done.returncode:
        raise UserError(f"squeue: {' '.join(done.stderr.split())}")
    rows = [line.split(maxsplit=1) for line in done.stdout.splitlines()]
    prefix = slurm_prefix(folder)
    return sorted({number for number, *name in rows if "".join(name).startswith(prefix)})


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
