"""A run that is killed and started again ends with the digest of one that was never killed."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from patience import until

SMOKE = "workflow/config/smoke.yaml"


def wait_for(pattern: str, root: Path) -> None:
    until(lambda: list(root.glob(pattern)), pattern, 240)


def test_training_killed_and_continued_gives_the_same_weights(copy) -> None:
    results = copy.root / "results/smoke"
    manifest = results / "mnist/denoiser/manifest.json"
    before = manifest.read_text()
    manifest.unlink()
    stage = [sys.executable, "-m", "guidebench", "train_denoiser", "--config", SMOKE,
             "--dataset", "mnist"]  # fmt: skip
    with subprocess.Popen(stage, cwd=copy.root, env=copy.environment) as process:
        wait_for(".resume/train_denoiser-mnist-*.pt", results)
        process.send_signal(signal.SIGKILL)
    assert not manifest.exists()
    done = copy.guidebench("train_denoiser", "--config", SMOKE, "--dataset", "mnist")
    assert done.returncode == 0, done.stderr
    assert manifest.read_text() == before
    assert not list(results.glob(".resume/*.pt"))


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_make_run_killed_in_training_and_started_again(finished, untouched) -> None:
    """SIGKILL to the whole process group in the middle of training, then the same command."""
    command = [sys.executable, "-m", "guidebench", "run", "--config", SMOKE, "--cores", "2"]
    process = subprocess.Popen(
        command, cwd=untouched.root, env=untouched.environment, start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    wait_for("results/smoke/.resume/train_denoiser-*.pt", untouched.root)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    done = untouched.command(*command[2:])
    assert done.returncode == 0, done.stdout + done.stderr
    assert untouched.digest() == finished.digest()
