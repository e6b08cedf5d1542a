"""Which jobs would run: Snakemake's dry run, and the cells that are missing of each."""

import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from guidebench import workload
from guidebench.base.cells import Cell
from guidebench.pipeline.errors import UserError
from guidebench.pipeline.experiment.config import Config
from guidebench.pipeline.jobs import slices
from guidebench.pipeline.jobs.finalists import dropped
from guidebench.pipeline.jobs.layout import Job, Layout
from guidebench.pipeline.plan.schedule import WRITE_EVENTS
from guidebench.pipeline.records.events import read
from guidebench.pipeline.records.failures import last_words
from guidebench.pipeline.records.finished_cells import where


class Pending(NamedTuple):
    """A job that would run, as Snakemake's dry run describes it."""

    job: Job
    priority: int = 0
    mem_mb: int = 0


def pending(command: list[str]) -> list[Pending]:
    """Jobs of a dry run by Snakemake's `command` line; UserError with its words if it fails."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "events.jsonl"
        dry = [*command, "--dry-run", *WRITE_EVENTS, str(path)]
        done = subprocess.run(dry, capture_output=True, text=True, check=False)
        records, _ = read(path)
    if done.returncode:
        raise UserError((last_words(records, done.stderr) or ["snakemake failed"])[-1])
    return [
        Pending(
            Job(record["rule_name"], **record["wildcards"]),
            record["priority"],
            record["resources"].get("mem_mb", 0),
        )
        for record in records
        if record["event"] == "job_info" and record["rule_name"] != "all"
    ]


def missing_cells(
    config: Config, layout: Layout, job: Job, contents: Mapping[Job, str]
) -> list[Cell]:
    """The cells that a sampling job would compute: those without a finished file of their key.

    `contents`: digests of what the jobs wrote that do not run.
    """
    dataset, block = job.dataset, workload.block(config, job.dataset, job.block)
    folder, setups = layout.samples(dataset), config.datasets[dataset].setups
    cells = workload.expected(config, dataset, block)
    decided = Job("finalists", dataset)
    if workload.finals(config, dataset, block.name) and decided in contents:
        out = dropped(layout.finalists(dataset))
        cells = [cell for cell in workload.sampled(config, dataset, block) if cell not in out]
    sources = {"denoiser": Job("train_denoiser", dataset)} | {
        name: Job("train_classifier", dataset, name)
        for name in workload.used_guides(config, dataset)
    }
    models = {name: contents[source] for name, source in sources.items() if source in contents}
    missing = []
    for cell in cells:
        guide = setups[cell.setup].classifier
        path = folder / cell.path / f"{block.name}.npz"
        if "denoiser" in models and (guide is None or guide in models):
            key = slices.cell_key(config, dataset, cell, block, models)
            if where(path, key, layout.root, whole=False) is not None:
                continue
        missing.append(cell)
    return missing
