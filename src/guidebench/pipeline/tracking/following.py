"""Follows events files into a store that may be slow, locked or away; knows nothing of MLflow."""

import fcntl
import logging
import re
import signal
import sqlite3
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from guidebench.pipeline.records.events import FOLDER, alive, process_alive, read

log = logging.getLogger(__name__)

POLL_SECONDS = 0.2
ATTEMPT_SECONDS = 20.0
LAST_SYNC_SECONDS = 20.0
LONGEST_LAST_SYNC_SECONDS = 50.0
PAUSE_SECONDS = 2.0  # between two syncs
LONGEST_PAUSE_SECONDS = 60.0
BUSY_SECONDS = 1.0
# thousands of event files are looked at less often: 200 a second, for a file system of many users
SECONDS_PER_FILE = 0.005


@dataclass
class Execution:
    """One execution of a stage: its start event and those events that are not yet in the store."""

    folder: Path
    start: dict[str, Any]
    pending: list[dict[str, Any]] = field(default_factory=list)
    dropped: int = 0
    last_time: float = 0.0
    superseded: bool = False
    ended: bool = False
    closed: bool = False

    @property
    def run(self) -> str:
        """Its id."""
        return str(self.start["run"])

    @property
    def tags(self) -> dict[str, str]:
        """The tags that the stage gave."""
        return dict(self.start["tags"])

    @property
    def name(self) -> str:
        """`train_denoiser sportballs`."""
        return f"{self.start['stage']} {self.start['job']}"

    def add(self, event: dict[str, Any]) -> None:
        """Append an event of this execution."""
        self.pending.append(event)
        self.last_time = event["time"]
        self.ended = self.ended or event["event"] == "end"

    def drop(self, count: int) -> None:
        """Forget the first `count` pending events: the store has them."""
        del self.pending[:count]
        self.dropped += count

    def killed(self, last: bool) -> bool:
        """No end came and none will: a later execution began, or (`last`) its process is gone."""
        return not self.ended and (self.superseded or (last and not alive(self.start)))

    def needs_sync(self, last: bool) -> bool:
        """Whether the store lacks something of it."""
        return bool(self.pending) or (not self.closed and self.killed(last))


class Follower:
    """Reads what was appended to `results/*/events/**/*.jsonl` since the last poll."""

    def __init__(self, results: Path) -> None:
        self.results = results
        self.executions: dict[str, Execution] = {}
        self._offsets: dict[Path, int] = {}
        self._latest: dict[Path, Execution] = {}

    def sizes(self) -> dict[Path, int]:
        """Bytes of every events file."""
        return {path: path.stat().st_size for path in self.results.glob(f"*/{FOLDER}/**/*.jsonl")}

    def poll(self) -> None:
        """Sort the new events into executions; events of an unknown execution are left out."""
        for path, size in sorted(self.sizes().items()):
            if size == self._offsets.get(path, 0):
                continue
            events, self._offsets[path] = read(path, self._offsets.get(path, 0))
            for event in events:
                if event["event"] == "start" and event["run"] not in self.executions:
                    self._begin(path, event)
                if event["run"] in self.executions:
                    self.executions[event["run"]].add(event)

    def _begin(self, path: Path, event: dict[str, Any]) -> None:
        experiment = self.results / path.relative_to(self.results).parts[0]
        execution = Execution(experiment, event)
        self.executions[event["run"]] = execution
        if path in self._latest:
            self._latest[path].superseded = True
        self._latest[path] = execution


class Writer(Protocol):
    """A store: takes the pending events of executions and drops what it has written."""

    def write(self, executions: list[Execution], last: bool) -> None:
        """Write and drop; whatever it raises is retried later."""


class _Late(BaseException):
    """Raised by the alarm; not an Exception, so that no library's retry loop swallows it."""


class Sync:
    """Writes what a follower reads into a store; `error`: what went wrong last."""

    def __init__(self, results: Path, uri: str, connect: Callable[[], Writer]) -> None:
        self.results = results
        self.uri = uri
        self.connect = connect
        self.follower = Follower(results)
        self.writer: Writer | None = None
        self.error = ""
        self._warned = False

    def watch(self, pid: int) -> bool:
        """Sync every few seconds while a process lives; False if no event came meanwhile."""
        before = self.follower.sizes()
        changed = False
        pause, due = PAUSE_SECONDS, 0.0
        while process_alive(pid):
            if time.monotonic() >= due:
                sizes = self.follower.sizes()
                changed = changed or sizes != before
                calm = max(PAUSE_SECONDS, SECONDS_PER_FILE * len(sizes))
                pause = calm if not changed or self.attempt() else 2 * max(pause, calm)
                due = time.monotonic() + min(pause, LONGEST_PAUSE_SECONDS)
            time.sleep(POLL_SECONDS)
        return changed or self.follower.sizes() != before

    def finish(self, longest: float) -> str | None:
        """Last sync: tried for 20 s from the last execution brought in, `longest` seconds in all.

        Returns None, or the line (also logged) that says what is not yet in the store.
        """
        started = time.monotonic()
        stop = started + LAST_SYNC_SECONDS
        left = sys.maxsize
        while not self.attempt(last=True):
            now = time.monotonic()
            if self._left() < left:
                left, stop = self._left(), now + LAST_SYNC_SECONDS
            if now + 1.0 > min(stop, started + longest):
                line = (
                    f"not yet in the MLflow store {public(self.uri)}: {left} executions "
                    f"({self.error}); nothing is lost: `guidebench track` brings them in later"
                )
                log.warning(line)
                return line
            time.sleep(1.0)
        return None

    def attempt(self, last: bool = False) -> bool:
        """One sync; False after a failure, of which only the first is logged."""
        try:
            self._sync(last)
            return True
        except _Late:
            self.error = f"no answer within {ATTEMPT_SECONDS:.0f} s"
        except Exception as error:  # whatever the store raises, the pipeline goes on
            self.error = first_line(error)
        if not self._warned:
            log.warning("MLflow store %s: %s; trying again", public(self.uri), self.error)
        self._warned = True
        return False

    def _sync(self, last: bool) -> None:
        self.follower.poll()
        executions = [e for e in self.follower.executions.values() if e.needs_sync(last)]
        if not executions:
            return
        # Outside of the alarm: an import that it breaks off could not be tried again.
        self.writer = self.writer or self.connect()
        # One writer at a time: a fresh sqlite store does not survive two that create its tables.
        with _alarm(ATTEMPT_SECONDS), open(self.results / ".mlflow.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            _check_unlocked(self.uri)
            self.writer.write(executions, last)

    def _left(self) -> int:
        return sum(execution.needs_sync(True) for execution in self.follower.executions.values())


def public(uri: str) -> str:
    """A store's address without user name and password."""
    return re.sub(r"//[^/@]*@", "//", uri)


def first_line(error: Exception) -> str:
    """An error's text, cut to one line of 200 characters."""
    lines = str(error).strip().splitlines()
    return lines[0][:200] if lines else type(error).__name__


def _check_unlocked(uri: str) -> None:
    """Raise sqlite3.OperationalError soon where MLflow itself would wait for 20 s and more."""
    path = Path(uri.removeprefix("sqlite:///"))
    if uri.startswith("sqlite:///") and path.exists():
        with closing(sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)) as store:
            store.execute("BEGIN IMMEDIATE")
            store.execute("ROLLBACK")


@contextmanager
def _alarm(seconds: float) -> Iterator[None]:
    """Raise _Late in the block after `seconds` (main thread only; elsewhere no limit)."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def late(*_: Any) -> None:
        raise _Late

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
