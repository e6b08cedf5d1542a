"""A run that is killed and started again ends with the digest of one that was never killed."""

import os
import signal
import subprocess
import sys
from typing import Any

import pytest
from checkouts import Checkout
from patience import patience, until
from processes import killed_in_training

from guidebench.pipeline import forkserver
from guidebench.pipeline.run import killed_runs

SMOKE = "workflow/config/smoke.yaml"


def started(copy: Checkout, words: list[str], **options: Any) -> subprocess.Popen:
    """A process of its own, as outside of the tests; a run has a fork server of its own, too."""
    command = [sys.executable, "-m", "guidebench", *words]
    alone = {key: value for key, value in copy.environment.items() if key != forkserver.ADDRESS}
    return subprocess.Popen(command, cwd=copy.root, env=alone, **options)


def test_training_killed_and_continued_gives_the_same_weights(copy) -> None:
    results = copy.root / "results/smoke"
    manifest = results / "mnist/denoiser/manifest.json"
    before = manifest.read_text()
    stage = ["train_denoiser", "--config", SMOKE, "--dataset", "mnist"]
    killed_in_training(
        lambda: started(copy, stage),
        lambda: list(results.glob(".resume/train_denoiser-mnist-*.pt")),
        manifest,
    )
    done = copy.guidebench(*stage)
    assert done.returncode == 0, done.stderr
    assert manifest.read_text() == before
    assert not list(results.glob(".resume/*.pt"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_is_told_to_end_takes_its_jobs_along(untouched, number: signal.Signals) -> None:
    """Told to that process alone, in the background of a shell that has it ignore Ctrl-C."""
    deaf = {"preexec_fn": lambda: signal.signal(signal.SIGINT, signal.SIG_IGN)}
    streams = {"text": True, "stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
    command = ["run", "--config", SMOKE, "--cores", "1"]
    process = started(untouched, command, start_new_session=True, **streams, **deaf)
    results = untouched.root / "results/smoke"
    until(lambda: list(results.glob("events/*")), "the first job", 120)
    assert killed_runs.processes(results, [])
    process.send_signal(number)
    _, said = process.communicate(timeout=patience(60))
    assert process.returncode == 130, said
    assert "interrupted: ending the running jobs; run again to continue" in said
    assert killed_runs.processes(results, []) == []


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_make_run_killed_in_training_and_started_again(finished, untouched) -> None:
    """SIGKILL to the whole process group in the middle of training, then the same command."""
    command = ["run", "--config", SMOKE, "--cores", "2"]
    silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = started(untouched, command, start_new_session=True, **silent)
    resumable = (untouched.root / "results/smoke/.resume").glob
    until(lambda: list(resumable("train_denoiser-*.pt")), "a checkpoint", 240)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    done = untouched.guidebench(*command)
    assert done.returncode == 0, done.stdout + done.stderr
    assert untouched.digest() == finished.digest()
