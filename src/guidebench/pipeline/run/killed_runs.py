"""What a killed run leaves behind: its processes, and its SLURM jobs."""

from __future__ import annotations

import signal
from contextlib import suppress
from pathlib import Path

import psutil

from guidebench.pipeline.errors import UserError
from guidebench.pipeline.run import slurm

MARK = "GUIDEBENCH_RUN"


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
