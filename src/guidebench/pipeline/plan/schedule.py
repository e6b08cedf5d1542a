"""Which jobs come first, how long they take together, and the event that tells a run of them."""

import heapq
from collections import defaultdict
from collections.abc import Container, Mapping, Sequence
from typing import Any, NamedTuple

from guidebench import workload
from guidebench.pipeline.experiment.config import Config
from guidebench.pipeline.jobs.layout import Job, Layout
from guidebench.pipeline.jobs.listing import inputs, jobs, seconds
from guidebench.pipeline.jobs.rates import stated
from guidebench.pipeline.jobs.stages import first_scored

# options of Snakemake; the next word is the file
WRITE_EVENTS = ["--logger", "guidebench", "--logger-guidebench-events"]
# the longest chain starts first, and what ends it (`attributes`) waits for nothing that is short
RANKS = {
    "prepare": 100,
    "train_denoiser": 80,
    "train_classifier": 70,
    "features": 60,
    "finalists": 65,
    "metrics": 60,
    "attributes": 60,
    "sample": 40,
    "ground_truth": 40,
    "sensitivity": 30,
}
SELECTION = 10  # more for the seeds that a preview scores first
FIRST = 1000  # more for all that the first numbers of all need


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


def priorities(config: Config) -> dict[Job, int]:
    """The priority of every job; the data set whose first numbers cost least goes ahead."""
    rates = stated(config, [])
    ranks = {
        job: RANKS.get(job.stage, 0)
        + SELECTION * (job.stage == "sample" and job.block.startswith("selection"))
        for job in jobs(config)
    }
    needed = [_first_numbers(config, dataset) for dataset in config.datasets]
    costs = [sum(seconds(config, job, rates) for job in every) for every in needed]
    for job in needed[costs.index(min(costs))] if costs else ():
        ranks[job] += FIRST
    return ranks


def _first_numbers(config: Config, dataset: str) -> set[Job]:
    """The features of real images and of samples on selection seeds, and the sensitivities.

    With all jobs that they come from.
    """
    left = first_scored(config, dataset)
    # how long these take is then known before they are all that is left
    left += [Job("sensitivity", dataset, name) for name in workload.guides(config, dataset)]
    found: set[Job] = set()
    while left:
        if (job := left.pop()) not in found:
            found.add(job)
            left += inputs(config, job)
    return found


def announced(
    config: Config, layout: Layout, stale: Container[Job], priorities: Mapping[Job, int]
) -> dict[str, Any]:
    """The workflow's first event: every job of the experiment, and where its own events begin.

    What a job's events file holds already is of earlier runs.
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
                "priority": priorities[job],
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
