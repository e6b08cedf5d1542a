"""`guidebench run`: Snakemake and the tracker side by side, with progress that a person can follow."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, NamedTuple

from guidebench.errors import UserError
from guidebench.progress import Progress, duration

PID_FILE = ".run.pid"
# Inherited by every process of a run: what a killed one left behind is found by it.
RUN_VARIABLE = "GUIDEBENCH_RUN"
DRY_RUN = {"-n", "--dry-run", "--dryrun"}
POLL_SECONDS = 0.2
STATUS_SECONDS = 15.0
STATUS_SECONDS_TERMINAL = 0.5
INTERRUPT_SECONDS = 10.0
TRACKER_SECONDS = 60.0
NOT_SYNCED = "not yet in the MLflow store"


class PlannedJob(NamedTuple):
    """A job of the experiment and its expected cost relative to the others."""

    stage: str
    job: str
    weight: float


class Display:
    """Lines on stderr; on a terminal a status line below them that is written over."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self._terminal = stream.isatty()
        self._due = 0.0

    def line(self, text: str) -> None:
        """A line that stays."""
        self._stream.write(f"\r\x1b[K{text}\n" if self._terminal else f"{text}\n")
        self._stream.flush()

    def status(self, progress: Progress) -> None:
        """Say how far the run is, unless it was said a moment ago."""
        if time.monotonic() < self._due or not progress.total:
            return
        pause = STATUS_SECONDS_TERMINAL if self._terminal else STATUS_SECONDS
        self._due = time.monotonic() + pause
        text = progress.status()
        if not self._terminal:
            self.line(text)
            return
        self._stream.write(f"\r\x1b[K{text[: shutil.get_terminal_size().columns - 1]}")
        self._stream.flush()


def run(
    *,
    name: str,
    config_path: str,
    settings: list[str],
    cores: int,
    results: Path,
    plan: list[PlannedJob],
    snakemake_args: list[str],
) -> int:
    """Run the pipeline of experiment `name` in the current folder; returns Snakemake's exit code.

    130 after Ctrl-C. Trouble with MLflow does not change the code. UserError if another run of the
    same experiment is active.
    """
    experiment = results / name
    logs = experiment / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "snakemake", "--configfile", config_path]
    command += ["--config", *settings] if settings else []
    command += ["--cores", str(cores), "--rerun-incomplete", *snakemake_args]
    if DRY_RUN & set(snakemake_args):
        return subprocess.run(command, check=False).returncode
    display = Display(sys.stderr)
    progress = Progress(experiment, plan)
    with _only_run(name, experiment, display) as run_id, _interruptible():
        log = logs / "pipeline.log"
        with open(log, "ab") as sink:
            _unlock(command, sink, display)
            begin = sink.tell()
            pipeline = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
                env=os.environ | {RUN_VARIABLE: run_id},
            )
        tracker = _start_tracker(results, pipeline.pid, logs / "track.log")
        try:
            _follow(pipeline, log, begin, progress, display)
            code = pipeline.returncode
        except KeyboardInterrupt:
            display.line("interrupted: stopping the jobs; run again to continue")
            _stop(pipeline)
            code = 128 + signal.SIGINT
        if code != 128 + signal.SIGINT:
            code = _conclude(code, log, begin, progress, display)
        _finish_tracker(tracker, logs / "track.log", display)
    return code


@contextmanager
def _only_run(name: str, experiment: Path, display: Display) -> Iterator[str]:
    """Hold the experiment: the lock on its pid file ends with this process, however it ends."""
    with open(experiment / PID_FILE, "a+") as file:
        file.seek(0)
        before = file.read().split()
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            pid = before[0] if before else "unknown"
            raise UserError(
                f"another run of {name} is active (pid {pid}); wait for it or end it with Ctrl-C"
            ) from error
        if len(before) == 2:
            _stop_orphans(before[1], display)
        run_id = uuid.uuid4().hex
        file.truncate(0)
        file.write(f"{os.getpid()} {run_id}\n")
        file.flush()
        yield run_id
        file.truncate(0)


@contextmanager
def _interruptible() -> Iterator[None]:
    """SIGTERM and SIGINT raise KeyboardInterrupt, also where a shell started us in background."""
    names = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(name, signal.default_int_handler) for name in names]
    try:
        yield
    finally:
        for name, handler in zip(names, before, strict=True):
            signal.signal(name, handler)


