"""What runs, how far it is and how long it still takes, from Snakemake's and the stages' events."""

import time
from collections import Counter
from pathlib import Path
from typing import Any

from guidebench.base.units import duration
from guidebench.pipeline.jobs.layout import Job, Layout
from guidebench.pipeline.plan.schedule import Task, makespan
from guidebench.pipeline.records.events import read
from guidebench.pipeline.records.failures import own_job
from guidebench.pipeline.run.display import Bar, display
from guidebench.pipeline.run.pace import State, paces

RUNNING = 1e9  # a priority above all others


class Progress:
    """What a person sees of a run whose Snakemake writes its events to `path`."""

    def __init__(self, path: Path) -> None:
        self.path, self.offset = path, 0
        self.states: dict[tuple[str, str], State] = {}  # by stage and name
        self.needed: Counter[str] = Counter()
        self.plan: dict[str, Any] = {}
        self.after: dict[Job, list[Job]] = {}
        self.slots = {"cores": 1}
        self.begun = time.monotonic()
        self.display = display()
        self.previewed = False

    def update(self) -> None:
        """Read new events, and show what they say."""
        events, self.offset = read(self.path, self.offset)
        for event in events:
            self._feed(event)
        for state in self.states.values():
            if state.poll():
                word, why = ("FAILED", f": {state.error}") if state.error else ("done", "")
                took = duration(state.seconds)
                self.display.line(f"[{self._counts()}] {state.title}: {word} in {took}{why}")
        if self.plan and not self.previewed and (path := self._preview()):
            self.previewed = True
            self.display.line(f"preview, until there is a report: {path}")
        if self.needed and self.states and self.display.due():
            self.display.show(*self.look())

    def _feed(self, event: dict[str, Any]) -> None:
        kind = event["event"]
        if kind == "plan":
            states = [State(row, Path(event["folder"])) for row in event["jobs"]]
            rows = zip(states, event["jobs"], strict=True)
            self.after = {s.job: [states[number].job for number in row["after"]] for s, row in rows}
            self.plan = event
            self.states = {(state.job.stage, state.job.name): state for state in states}
        elif kind == "taken":
            self.display.line(event["text"])
        elif kind == "resources_info":
            given = {**event, **event.get("provided_resources", {})}
            self.slots |= {name: given[name] for name in ("cores", "nodes", "gpu") if name in given}
        elif kind == "run_info":
            stats = {**event["stats"], "all": 0, "total": 0}
            self.needed = +Counter(stats)
        elif kind in ("job_info", "job_error") and (state := self.states.get(own_job(event))):
            # a job that failed may be tried again, and need not have told its end
            state.submitted = kind == "job_info"
            state.launched = None if "nodes" in self.slots else event["time"]

    def _preview(self) -> Path | None:
        """The preview, if this run has written one."""
        folder = Path(self.plan["folder"])
        path = Layout(folder.parent, folder.name).preview
        written = path.is_file() and path.stat().st_mtime >= self.plan["time"]
        return path if written else None

    def _counts(self) -> str:
        ended = sum(state.ended for state in self.states.values())
        return f"{ended}/{self.needed.total()}"

    def _those_needed(self) -> list[State]:
        """The jobs of this run: of each stage, as many as Snakemake says, which says not which.

        Those that began come first, then those that it submitted, then stale ones.
        """
        needed = []
        for stage, count in self.needed.items():
            states = [state for state in self.states.values() if state.job.stage == stage]
            states.sort(key=lambda s: (s.started is None, not s.submitted, not s.stale))
            needed += states[:count]
        return needed

    @property
    def workers(self) -> int:
        """Jobs at a time."""
        if "nodes" in self.slots:
            return self.slots["nodes"]
        here = max(1, self.slots["cores"] // self.plan.get("threads", 1))
        return min(here, self.slots.get("gpu", here)) if self.plan.get("device") != "cpu" else here

    def look(self) -> tuple[list[Bar], Bar]:
        """A bar for each running job, and one for the whole run."""
        states = self._those_needed()
        startup, works = paces(states)
        bars, tasks, total = [], [], 0.0
        for state in states:
            left = state.remaining(startup, works[state.job])
            # an overdue job takes longer than was expected of all of it
            total += max(left, state.expected(startup, works[state.job]))
            if state.running:
                bars.append(Bar(state.title, state.share, state.rate, left))
            if not state.ended:
                priority = RUNNING if state.running else state.priority
                tasks.append(Task(state.job, left, self.after[state.job], priority, state.workers))
        gone = duration(time.monotonic() - self.begun)
        share = 1 - sum(task.seconds for task in tasks) / max(total, 1e-9)
        return bars, Bar(f"{gone} gone", share, None, makespan(tasks, self.workers))

    def finish(self, code: int) -> None:
        """Show how the run ended; `code`: Snakemake's exit code."""
        self.update()
        took = duration(time.monotonic() - self.begun)
        self.display.close()
        if code == 0 and not self.needed:
            self.display.line("nothing to do: everything is up to date")
        elif code == 0:
            self.display.line(f"[{self._counts()}] finished in {took}")

    def errors(self) -> dict[tuple[str, str], str]:
        """(stage, name) -> the error of every job that failed in this run."""
        return {job: state.error for job, state in self.states.items() if state.error}
