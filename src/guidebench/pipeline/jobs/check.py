"""Whether every result of an experiment is there, fresh, and what it was when it was written."""

import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

from guidebench.pipeline.errors import UserError
from guidebench.pipeline.experiment.config import Config
from guidebench.pipeline.jobs import freshness
from guidebench.pipeline.jobs.layout import Job, Layout
from guidebench.pipeline.jobs.listing import folder, manifest
from guidebench.pipeline.records.artifacts import damaged

SHOWN = 5


def problems(config: Config, layout: Layout, jobs: Iterable[Job]) -> Iterator[str]:
    """One line for each of `jobs` that is stale, and for each file that is missing or damaged."""
    stale = freshness.stale(config, layout)
    fresh = []
    for job in jobs:
        if job in stale:
            yield f"{job.stage} {job.name}: stale ({stale[job]}); run again"
        else:
            fresh.append(job)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for lines in pool.map(
            lambda job: list(damaged(manifest(layout, job), folder(layout, job))), fresh
        ):
            yield from lines


def check(config: Config, layout: Layout, jobs: Iterable[Job]) -> None:
    """UserError with the first problems of these jobs' results, if there are any."""
    if lines := list(problems(config, layout, jobs)):
        more = [f"and {len(lines) - SHOWN} more; `guidebench check` lists all"]
        raise UserError("; ".join(lines[:SHOWN] + more * (len(lines) > SHOWN)))
