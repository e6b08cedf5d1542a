"""`.ci/run` takes the SLURM tests only while it is inside its time, and says what it left out."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

# instead of the SLURM tests
QUICK = "echo '1 passed'"
ENDLESS = "sleep 60"
FAILING = "echo 'FAILED tests/x.py::test_x'; exit 2"
FAILING_ENDLESS = "trap 'exit 2' TERM; echo 'FAILED tests/x.py::test_x'; sleep 60 & wait"


@pytest.mark.parametrize(
    ("seconds", "slurm_test", "code", "said"),
    [
        (60, QUICK, 0, "make slurm-test: 0 s"),
        (60, FAILING, 2, "make slurm-test: 0 s"),
        (-1, FAILING, 0, "LEFT OUT: make slurm-test: too little time is left"),
        (3, ENDLESS, 0, "LEFT OUT: make slurm-test: cut off"),
        (3, FAILING_ENDLESS, 1, "FAILED tests/x.py::test_x"),
    ],
    ids=["inside", "fails", "no time", "cut off", "fails and is cut off"],
)
def test_the_time_of_ci(
    seconds: int, slurm_test: str, code: int, said: str, tmp_path: Path, repository: Path
) -> None:
    binaries = tmp_path / "bin"
    binaries.mkdir()
    scripts = {
        "make": 'echo "$1"',
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
    done = subprocess.run(
        [script], env=os.environ | environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == code, done.stdout + done.stderr
    assert said in done.stdout
    assert done.stdout.startswith("setup\nmake setup: ")
    assert ("LEFT OUT" in done.stdout) == ("LEFT OUT" in said)
