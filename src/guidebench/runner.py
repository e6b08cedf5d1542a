"""The pipeline as a person runs it: Snakemake, the tracker beside it, progress to follow."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from guidebench.artifacts import read_json, write_json
from guidebench.errors import UserError
from guidebench.events import process_alive
from guidebench.progress import PlannedJob, Progress

POLL_SECONDS = 0.3
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
        """Snakemake's command line; the lock is the pid file, which a killed run does not leave."""
        overrides = ["--config", f"set={json.dumps(self.settings)}"] if self.settings else []
        return [sys.executable, "-m", "snakemake", "--configfile", self.config_path, *overrides,
                "--cores", str(self.cores), "--rerun-incomplete", "--keep-going", "--nolock",
                *self.snakemake_args]  # fmt: skip


@contextmanager
def only_one(path: Path) -> Iterator[None]:
    """Hold the pid file `path`; UserError while another run of the experiment is alive."""
    if path.is_file():
        for pid in read_json(path):
            if process_alive(pid) and "snakemake" in _command(pid):
                raise UserError(f"{path.parent.name}: another run is active (process {pid}); wait "
                                f"for it, or end it with `kill -INT {pid}`")  # fmt: skip
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def _command(pid: int) -> str:
    """A process's command line, so that a number that another program got is not taken for ours."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return "snakemake"


def run(request: Run, plan: list[PlannedJob]) -> int:
    """Run the pipeline; returns Snakemake's exit code, 130 when interrupted.

    Trouble with the MLflow store never changes the exit code.
    """
    pid_file = request.folder / ".run.pid"
    request.log.parent.mkdir(parents=True, exist_ok=True)
    with only_one(pid_file), open(request.log, "w") as log:
        process = subprocess.Popen(request.command(), stdout=log, stderr=subprocess.STDOUT)
        write_json(pid_file, [process.pid])
        tracker = subprocess.Popen(
            [sys.executable, "-m", "guidebench.tracking", str(request.results), str(process.pid)]
        )
        progress = Progress(request.folder, plan, request.log)
        try:
            while process.poll() is None:
                progress.update()
                time.sleep(POLL_SECONDS)
            code = process.returncode
        except KeyboardInterrupt:
            sys.stderr.write("\ninterrupted: ending the running jobs; run again to continue\n")
            if not sys.stdin.isatty():  # a terminal has told Snakemake already
                process.send_signal(signal.SIGINT)
            process.wait()
            code = 130
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
