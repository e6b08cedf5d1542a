"""Snakemake's events as lines of JSON (`guidebench run`), or drawn as they come.

Snakemake finds this package by its name: `snakemake --logger guidebench`. The processes that it
starts for single jobs (SLURM) load no plugin.
"""

import json
import logging
import os
import sys
import tempfile
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from snakemake.resources import Resource
from snakemake_interface_logger_plugins.base import LogHandlerBase
from snakemake_interface_logger_plugins.settings import LogHandlerSettingsBase

# what every record of Python's logging has; the rest of a record is Snakemake's
STANDARD = {*vars(logging.makeLogRecord({})), "message"}
DRAW_SECONDS = 0.3


def plain(value: Any) -> Any:
    """A record's value as JSON can hold it; what it cannot is said in words."""
    if isinstance(value, Resource):  # one that is still a function has no value
        value = str(value) if value.is_evaluable() else value.value
    if hasattr(value, "items"):  # first: Snakemake's resources are a list with names
        return {str(name): plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(inner) for inner in value]
    return value if value is None or isinstance(value, str | int | float) else str(value)


def line(record: logging.LogRecord) -> str:
    """A record in one line: its event (else `info`, `error`), time, text and fields."""
    fields = {name: plain(value) for name, value in vars(record).items() if name not in STANDARD}
    whole = {
        "event": record.levelname.lower(),
        "run": os.getpid(),
        "time": record.created,
        "text": record.getMessage(),
    } | fields
    return json.dumps(whole)


@dataclass
class LogHandlerSettings(LogHandlerSettingsBase):
    """What the command line says: `--logger-guidebench-events FILE`."""

    events: str = field(
        default="", metadata={"help": "append the events to this file and draw nothing"}
    )


class LogHandler(LogHandlerBase):  # type: ignore[misc]
    """Writes every record to the file that the settings name; else to its own, and draws it."""

    settings: LogHandlerSettings

    def __post_init__(self) -> None:
        self.folder = None
        if not self.settings.events:
            self.folder = tempfile.TemporaryDirectory()
            self.settings.events = f"{self.folder.name}/events.jsonl"
        self.path = Path(self.settings.events)
        self.file: int | None = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        self.done = threading.Event()
        self.artist = threading.Thread(target=self._draw, daemon=True)
        if self.writes_to_stream:
            self.artist.start()

    def emit(self, record: logging.LogRecord) -> None:
        """Append the record on a new line, as a full disk, which is no error, may cut a line."""
        if self.file is not None:
            with suppress(OSError):
                os.write(self.file, f"\n{line(record)}\n".encode())

    def _draw(self) -> None:
        from guidebench.pipeline.records.events import read
        from guidebench.pipeline.records.failures import explain, last_words
        from guidebench.pipeline.run.progress import Progress

        progress = Progress(self.path)
        while not self.done.wait(DRAW_SECONDS):
            progress.update()
        records, _ = read(self.path)
        failed = any(record["event"] == "error" for record in records)
        progress.finish(int(failed))
        if failed:
            words = explain(records, progress.errors()) or last_words(records, "")
            sys.stderr.write("".join(f"{text}\n" for text in words))

    def close(self) -> None:
        """Snakemake has ended (it may say so twice)."""
        if self.file is not None:
            os.close(self.file)
            self.file = None
            if self.writes_to_stream:
                self.done.set()
                self.artist.join()
            if self.folder:
                self.folder.cleanup()
        super().close()

    @property
    def writes_to_stream(self) -> bool:
        """Whether it draws, in the place of what Snakemake prints; never in a dry run."""
        return self.folder is not None and not self.common_settings.dryrun

    has_filter = True  # it takes everything
    writes_to_file = has_formatter = needs_rulegraph = False
