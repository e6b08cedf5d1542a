"""What runs, how far it is and how long still, from the stages' event files."""

from __future__ import annotations

import re
import sys
import time
from pathlib import Path
from typing import NamedTuple

from guidebench.base.units import duration
from guidebench.pipeline.records.events import FAILED, events_path, read

STATUS_SECONDS = 15.0
# of a job's weight, what Python's imports take before any progress
STARTUP = 6.0


class PlannedJob(NamedTuple):
    """A job that may run, with its expected cost (only ratios matter)."""

    stage: str
    job: str
    weight: float

    @property
    def title(self) -> str:
        """`train_denoiser sportballs`."""
        return f"{self.stage} {self.job}" if self.job != "all" else self.stage


class State:
    """One job in this run: not started (share None), running (0 to 1) or ended."""

    def __init__(self, job: PlannedJob, path: Path) -> None:
        self.job, self.path = job, path
        self.offset = path.stat().st_size if path.is_file() else 0
        self.share: float | None = None
        self.started = self.seconds = 0.0
        self.ended = False
        self.error: str | None = None

    def done(self) -> float:
        """The part of its weight that is behind it; a job that reports progress has started up."""
        share = self.share or 0.0
        startup = min(STARTUP, self.job.weight) if share else 0.0
        return startup + (self.job.weight - startup) * share

    def poll(self) -> list[str]:
        """Read new events; returns the names of what began or ended."""
        changes = []
        events, self.offset = read(self.path, self.offset)
        for event in events:
            if event["event"] == "start":
                self.share, self.started, self.ended, self.error = 0.0, event["time"], False, None
                changes.append("start")
            elif event["event"] == "progress":
                self.share = event["done"] / max(event["total"], 1e-9)
            elif event["event"] == "end":
                self.share, self.ended = 1.0, True
                self.seconds = event["time"] - self.started
                self.error = event["error"] if event["status"] == FAILED else None
                changes.append("end")
        return changes


class Progress:
    """A line when a job ends, and a status line: rewritten on a terminal, else now and then."""

    def __init__(self, folder: Path, plan: list[PlannedJob], log: Path) -> None:
        self.states = [State(job, events_path(folder, job.stage, job.job)) for job in plan]
        self.log = log
        self.begun = time.monotonic()
        self.terminal = sys.stdout.isatty()
        self._needed: dict[str, int] | None = None
        self._last = 0.0
        self._width = 0

    @property
    def needed(self) -> dict[str, int] | None:
        """Rule -> number of jobs that Snakemake will run; None until it has said so."""
        if self._needed is None:
            text = self.log.read_text()
            table = re.search(r"^job +count\n[- ]+\n((?:\w+ +\d+\n)+)", text, re.MULTILINE)
            if table:
                rows = dict(line.split() for line in table.group(1).splitlines())
                self._needed = {k: int(v) for k, v in rows.items() if k not in ("all", "total")}
        return self._needed

    def update(self) -> None:
        """Look at the event files and print what is new."""
        for state in self.states:
            if "end" in state.poll():
                word, why = ("FAILED", f": {state.error}") if state.error else ("done", "")
                took = duration(state.seconds)
                self._line(f"[{self._counts()}] {state.job.title}: {word} in {took}{why}")
        now = time.monotonic()
        if self.needed and now - self._last > (1.0 if self.terminal else STATUS_SECONDS):
            self._last = now
            self._status()

    def _counts(self) -> str:
        total = sum((self.needed or {}).values())
        return f"{sum(state.ended for state in self.states)}/{total}"

    def left(self) -> tuple[float, float]:
        """(share of the work that is done, seconds that the rest will take at this pace)."""
        total = done = 0.0
        for stage, count in (self.needed or {}).items():
            states = [state for state in self.states if state.job.stage == stage]
            seen = [state for state in states if state.share is not None]
            done += sum(state.done() for state in seen)
            total += sum(state.job.weight for state in seen)
            # which of the others will run is not known by name: their mean stands for them
            others = [state.job.weight for state in states if state.share is None] or [0.0]
            total += max(0, count - len(seen)) * sum(others) / len(others)
        elapsed = time.monotonic() - self.begun
        return (done / total, elapsed * (total - done) / done) if done else (0.0, float("nan"))

    def _status(self) -> None:
        running = [s for s in self.states if s.share is not None and not s.ended]
        jobs = ", ".join(f"{s.job.title} {s.share or 0:.0%}" for s in running) or "starting"
        share, seconds = self.left()
        rest = "" if seconds != seconds else f", about {duration(seconds)} left"
        gone = duration(time.monotonic() - self.begun)
        text = f"{share:4.0%}  {jobs}  ({gone} gone{rest})"
        if self.terminal:
            sys.stdout.write("\r" + text.ljust(self._width))
            self._width = len(text)
            sys.stdout.flush()
        else:
            self._line(text)

    def _line(self, text: str) -> None:
        start = "\r" if self.terminal else ""
        sys.stdout.write(f"{start}{text.ljust(self._width if self.terminal else 0)}\n")
        sys.stdout.flush()

    def finish(self, code: int) -> None:
        """The last words."""
        self.update()
        took = duration(time.monotonic() - self.begun)
        if code == 0 and not self.needed:
            self._line("nothing to do: everything is up to date")
        elif code == 0:
            self._line(f"[{self._counts()}] finished in {took}")

    def errors(self) -> dict[tuple[str, str], str]:
        """(stage, job) -> the error of every job that failed in this run."""
        return {
            (state.job.stage, state.job.job): state.error for state in self.states if state.error
        }
