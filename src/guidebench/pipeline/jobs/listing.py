"""Every job of an experiment: what it reads, where it writes, and in which order they come."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from guidebench import workload
from guidebench.pipeline.experiment.config import Config
from guidebench.pipeline.jobs.layout import Job, Layout
from guidebench.pipeline.jobs.rates import Rates
from guidebench.pipeline.jobs.stages import STAGES
from guidebench.pipeline.records import artifacts
from guidebench.pipeline.records.artifacts import MANIFEST, PROVENANCE


def jobs(config: Config) -> Iterator[Job]:
    """Every job of the experiment, in an order that respects dependencies."""
    scopes: dict[str, Iterable[str]] = {
        "dataset": config.datasets,
        "world": config.worlds,
        "experiment": [""],
        "section": [*config.datasets, *config.worlds],
        "report": [""],
    }
    for scope, names in scopes.items():
        for name in names:
            found = [
                Job(stage, name, *rest)
                for stage, record in STAGES.items()
                if record.scope == scope
                for rest in record.parts(config, name)
            ]
            if Job("finalists", name) in found:
                # what waits for them comes after them, though its stage comes before
                found.sort(key=lambda job: _round(config, job))
            yield from found


def _round(config: Config, job: Job) -> int:
    if job.stage in ("metrics", "attributes"):
        return 2
    return int(workload.finals(config, job.dataset, job.block))


def inputs(config: Config, job: Job) -> list[Job]:
    """The jobs whose results a job reads; nothing else of an experiment's folder may be read."""
    reads = STAGES[job.stage].reads(config, job)
    if isinstance(reads, list):
        return reads
    # a tuple: the stages of which it reads no job
    return [source for source in jobs(config) if source.stage not in reads]


def spec(config: Config, job: Job) -> dict[str, Any]:
    """The slice of the config that the job's results depend on, as JSON values."""
    return STAGES[job.stage].slice(config, job)


def seconds(config: Config, job: Job, rates: Mapping[str, Rates]) -> float:
    """Expected seconds of a job on one worker; `rates` by data set or world."""
    return STAGES[job.stage].seconds(config, job, rates)


def folder(layout: Layout, job: Job) -> Path:
    """The folder below which the files of a job's manifest lie."""
    return STAGES[job.stage].folder(layout, job)


def manifest(layout: Layout, job: Job) -> Path:
    """The manifest that a job declares as its output."""
    if job.block:
        return layout.block_manifest(folder(layout, job), job.block)
    beside = STAGES[job.stage].beside
    return (layout.root / beside / job.dataset if beside else folder(layout, job)) / MANIFEST


def provenance(layout: Layout, job: Job) -> Path:
    """What a finished job says of itself, beside its manifest."""
    path = manifest(layout, job)
    return path.with_name(f"{job.block}.{PROVENANCE}" if job.block else PROVENANCE)


def owned(layout: Layout, job: Job) -> list[Path]:
    """Folders with files of this job alone; none for a seed block: its cells share folders."""
    return STAGES[job.stage].owned(layout, job)


def tidy(layout: Layout, job: Job, names: Iterable[str]) -> None:
    """Remove what lies in the job's own folders but its manifest and the files `names`."""
    kept = {manifest(layout, job), *(folder(layout, job) / name for name in names)}
    for own in owned(layout, job):
        artifacts.tidy(own, kept)
