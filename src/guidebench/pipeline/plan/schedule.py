"""How long jobs take together, and the event that tells a run's display of all its jobs."""

import heapq
from collections import defaultdict
from collections.abc import Container, Mapping, Sequence
from typing import Any, NamedTuple

from guidebench.pipeline.experiment.config import Config
from guidebench.pipeline.jobs.layout import Job, Layout
from guidebench.pipeline.jobs.listing import inputs, jobs, seconds
from guidebench.pipeline.jobs.rates import stated

# options of Snakemake; the next word is the file
WRITE_EVENTS = ["--logger", "guidebench", "--logger-guidebench-events"]


class Task(NamedTuple):
    """A job to be done, its seconds, and how many workers it needs at once.

    `after`: the jobs that it reads; it waits for those of them that are to be done, too.
    """

    job: Job
    seconds: float
    after: Sequence[Job]
    priority: float = 0
    workers: int = 1


def width(config: Config, job: Job) -> int:
    """Workers that a job needs at once: one for each GPU."""
    return config.datasets[job.dataset].denoiser.gpus if job.stage == "train_denoiser" else 1


def makespan(tasks: Sequence[Task], workers: int) -> float:
    """Seconds until the last task ends when `workers` take ready ones in order of priority."""
    place = {task.job: number for number, task in enumerate(tasks)}
    waits = [{place[job] for job in task.after if job in place} for task in tasks]
    followers: dict[int, list[int]] = defaultdict(list)
    for number, sources in enumerate(waits):
        for source in sources:
            followers[source].append(number)
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
        for follower in followers[number]:
            waits[follower].discard(number)
            if not waits[follower]:
                heapq.heappush(ready, (-tasks[follower].priority, follower))
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
                "after": [place[source] for source in inputs(config, job)],
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
