"""How far the pipeline is: Snakemake's log says which jobs run, their events say how far each is."""

from __future__ import annotations

import re
import time
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from guidebench.events import FAILED, events_path, read

TARGET = "all"
ROW = re.compile(r"^(\S+)\s+(\d+)$")
RULE = re.compile(r"^(?:local)?(?:rule|checkpoint) (\w+):$")
ERROR = re.compile(r"^Error in rule (\w+):$")
JOB_ID = re.compile(r"^    jobid: (\d+)$")
LOG = re.compile(r"^    log: ([^\s,]+)")
DONE = re.compile(r"^Finished jobid: (\d+)")
RESTART = re.compile(r"^Trying to restart job (\d+)")
# Below this share of the work an extrapolation is noise.
SHARE_FOR_ESTIMATE = 0.01


@dataclass
class RunningJob:
    """A job that Snakemake started: Unix time of its start, share done (0 to 1) by its events."""

    stage: str
    job: str
    started: float
    share: float = 0.0
    offset: int = 0

    @property
    def name(self) -> str:
        """Stage and job, as a person reads them."""
        return f"{self.stage} {self.job}".strip()


class Progress:
    """State of one Snakemake run, fed with the lines of its log.

    `plan` holds (stage, job, weight): the relative expected cost of every job of the experiment.
    """

    def __init__(self, experiment: Path, plan: Iterable[tuple[str, str, float]]) -> None:
        self.experiment = experiment
        self.needed: Counter[str] = Counter()
        self.running: dict[str, RunningJob] = {}
        self.failed: dict[str, RunningJob] = {}
        self.finished: list[RunningJob] = []
        self.nothing_to_do = False
        self.began = time.time()
        self._weights = {(stage, job): weight for stage, job, weight in plan}
        self._by_stage: dict[str, list[float]] = defaultdict(list)
        for (stage, _), weight in self._weights.items():
            self._by_stage[stage].append(weight)
        self._first_job: float | None = None
        self._in_table = False
        self._rule, self._job, self._is_error = "", "", False

    @property
    def total(self) -> int:
        """Number of jobs that this run needs, without the target rule."""
        return sum(self.needed.values())

    def feed(self, line: str) -> str | None:
        """Take one line of the log; return what a person should read about it, if anything."""
        if self._in_table:
            self._table_row(line)
        elif line.startswith("Job stats:"):
            self._in_table = True
            self.needed.clear()
        elif match := RULE.match(line):
            self._rule, self._job, self._is_error = match[1], "", False
        elif match := ERROR.match(line):
            self._is_error = True
        elif match := LOG.match(line):
            self._job = Path(match[1]).name.removesuffix(".log")
        elif match := JOB_ID.match(line):
            return self._error(match[1]) if self._is_error else self._start(match[1])
        elif match := DONE.match(line):
            return self._finish(match[1])
        elif match := RESTART.match(line):
            self.failed.pop(match[1], None)
        elif line.startswith("Nothing to be done"):
            self.nothing_to_do = True
        return None

    def share(self) -> float:
        """Share of the needed work that is done, 0 to 1, by weight."""
        total = done = 0.0
        started: Counter[str] = Counter()
        jobs = [(job, 1.0) for job in self.finished]
        jobs += [(job, job.share) for job in self.running.values()]
        for job, part in jobs:
            weight = self._weights.get((job.stage, job.job), self._average(job.stage))
            started[job.stage] += 1
            total += weight
            done += weight * part
        for stage, count in self.needed.items():
            total += max(0, count - started[stage]) * self._average(stage)
        return done / total if total else 0.0

    def status(self) -> str:
        """One line: jobs, share, time gone, time left, and what runs now."""
        for job in self.running.values():
            self._read_progress(job)
        now = time.time()
        share = self.share()
        left = "unknown"
        if self._first_job is not None and share >= SHARE_FOR_ESTIMATE:
            left = f"about {duration((now - self._first_job) * (1 - share) / share)}"
        active = ", ".join(
            f"{job.name} {job.share:.0%}" if job.share else job.name
            for job in self.running.values()
        )
        return (
            f"{len(self.finished)}/{self.total} jobs, {share:.0%}, {duration(now - self.began)} "
            f"gone, {left} left: {active or 'waiting'}"
        )

    def error_of(self, job: RunningJob) -> str:
        """One line: the error in the job's events, or else the last line of its log."""
        for event in reversed(read(events_path(self.experiment, job.stage, job.job))[0]):
            if event["event"] == "end" and event["time"] >= job.started - 1:
                if event["status"] == FAILED and event["error"]:
                    return " ".join(str(event["error"]).split())
                break
        log = self.experiment / "logs" / job.stage / f"{job.job}.log"
        lines = log.read_text(errors="replace").split("\n") if log.is_file() else []
        return next((line.strip() for line in reversed(lines) if line.strip()), "no message")

    def _table_row(self, line: str) -> None:
        match = ROW.match(line)
        if match and match[1] not in (TARGET, "total"):
            self.needed[match[1]] = int(match[2])
        self._in_table = bool(line.strip())

    def _start(self, job_id: str) -> str | None:
        if self._rule == TARGET:
            return None
        job = RunningJob(self._rule, self._job, time.time())
        path = events_path(self.experiment, job.stage, job.job)
        job.offset = path.stat().st_size if path.is_file() else 0
        self.running[job_id] = job
        self._first_job = self._first_job or job.started
        return f"start   {job.name}"

    def _finish(self, job_id: str) -> str | None:
        job = self.running.pop(job_id, None)
        if job is None:
            return None
        self.finished.append(job)
        spent = duration(time.time() - job.started)
        return f"done    {job.name} in {spent} ({len(self.finished)}/{self.total} jobs)"

    def _error(self, job_id: str) -> str | None:
        job = self.running.pop(job_id, None)
        if job is None:
            return None
        self.failed[job_id] = job
        return f"FAILED  {job.name}"

    def _read_progress(self, job: RunningJob) -> None:
        path = events_path(self.experiment, job.stage, job.job)
        events, job.offset = read(path, job.offset)
        for event in events:
            if event["event"] == "progress" and event["total"] > 0:
                job.share = min(1.0, event["done"] / event["total"])

    def _average(self, stage: str) -> float:
        weights = self._by_stage.get(stage) or list(self._weights.values()) or [1.0]
        return sum(weights) / len(weights)


def duration(seconds: float) -> str:
    """`m:ss` or `h:mm:ss`."""
    minutes, second = divmod(round(max(0.0, seconds)), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02d}:{second:02d}" if hours else f"{minute}:{second:02d}"
