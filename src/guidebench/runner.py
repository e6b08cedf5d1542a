"""The pipeline as a person runs it: Snakemake, the tracker beside it, progress to follow."""

from __future__ import annotations

import fcntl
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import psutil

from guidebench.errors import UserError
from guidebench.progress import PlannedJob, Progress

POLL_SECONDS = 0.3
MARK = "GUIDEBENCH_RUN"
TRACKER_SECONDS = 60.0


class Run(NamedTuple):
    """What `guidebench run` was asked for."""

    name: str
    config_path: str
    settings: list[str]
    cores: int
    results: Path
    snakemake_args: list[str]

    @property
    def folder(self) -> Path:
        """The experiment's folder."""
        return self.results / self.name

    @property
    def log(self) -> Path:
        """Everything that Snakemake prints."""
        return self.folder / "logs" / "pipeline.log"

    def command(self) -> list[str]:
        """Snakemake's command line; the lock is ours: a killed run leaves none."""
        overrides = ["--config", f"set={json.dumps(self.settings)}"] if self.settings else []
        return [sys.executable, "-m", "snakemake", "--configfile", self.config_path, *overrides,
                "--cores", str(self.cores), "--rerun-incomplete", "--keep-going", "--nolock",
                *self.snakemake_args]  # fmt: skip


@contextmanager
def only_one(folder: Path) -> Iterator[None]:
    """Hold the experiment's lock, which dies with this process; UserError while another has it."""
    with open(folder / ".run.lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UserError(f"{folder.name}: another run of it is active; wait for it, or "
                            "end it with Ctrl-C there") from error  # fmt: skip
        yield


def left_over(folder: Path) -> list[psutil.Process]:
    """Processes that a run of this experiment started and did not outlive."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.environ().get(MARK) == str(folder.resolve()):
                found.append(process)
    return found


def stop(processes: list[psutil.Process]) -> None:
    """Interrupt what is still alive after a moment (a terminal's Ctrl-C reaches all), then wait."""
    _, alive = psutil.wait_procs(processes, timeout=1)
    for number in (signal.SIGINT, signal.SIGKILL):
        for process in alive:
            with suppress(psutil.Error):
                process.send_signal(number)
        _, alive = psutil.wait_procs(alive, timeout=10)


def run(request: Run, plan: list[PlannedJob]) -> int:
    """Run the pipeline; returns Snakemake's exit code, 130 when interrupted.

    Trouble with the MLflow store never changes the exit code.
    """
    request.log.parent.mkdir(parents=True, exist_ok=True)
    with only_one(request.folder), open(request.log, "w") as log:
        # jobs outlive a killed Snakemake: two of a kind would write the same files
        stop(left_over(request.folder))
        mark = {MARK: str(request.folder.resolve())}
        process = subprocess.Popen(
            request.command(), stdout=log, stderr=subprocess.STDOUT, env=os.environ | mark
        )
        # in a session of its own, so that Ctrl-C leaves it to its last sync
        tracker = subprocess.Popen(
            [sys.executable, "-m", "guidebench.tracking", str(request.results), str(process.pid)],
            start_new_session=True,
        )
        progress = Progress(request.folder, plan, request.log)
        try:
            while process.poll() is None:
                progress.update()
                time.sleep(POLL_SECONDS)
            code = process.returncode
        except KeyboardInterrupt:
            sys.stderr.write("\ninterrupted: ending the running jobs; run again to continue\n")
            code = 130
        if code:
            stop(left_over(request.folder))
            process.wait()
        progress.finish(code)
        with suppress(subprocess.TimeoutExpired):
            tracker.wait(TRACKER_SECONDS)
        if tracker.poll() is None:
            tracker.kill()
    if code not in (0, 130):
        sys.stderr.write("".join(f"{line}\n" for line in failures(request, progress)))
    return code


def failures(request: Run, progress: Progress) -> list[str]:
    """One line per failed job with its error, and where the logs are."""
    lines = [f"failed: {error}" for error in progress.errors()]
    if not lines:
        text = request.log.read_text()
        found = re.findall(r"^\S*(?:Error|Exception)\b.*(?:\n {4}.*)?", text, re.MULTILINE)
        lines = [" ".join(match.split()) for match in found[:3]] or text.splitlines()[-3:]
    return [*lines, f"logs: {request.log.parent}"]
