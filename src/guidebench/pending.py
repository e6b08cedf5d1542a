"""Which jobs would run and why, in plain words: Snakemake's dry run, read with the provenance."""

from __future__ import annotations

import re
import subprocess
from contextlib import suppress
from typing import Any, NamedTuple

from guidebench import grid, specs
from guidebench.artifacts import canonical, digest_of, read_json
from guidebench.closure import code_digest
from guidebench.config import Config
from guidebench.errors import UserError
from guidebench.grid import Cell, Job, Layout

SHOWN_KEYS = 3


class Pending(NamedTuple):
    """A job that would run, as Snakemake's dry run describes it."""

    job: Job
    reason: str
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
                fields.get("reason", ""),
                fields.get("input", "").split(", "),
                int(fields.get("priority", "0")),
                int(memory.group(1)) if memory else 0,
            )
        )
    return found


def why(config: Config, layout: Layout, item: Pending) -> str:
    """The reason in plain words."""
    path = grid.manifest(layout, item.job)
    if "Input files updated by another job" in item.reason:
        return "what it reads runs again" if path.is_file() else "not computed yet"
    if "Missing output" in item.reason:
        return "not computed yet"
    if "Params have changed" in item.reason:
        return changed(config, layout, item.job)
    if "incomplete" in item.reason.lower():
        return "was interrupted"
    if "Updated input files" in item.reason:
        return "what it reads has changed"
    return item.reason[:100] or "asked for"


def changed(config: Config, layout: Layout, job: Job) -> str:
    """What is different from the execution that the provenance tells of."""
    try:
        entry = read_json(grid.provenance(layout, job))
    except UserError:
        return "the experiment or the code changed"
    new = specs.spec(config, job)
    keys = differences(entry["spec"], new)
    parts = keys[:SHOWN_KEYS] + ([f"{len(keys) - SHOWN_KEYS} more"] if len(keys) > 3 else [])
    if entry["code"] != code_digest(job.stage):
        parts.append("its code, or a package it uses")
    return "changed: " + "; ".join(parts) if parts else "the experiment or the code changed"


def differences(old: Any, new: Any, path: str = "") -> list[str]:
    """Readable lines `a.b: 1 -> 2` for every leaf that differs."""
    if isinstance(old, dict) and isinstance(new, dict):
        return [
            line
            for key in {**old, **new}
            for line in differences(old.get(key), new.get(key), f"{path}.{key}".lstrip("."))
        ]
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        return [
            line
            for number, (before, after) in enumerate(zip(old, new, strict=True))
            for line in differences(before, after, f"{path}[{number}]")
        ]
    if canonical(old) == canonical(new):
        return []
    shown = [canonical(value) for value in (old, new)]
    if max(map(len, shown)) > 60:
        return [path]
    return [f"{path}: {shown[0]} -> {shown[1]}"]


def missing_cells(config: Config, layout: Layout, job: Job, running: set[Job]) -> list[Cell]:
    """The cells that a sampling job would compute: those without a finished file of their key."""
    dataset, block = job.dataset, grid.block(config, job.dataset, job.block)
    folder, setups = layout.samples(dataset), config.datasets[dataset].setups
    cells = grid.sampled(config, dataset, block)
    models: dict[str, str] = {}
    sources = {"denoiser": (Job("train_denoiser", dataset), layout.denoiser(dataset))} | {
        name: (Job("train_classifier", dataset, name), layout.classifier(dataset, name))
        for name in grid.used_guides(config, dataset)
    }
    for name, (source, place) in sources.items():
        if source not in running:
            with suppress(UserError):
                models[name] = digest_of(read_json(place / "manifest.json")["files"])
    missing = []
    for cell in cells:
        guide = setups[cell.setup].classifier
        known = "denoiser" in models and (guide is None or guide in models)
        path = folder / cell.path / f"{block.name}.npz"
        if known and path.is_file():
            key = specs.cell_key(config, dataset, cell, block, models, code_digest("sample"))
            with suppress(UserError, KeyError):
                if read_json(path.with_suffix(".key.json"))["key"] == key:
                    continue
        missing.append(cell)
    return missing
