"""What a stage tells about its execution: one JSON object per line, appended while it runs.

The files are the truth; `guidebench.pipeline.tracking.mlflow_store` copies them into MLflow.
"""

import json
import logging
import os
import socket
import time
import uuid
from pathlib import Path
from typing import Any

log = logging.getLogger(__name__)

FOLDER = "events"
FINISHED = "FINISHED"
FAILED = "FAILED"
PROGRESS_SECONDS = 1.0


def events_path(experiment: Path, stage: str, job: str) -> Path:
    """The events file of a job; `experiment` is the folder `results/<name>`."""
    return experiment / FOLDER / stage / f"{job}.jsonl"


class Events:
    """Writer of one events file, `results/<name>/events/<stage>/<job>.jsonl`.

    Each line is one `os.write` to a file opened for appending, so that concurrent readers see whole
    lines. After `start`, a write that fails (disk full) is reported once and never raised.
    """

    def __init__(self, path: Path, stage: str, job: str) -> None:
        self.path = Path(path)
        self.stage = stage
        self.job = job
        self.run = ""
        self._file: int | None = None
        self._last_progress = 0.0
        self._torn = False
        self._warned = False

    def start(self, params: dict[str, Any], tags: dict[str, str]) -> None:
        """Begin an execution with nested `params` and flat `tags`; OSError if it cannot write."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._close()
        self._torn = _ends_torn(self.path)
        self._file = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        self.run = uuid.uuid4().hex
        self._last_progress = 0.0
        identity = {"stage": self.stage, "job": self.job}
        where = {"pid": os.getpid(), "host": socket.gethostname()}
        self._write("start", **identity, **where, params=params, tags=tags)

    def metric(self, step: int, **values: float) -> None:
        """Values at a training iteration (or any other counter) `step`."""
        self._try("metric", step=int(step), values={k: float(v) for k, v in values.items()})

    def progress(self, done: float, total: float) -> None:
        """`done` of `total` units of work; at most one line per second, the last one always."""
        now = time.monotonic()
        if done < total and now - self._last_progress < PROGRESS_SECONDS:
            return
        self._last_progress = now
        self._try("progress", done=float(done), total=float(total))

    def artifact(self, path: Path) -> None:
        """A file worth keeping with the run: a picture or a table below the experiment's folder."""
        experiment = self.path.parents[2]
        self._try("artifact", path=os.path.relpath(path, experiment))

    def end(self, error: str | None = None) -> None:
        """End of the execution: FINISHED, or FAILED with the error's text."""
        self._try("end", status=FAILED if error is not None else FINISHED, error=error)
        self._close()

    def _try(self, event: str, **fields: Any) -> None:
        try:
            self._write(event, **fields)
        except OSError as error:
            if not self._warned:
                log.warning("%s: events are not recorded (%s)", self.path, error.strerror)
            self._warned = True

    def _write(self, event: str, **fields: Any) -> None:
        if self._file is None:
            raise RuntimeError("Events.start comes first")
        line = json.dumps({"event": event, "run": self.run, "time": time.time(), **fields})
        data = f"{line}\n".encode()
        # A line that a killed process or a full disk cut short must not swallow this one.
        data = b"\n" + data if self._torn else data
        self._torn = True
        self._torn = os.write(self._file, data) != len(data)

    def _close(self) -> None:
        if self._file is not None:
            os.close(self._file)
        self._file = None


def read(path: Path, offset: int = 0) -> tuple[list[dict[str, Any]], int]:
    """Events on the complete lines from byte `offset`, and the offset behind them.

    A torn line is skipped; an unfinished last one is left for the next call. A missing file has no
    events; a file shorter than `offset` was written anew and is read from its start.
    """
    try:
        with open(path, "rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(offset if offset <= file.tell() else 0)
            start = file.tell()
            data = file.read()
    except FileNotFoundError:
        return [], 0
    complete = data[: data.rfind(b"\n") + 1]
    events = []
    for line in complete.splitlines():
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if isinstance(event, dict) and "event" in event and "run" in event:
            events.append(event)
    return events, start + len(complete)


def alive(event: dict[str, Any]) -> bool:
    """Whether the process of a start event still runs; one on another machine counts as alive."""
    if event.get("host") != socket.gethostname():
        return True
    return process_alive(int(event["pid"]))


def process_alive(pid: int) -> bool:
    """Whether a process of this machine exists and has not ended."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    try:
        # A zombie has ended; only Linux tells so in a file.
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (OSError, IndexError):
        return True


def _ends_torn(path: Path) -> bool:
    try:
        with open(path, "rb") as file:
            if file.seek(0, os.SEEK_END) == 0:
                return False
            file.seek(-1, os.SEEK_END)
            return file.read(1) != b"\n"
    except FileNotFoundError:
        return False
