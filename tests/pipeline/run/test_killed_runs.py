"""What a killed run leaves: its processes, and its SLURM jobs."""

import os
import subprocess
from pathlib import Path

import psutil

from guidebench.pipeline.run import killed_runs, slurm


def test_processes_of_slurms_own_jobs_are_slurms_to_end(slurm_queue: Path, tmp_path: Path) -> None:
    """On a node that runs both: a job is cancelled, not shot; what else was left is stopped."""
    folder = tmp_path / "results/x"
    slurm_queue.write_text(f"7 {slurm.prefix(folder)}_1234\n")
    mark = os.environ | {killed_runs.MARK: str(folder.resolve())}
    job, other = (
        subprocess.Popen(["sleep", "60"], env=mark | extra)
        for extra in ({"SLURM_JOB_ID": "7"}, {"SLURM_JOB_ID": "3"})
    )
    try:
        # also before a run that is not on SLURM: the one before it may have been
        assert killed_runs.end(folder, on_slurm=False) == 1
        assert not psutil.pid_exists(other.pid)
        assert job.poll() is None
        assert killed_runs.end(folder, on_slurm=True) == 0
        assert not psutil.pid_exists(job.pid)
    finally:
        for process in (job, other):
            process.kill()
