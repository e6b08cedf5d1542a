"""`.ci/run` takes the SLURM tests only while it is inside its time, and says what it left out."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from processes import completed

# instead of the SLURM tests
QUICK = "echo '1 passed'"
ENDLESS = "sleep 60"
FAILING = "echo 'FAILED tests/x.py::test_x'; exit 2"
FAILING_ENDLESS = "trap 'exit 2' TERM; echo 'FAILED tests/x.py::test_x'; sleep 60 & wait"


@pytest.mark.parametrize(
    ("seconds", "slurm_test", "code", "said"),
    [
        (60, QUICK, 0, "make slurm-test: ended within "),
        (60, FAILING, 2, "make slurm-test: ended within "),
        (-1, FAILING, 0, "LEFT OUT: make slurm-test: too little time is left"),
        (3, ENDLESS, 0, "LEFT OUT: make slurm-test: cut off"),
        (3, FAILING_ENDLESS, 1, "FAILED tests/x.py::test_x"),
    ],
    ids=["inside", "fails", "no time", "cut off", "fails and is cut off"],
)
def test_the_time_of_ci(
    seconds: int, slurm_test: str, code: int, said: str, tmp_path: Path, repository: Path
) -> None:
    done = ci(seconds, 'echo "$1"', slurm_test, tmp_path, repository)
    assert done.returncode == code, done.stdout + done.stderr
    assert said in done.stdout
    assert done.stdout.startswith("setup\nmake setup: ")
    assert ("LEFT OUT" in done.stdout) == ("LEFT OUT" in said)


def test_fast_tests_that_fail_end_those_of_slurm(tmp_path: Path, repository: Path) -> None:
    started, ended = tmp_path / "started", tmp_path / "ended"
    slurm_test = f"trap 'touch {ended}; exit 2' TERM; touch {started}; sleep 60 & wait"
    failing = f'[ "$1" != test ] || {{ until [ -e {started} ]; do sleep 0.1; done; exit 3; }}'
    done = ci(600, failing, slurm_test, tmp_path, repository)
    assert done.returncode == 3, done.stdout + done.stderr
    assert ended.exists()


def ci(
    seconds: int, make: str, slurm_test: str, tmp_path: Path, repository: Path
) -> subprocess.CompletedProcess[str]:
    """`.ci/run` with other commands, in so many seconds."""
    binaries = tmp_path / "bin"
    binaries.mkdir()
    scripts = {
        "make": make,
        "python": slurm_test,
        "id": "echo 0",
        "slurmctld": "",
        "munged": "",
    }
    for name, body in scripts.items():
        (binaries / name).write_text(f"#!/bin/sh\n{body}\n")
        (binaries / name).chmod(0o755)
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv/bin").symlink_to(binaries)
    (tmp_path / ".ci").mkdir()
    script = shutil.copy(repository / ".ci/run", tmp_path / ".ci/run")
    environment = {
        "PATH": f"{binaries}{os.pathsep}{os.environ['PATH']}",
        "GUIDEBENCH_CI_SECONDS": str(seconds),
    }
    return completed(script, env=os.environ | environment)
