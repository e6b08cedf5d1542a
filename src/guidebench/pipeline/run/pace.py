"""How far each job of a run is, and how fast this machine is, from the stages' events."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from guidebench.pipeline.jobs.cost_model import STARTUP_SECONDS
from guidebench.pipeline.jobs.layout import Job
from guidebench.pipeline.records.events import FAILED, events_path, read

# expected seconds of work that count as much as what is believed without having seen any
FAINT, FIRM = 1.0, 5.0
OVERDUE = 0.2  # of the time that a job has told nothing, what it takes still when all is over
Seen = tuple[float, float]  # seconds that some work took, and was expected to take


class State:
    """One job in this run, from a row of the plan and what its own events say."""

    def __init__(self, row: dict[str, Any], folder: Path) -> None:
        self.job = Job(*row["job"])
        self.weight, self.workers = row["seconds"], row["workers"]
        self.stale, self.priority = row["stale"], row["priority"]
        self.path, self.offset = events_path(folder, self.job.stage, self.job.name), row["offset"]
        self.startup = min(STARTUP_SECONDS, self.weight)
        self.body = self.weight - self.startup
        self.asked = False  # Snakemake has begun it, and not seen it fail
        self.launched: float | None = None  # when it did so, if the job did not wait then
        self._forget()

    def _forget(self) -> None:
        self.ended, self.error = False, ""
        self.started: float | None = None
        self.seconds, self.total = 0.0, 1.0
        self.marks: list[tuple[float, float]] = []  # (time, steps done) of first and last progress

    @property
    def title(self) -> str:
        """`train_denoiser sportballs`."""
        return f"{self.job.stage} {self.job.name}" if self.job.name != "all" else self.job.stage

    @property
    def running(self) -> bool:
        """Whether its process is at work."""
        return self.asked and self.started is not None and not self.ended

    @property
    def share(self) -> float:
        """How far it is, 0 to 1."""
        return 1.0 if self.ended else self.marks[-1][1] / self.total if self.marks else 0.0

    @property
    def rate(self) -> float | None:
        """Steps a second, as soon as two of them are known."""
        took, _ = self.steady
        return (self.marks[1][1] - self.marks[0][1]) / took if took else None

    def poll(self) -> bool:
        """Read new events; returns whether it ended."""
        events, self.offset = read(self.path, self.offset)
        for event in events:
            if event["event"] == "start":
                self._forget()
                self.started = event["time"]
            elif event["event"] == "progress":
                self.total = max(event["total"], 1e-9)
                self.marks = [*self.marks[:1], (event["time"], event["done"])]
            elif event["event"] == "end":
                self.ended = True
                self.seconds = event["time"] - (self.started or event["time"])
                self.error = event["error"] if event["status"] == FAILED else ""
        return self.ended and any(event["event"] == "end" for event in events)

    @property
    def steady(self) -> Seen:
        """Its work between two looks at its progress."""
        if len(self.marks) < 2:
            return 0.0, 0.0
        (first, few), (last, many) = self.marks
        return last - first, self.body * (many - few) / self.total

    @property
    def rough(self) -> Seen:
        """Its start-up; all of it where it told nothing of its progress."""
        launched = self.launched or self.started or 0.0
        if self.marks:
            first, few = self.marks[0]
            work = self.body * few / self.total
            # else it continues what an earlier run began, or its first step was a long one
            if work < self.startup:
                return first - launched, self.startup + work
        elif self.ended and not self.error:
            return (self.started or 0.0) + self.seconds - launched, self.weight
        return 0.0, 0.0

    def expected(self, startup: float, pace: float) -> float:
        """Seconds of all of it when its parts take that many times their expected ones."""
        return self.startup * startup + self.body * pace

    def remaining(self, startup: float, pace: float) -> float:
        """Seconds that it still takes."""
        if self.ended or not self.running:
            return 0.0 if self.ended else self.expected(startup, pace)
        last = self.marks[-1][0] if self.marks else self.started or 0.0
        ahead = self.body * (1 - self.share) * pace + self.startup * startup * (not self.marks)
        gone = max(0.0, time.time() - last)
        return max(ahead - gone, OVERDUE * gone)


def pace(seen: Iterable[Seen], believed: float, strength: float) -> float:
    """How many times the expected seconds work takes: what was seen, with what was believed."""
    seconds, work = strength * believed, strength
    for took, expected in seen:
        seconds, work = seconds + took, work + expected
    return seconds / work


def paces(states: Sequence[State]) -> tuple[float, dict[Job, float]]:
    """How many times the expected seconds start-ups take, and the work of each job.

    What is seen of a job counts most for itself, then for its stage, then for all.
    """
    startup = pace([state.rough for state in states], 1.0, FAINT)
    every = pace([state.steady for state in states], startup, FAINT)
    of = {
        stage: pace([s.steady for s in states if s.job.stage == stage], every, FIRM)
        for stage in {state.job.stage for state in states}
    }
    return startup, {s.job: pace([s.steady], of[s.job.stage], FIRM) for s in states}
