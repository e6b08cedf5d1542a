"""Which jobs would run: Snakemake's dry run, and the cells that are missing of each."""

from __future__ import annotations

import re
import subprocess
from contextlib import suppress
from typing import NamedTuple

from guidebench import workload
from guidebench.pipeline.errors import UserError
from guidebench.pipeline.experiment.config import Config
from guidebench.pipeline.jobs import slices
from guidebench.pipeline.jobs.freshness import content
from guidebench.pipeline.jobs.layout import Job, Layout
from guidebench.pipeline.jobs.listing import manifest
from guidebench.pipeline.records.finished_cells import standing
from guidebench.workload import Cell


class Pending(NamedTuple):
    """A job that would run, as Snakemake's dry run describes it."""

    job: Job
    inputs: list[str]
    priority: int
    mem_mb: int


def pending(command: list[str]) -> list[Pending]:
    """Jobs of a dry run by Snakemake's `command` line; UserError with its words if it fails."""
    done = subprocess.run(
        [*command, "--dry-run"], capture_output=True, text=True, check=False
    )  # fmt: skip
    text = done.stdout + done.stderr
    if done.returncode:
        raise UserError(" ".join(text.strip().splitlines()[-1:]) or "snakemake failed")
    return parse(text)


def parse(text: str) -> list[Pending]:
    """Jobs in the text of a dry run."""
    found = []
    for stage, block in re.findall(r"^(?:local)?rule (\w+):\n((?: {4}.*\n)+)", text, re.MULTILINE):
        fields = dict(re.findall(r"^ {4}(\w+): (.*)$", block, re.MULTILINE))
        if stage == "all":
            continue
        wildcards = dict(re.findall(r"(\w+)=([^,\s]+)", fields.get("wildcards", "")))
        memory = re.search(r"mem_mb=(\d+)", fields.get("resources", ""))
        found.append(
            Pending(
                Job(stage, **wildcards),
                fields.get("input", "").split(", "),
                int(fields.get("priority", "0")),
                int(memory.group(1)) if memory else 0,
            )
        )
    return found


def missing_cells(config: Config, layout: Layout, job: Job, running: set[Job]) -> list[Cell]:
    """The cells that a sampling job would compute: those without a finished file of their key."""
    dataset, block = job.dataset, workload.block(config, job.dataset, job.block)
    folder, setups = layout.samples(dataset), config.datasets[dataset].setups
    cells = workload.sampled(config, dataset, block)
    models: dict[str, str] = {}
    sources = {"denoiser": Job("train_denoiser", dataset)} | {
        name: Job("train_classifier", dataset, name)
        for name in workload.used_guides(config, dataset)
    }
    for name, source in sources.items():
        if source not in running:
            with suppress(UserError):
                models[name] = content(manifest(layout, source))
    missing = []
    for cell in cells:
        guide = setups[cell.setup].classifier
        path = folder / cell.path / f"{block.name}.npz"
        if "denoiser" in models and (guide is None or guide in models):
            key = slices.cell_key(config, dataset, cell, block, models)
            if standing(path, key, layout.root, whole=False) is not None:
                continue
        missing.append(cell)
    return missing