def _stop_orphans(run_id: str, display: Display) -> None:
    """Kill what a killed run left running, so that no two processes write the same files."""
    import psutil

    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(RUN_VARIABLE) == run_id:
                process.kill()
                found.append(process)
        except psutil.Error:
            continue
    if found:
        psutil.wait_procs(found, timeout=INTERRUPT_SECONDS)
        display.line(f"stopped {len(found)} processes that a killed run left behind")


def _unlock(command: list[str], sink: IO[bytes], display: Display) -> None:
    """Remove a dead Snakemake's locks; those of a living one in this folder are left alone."""
    if not any(Path(".snakemake/locks").glob("*.lock")):
        return
    import psutil

    here = os.getcwd()
    for process in psutil.process_iter():
        try:
            words = process.cmdline()[:4]
            if any("snakemake" in word for word in words) and process.cwd() == here:
                return
        except psutil.Error:
            continue
    display.line("unlocking the folder after a killed run")
    subprocess.run([*command, "--unlock"], stdout=sink, stderr=sink, check=False)


def _start_tracker(results: Path, pid: int, log: Path) -> subprocess.Popen[bytes]:
    """The MLflow tracker, in a session of its own: Ctrl-C must not cut its last sync short."""
    with open(log, "wb") as sink:
        return subprocess.Popen(
            [sys.executable, "-m", "guidebench.tracking", str(results), str(pid)],
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def _finish_tracker(tracker: subprocess.Popen[bytes], log: Path, display: Display) -> None:
    """Wait for the last sync and pass on what it could not bring into the store."""
    try:
        tracker.wait(TRACKER_SECONDS)
    except subprocess.TimeoutExpired:
        tracker.kill()
        display.line(f"{NOT_SYNCED}: the last part; `guidebench track` brings it in later")
    except KeyboardInterrupt:
        display.line("MLflow's last sync goes on in the background")
    for line in log.read_text(errors="replace").splitlines():
        if line.startswith(NOT_SYNCED):
            display.line(line)


def _follow(
    pipeline: subprocess.Popen[bytes], log: Path, begin: int, progress: Progress, display: Display
) -> None:
    """Show progress until the pipeline ends."""
    rest = b""
    ended = False
    with open(log, "rb") as source:
        source.seek(begin)
        while not ended:
            ended = pipeline.poll() is not None
            *lines, rest = (rest + source.read()).split(b"\n")
            for line in lines:
                if text := progress.feed(line.decode(errors="replace")):
                    display.line(text)
            if not ended:
                display.status(progress)
                time.sleep(POLL_SECONDS)


def _stop(pipeline: subprocess.Popen[bytes]) -> None:
    """Interrupt Snakemake and its jobs (alone it would wait for them), kill what does not end."""
    import psutil

    try:
        # On a terminal they all had the signal already: a second one would disturb the clean-up.
        pipeline.wait(1.0)
    except subprocess.TimeoutExpired:
        pass
    try:
        tree: list[Any] = psutil.Process(pipeline.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        tree = []
    try:
        if pipeline.poll() is None:
            pipeline.send_signal(signal.SIGINT)
        for process in tree:
            _signal(process, signal.SIGINT)
        psutil.wait_procs(tree, timeout=INTERRUPT_SECONDS)
        pipeline.wait(INTERRUPT_SECONDS)
    except (KeyboardInterrupt, subprocess.TimeoutExpired):
        pipeline.kill()
        pipeline.wait()
    for process in tree:
        _signal(process, signal.SIGKILL)


def _signal(process: Any, number: int) -> None:
    try:
        process.send_signal(number)
    except Exception as error:
        if type(error).__name__ != "NoSuchProcess":
            raise


def _conclude(code: int, log: Path, begin: int, progress: Progress, display: Display) -> int:
    """Say how the run ended; returns the exit code."""
    spent = duration(time.time() - progress.began)
    if code == 0 and progress.nothing_to_do:
        display.line("nothing to do: everything is up to date")
    elif code == 0:
        display.line(f"finished {len(progress.finished)} jobs in {spent}")
    else:
        for job in progress.failed.values():
            display.line(f"failed: {job.name}: {progress.error_of(job)}")
        if not progress.failed:
            with open(log, "rb") as source:
                source.seek(begin)
                lines = [line for line in source.read().decode(errors="replace").split("\n") if line]
            for line in lines[-5:]:
                display.line(line)
        display.line(f"the pipeline failed after {spent}; its log: {log}, the jobs' beside it")
    return 128 - code if code < 0 else code
