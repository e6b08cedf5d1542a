"""How long jobs take together: a list schedule, and what the workflow says of all jobs at first."""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Container, Mapping, Sequence
from typing import Any, NamedTuple

from guidebench.pipeline.experiment.config import Config
from guidebench.pipeline.jobs.cost_model import stated
from guidebench.pipeline.jobs.layout import Job, Layout
from guidebench.pipeline.jobs.listing import inputs, jobs, seconds

# options of Snakemake, with a file to follow
WRITE_EVENTS = ["--logger", "guidebench", "--logger-guidebench-events"]


class Task(NamedTuple):
    """A job to be done: its seconds, what it waits for if that is to be done too, its width."""

    job: Job
    seconds: float
    after: Sequence[Job]
    priority: float = 0
    workers: int = 1


def width(config: Config, job: Job) -> int:
    """Workers that a job needs at once."""
    return config.datasets[job.dataset].denoiser.gpus if job.stage == "train_denoiser" else 1


def makespan(tasks: Sequence[Task], workers: int) -> float:
    """Seconds until the last task ends when `workers` take ready ones in order of priority."""
    place = {task.job: number for number, task in enumerate(tasks)}
    waits = [{place[job] for job in task.after if job in place} for task in tasks]
    followers: dict[int, list[int]] = defaultdict(list)
    for number, before in enumerate(waits):
        for other in before:
            followers[other].append(number)
    ready = [(-task.priority, number) for number, task in enumerate(tasks) if not waits[number]]
    heapq.heapify(ready)
    running: list[tuple[float, int]] = []
    now, free = 0.0, workers
    wide = [min(task.workers, workers) for task in tasks]
    while ready or running:
        while ready and wide[ready[0][1]] <= free:
            _, number = heapq.heappop(ready)
            free -= wide[number]
            heapq.heappush(running, (now + tasks[number].seconds, number))
        now, number = heapq.heappop(running)
        free += wide[number]
        for other in followers[number]:
            waits[other].discard(number)
            if not waits[other]:
                heapq.heappush(ready, (-tasks[other].priority, other))
    return now


def announced(
    config: Config, layout: Layout, stale: Container[Job], priorities: Mapping[str, int]
) -> dict[str, Any]:
    """The workflow's first event: every job of the experiment, and where its own events begin.

    `priorities`: by stage. What a job's events file holds already is of earlier runs.
    """
    rates = stated(config, [])
    every = list(jobs(config))
    place = {job: number for number, job in enumerate(every)}
    rows = []
    for job in every:
        path = layout.events(job.stage, job.name)
        rows.append(
            {
                "job": job,
                "seconds": seconds(config, job, rates),
                "workers": width(config, job),
                "after": [place[other] for other in inputs(config, job)],
                "stale": job in stale,
                "priority": priorities[job.stage],
                "offset": path.stat().st_size if path.is_file() else 0,
            }
        )
    return {
        "event": "plan",
        "folder": str(layout.root),
        "threads": config.threads,
        "device": config.device,
        "jobs": rows,
    }
