"""What a killed run leaves behind: its processes, and its SLURM jobs."""

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
    """Processes on this machine that a run of this experiment started and that are still there.

    Without those of SLURM's `jobs`, which run here if this machine is one of its nodes.
    """
    started = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            environment = process.environ()
            ours = environment.get(MARK) == str(folder.resolve())
            if ours and environment.get("SLURM_JOB_ID") not in jobs:
                started.append(process)
    return started


def stop(alive: list[psutil.Process]) -> None:
    """Wait for processes to end; interrupt those that do not, and at last kill them."""
    # a terminal's Ctrl-C has reached them all already
    _, alive = psutil.wait_procs(alive, timeout=1)
    for number in (signal.SIGINT, signal.SIGKILL):
        for process in alive:
            with suppress(psutil.Error):
                process.send_signal(number)
        _, alive = psutil.wait_procs(alive, timeout=10)
