"""How far each job of a run is, and how fast this machine is, from the stages' events.

The plan says how many seconds each job is expected to take. A pace is the ratio of the seconds
that work takes to those.
"""

import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from guidebench.pipeline.jobs.layout import Job
from guidebench.pipeline.jobs.rates import STARTUP_SECONDS
from guidebench.pipeline.records.events import FAILED, events_path, read

# how much a belief about the pace counts: as much as so many expected seconds of work that was seen
FAINT, FIRM = 1.0, 5.0
# a job that should have ended by now still takes this share of the time since its last event
OVERDUE = 0.2
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
        self.submitted = False  # Snakemake has started it, and not seen it fail
        self.launched: float | None = None  # when; None where the job may have waited in a queue
        self._forget()

    def _forget(self) -> None:
        """Begin anew: the job has not started, or starts once more."""
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
        return self.submitted and self.started is not None and not self.ended

    @property
    def share(self) -> float:
        """The share of it that is done, 0 to 1."""
        return 1.0 if self.ended else self.marks[-1][1] / self.total if self.marks else 0.0

    @property
    def rate(self) -> float | None:
        """Steps a second between the first and the last event about progress; None before two."""
        took, _ = self.steady
        return (self.marks[1][1] - self.marks[0][1]) / took if took else None

    def poll(self) -> bool:
        """Read new events; returns whether they say that it ended."""
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
        """What its work took between the first and the last event about progress."""
        if len(self.marks) < 2:
            return 0.0, 0.0
        (first, few), (last, many) = self.marks
        return last - first, self.body * (many - few) / self.total

    @property
    def rough(self) -> Seen:
        """What its start-up took, or all of it where it ended without an event about progress."""
        launched = self.launched or self.started or 0.0
        if self.marks:
            first, few = self.marks[0]
            work = self.body * few / self.total
            # more work by the first event: an earlier run did it, or the first step was a long one
            if work < self.startup:
                return first - launched, self.startup + work
        elif self.ended and not self.error:
            return (self.started or 0.0) + self.seconds - launched, self.weight
        return 0.0, 0.0

    def expected(self, startup: float, pace: float) -> float:
        """Seconds of all of it, when start-ups have the pace `startup` and its work has `pace`."""
        return self.startup * startup + self.body * pace

    def remaining(self, startup: float, pace: float) -> float:
        """Seconds that it still takes, at these paces."""
        if self.ended or not self.running:
            return 0.0 if self.ended else self.expected(startup, pace)
        last = self.marks[-1][0] if self.marks else self.started or 0.0
        ahead = self.body * (1 - self.share) * pace + self.startup * startup * (not self.marks)
        gone = max(0.0, time.time() - last)
        return max(ahead - gone, OVERDUE * gone)


def pace(seen: Iterable[Seen], believed: float, strength: float) -> float:
    """The pace of what was `seen`, and of `strength` expected seconds at the pace `believed`."""
    seconds, work = strength * believed, strength
    for took, expected in seen:
        seconds, work = seconds + took, work + expected
    return seconds / work


def paces(states: Sequence[State]) -> tuple[float, dict[Job, float]]:
    """The pace of start-ups, and of the work of each job.

    A job's pace is believed to be that of its stage, a stage's that of all work, and that to be the
    pace of start-ups.
    """
    startup = pace([state.rough for state in states], 1.0, FAINT)
    every = pace([state.steady for state in states], startup, FAINT)
    of = {
        stage: pace([s.steady for s in states if s.job.stage == stage], every, FIRM)
        for stage in {state.job.stage for state in states}
    }
    return startup, {s.job: pace([s.steady], of[s.job.stage], FIRM) for s in states}
