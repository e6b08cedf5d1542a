"""Processes that tests start, and everything below them: they end with the test, however it ends.

A process is found by a mark in its environment, which its children inherit, also those in sessions
of their own that outlive their parents.
"""

import contextlib
import os
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

# by name: tests replace them here alone
from time import monotonic, sleep, time
from typing import Any

import psutil
from patience import patience, until
from psutil import process_iter

MARK = "GUIDEBENCH_TEST"


def completed(*command: object, **options: Any) -> subprocess.CompletedProcess[str]:
    """A command that has ended, with what it printed as text."""
    words = [str(word) for word in command]
    return subprocess.run(words, capture_output=True, text=True, check=False, **options)


def module(name: str, *words: object, **options: Any) -> subprocess.CompletedProcess[str]:
    """The same of `python -m name`."""
    return completed(sys.executable, "-m", name, *words, **options)


@contextlib.contextmanager
def ended() -> Iterator[str]:
    """What is started inside, with this process's environment, is over afterwards.

    Marks are paths: the end of an outer block ends what its inner blocks started, too.
    """
    before = os.environ.get(MARK)
    mark = os.environ[MARK] = f"{before or ''}/{uuid.uuid4().hex}"
    try:
        yield mark
    finally:
        if before is None:
            del os.environ[MARK]
        else:
            os.environ[MARK] = before
        end(mark)


def end(mark: str) -> None:
    """SIGKILL to everything with this mark, until nothing is left that could start more."""
    deadline = monotonic() + patience(20)
    while left := alive(mark):
        if monotonic() > deadline:
            raise RuntimeError(f"processes that SIGKILL does not end: {left}")
        for process in left:
            with contextlib.suppress(psutil.Error):
                process.kill()
        # not psutil's wait: it would take the exit code of a child from the one who waits for it
        sleep(0.02)


def killed_in_training(
    start: Callable[[], subprocess.Popen[str]], checkpoints: Callable[[], object], manifest: Path
) -> list[psutil.Process]:
    """SIGKILL to a training after its first checkpoint; its children just before.

    On a busy machine a short training may be over before this process gets to look: again, then.
    """
    for _ in range(10):
        manifest.unlink(missing_ok=True)
        with start() as process:
            until(lambda: checkpoints() or process.poll() is not None, "a checkpoint", 120)
            with contextlib.suppress(psutil.NoSuchProcess):
                children = psutil.Process(process.pid).children()
            process.kill()
        if not manifest.exists():
            return children
    raise AssertionError("the training was always over before it could be killed")


def alive(mark: str) -> list[psutil.Process]:
    """Processes with this mark or one below it, this one excepted."""
    found = []
    for process in process_iter():
        # of others, the environment may not be read; a zombie has none
        with contextlib.suppress(psutil.Error):
            # within exec it is empty for a moment, and Popen has returned by then; it is so for
            # ever of a thread of the kernel, which has no program, and of SLURM's old slurmscriptd
            while not (environ := process.environ()) and process.exe() and _young(process):
                sleep(0.001)
            if process.pid != os.getpid() and _below(environ.get(MARK, ""), mark):
                found.append(process)
    return found


def _young(process: psutil.Process) -> bool:
    return bool(time() - process.create_time() < patience(1))


def _below(found: str, mark: str) -> bool:
    return f"{found}/".startswith(f"{mark}/")
