"""The process beside a run that writes its preview, as often as the time that it takes allows."""

from __future__ import annotations

import logging
import os
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from guidebench.pipeline.errors import UserError
from guidebench.pipeline.experiment.config import Config
from guidebench.pipeline.jobs import listing
from guidebench.pipeline.jobs.layout import Layout
from guidebench.pipeline.jobs.stages import first_scored
from guidebench.pipeline.records.events import process_alive
from guidebench.pipeline.threads import POOLS

if TYPE_CHECKING:
    from guidebench.stages.preview import Preview

log = logging.getLogger(__name__)

FIRST_SECONDS, LOOK_SECONDS = 30.0, 2.0
SHARE = 0.05  # of one core, in the long run: 2.5 % more than what a run on two takes
GROWTH = 0.1  # of the time that has gone, at least, before the next: the longer, the rarer


def start(layout: Layout, arguments: str) -> None:
    """Start it beside this process, with which it ends; `arguments`: as of a stage's command.

    What it has to say is in logs/preview.log.
    """
    command = [sys.executable, "-m", "guidebench", "preview", *shlex.split(arguments)]
    path = layout.root / "logs" / "preview.log"
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w") as file:
        subprocess.Popen(
            [*command, "--watch", str(os.getpid())],
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            env=os.environ | dict.fromkeys(POOLS, "1"),
        )


def once(config: Config, layout: Layout) -> None:
    """Write the preview; UserError where there is nothing to show, or nothing missing."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            written = _preview(config, layout, folder).write()
        except OSError as error:  # a job that runs again removes its files
            raise UserError(
                f"{layout.root}: found a file that cannot be read or written ({error}), allowed: "
                "results that no job is replacing just now; try again"
            ) from error
        if not written:
            raise UserError(
                f"{layout.root}: found nothing to preview, allowed: a run with at least one "
                "prepared data set, of which more is missing than tables and report"
            )


def follow(config: Config, layout: Layout, process: int) -> None:
    """Write it again and again until the process ends, or this one is told to end."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    begun, due, spent, preview = time.monotonic(), FIRST_SECONDS, 0.0, None
    scored = _scorable(config, layout)
    with suppress(KeyboardInterrupt), tempfile.TemporaryDirectory() as folder:
        while process_alive(process):
            gone = time.monotonic() - begun
            before, scored = scored, _scorable(config, layout)
            # a data set's first numbers are what people wait for
            if gone >= due or scored > before:
                began = time.process_time()
                preview = preview or _preview(config, layout, folder)
                try:
                    preview.write()
                except (UserError, OSError) as error:  # a job that runs again removes its files
                    log.warning("preview: %s", error)
                spent += time.process_time() - began
                due = max(spent / SHARE, (1 + GROWTH) * gone)
            time.sleep(LOOK_SECONDS)


def _scorable(config: Config, layout: Layout) -> int:
    """Data sets that have the features of which the first numbers are made."""
    return sum(
        all(listing.manifest(layout, job).is_file() for job in first_scored(config, dataset))
        for dataset in config.datasets
    )


def _preview(config: Config, layout: Layout, folder: str) -> Preview:
    from guidebench.stages.preview import Preview

    return Preview(config, layout, Path(folder))
