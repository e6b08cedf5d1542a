"""Old results that are kept for changed code, because somebody says why: in `adopted.json`."""

import json
from pathlib import Path

from guidebench.pipeline.errors import UserError
from guidebench.pipeline.experiment.config import Config
from guidebench.pipeline.jobs.layout import Job, Layout
from guidebench.pipeline.jobs.listing import jobs, manifest
from guidebench.pipeline.records import code
from guidebench.pipeline.records.artifacts import read_manifest, seal, write_json
from guidebench.pipeline.records.finished_cells import sidecar

ADOPTED = Path("adopted.json")


def adopt(config: Config, layout: Layout, stage: str, reason: str) -> list[str]:
    """Write the present digests of a stage's changed functions into its results.

    Returns their names. The functions that a changed one may call now are recorded with it, for
    they may be new. UserError when nothing changed, or when a function is gone: then what runs
    instead of it is not known.
    """
    paths = [path for job in jobs(config) if job.stage == stage for path in _records(layout, job)]
    if not paths:
        raise UserError(f"{layout.root}: found no results of {stage}, allowed: a stage that ran")
    names: set[str] = set()
    adopted = {}
    for path in paths:
        entry = read_manifest(path)
        before = code.kept(layout.root, entry["code"])
        changed = code.changed(layout.root, entry["code"])
        if gone := [name for name in changed if not code.there(name)]:
            raise UserError(
                f"{', '.join(gone)}: ran for {path} and is gone, allowed: functions "
                "that are still there; run the stage again"
            )
        if changed:
            names |= set(changed)
            reached = {below for name in changed for below in code.reached(name)}
            entry["code"] = code.keep(layout.root, {*before, *reached})
            adopted[path] = entry
    if not names:
        raise UserError(
            f"{layout.root}: found no changed code in {stage}, allowed: one that is "
            "stale for its code"
        )
    entries = json.loads(ADOPTED.read_text()) if ADOPTED.is_file() else {}
    entries.setdefault(stage, []).append({"functions": sorted(names), "reason": reason})
    write_json(ADOPTED, entries)
    for path, entry in adopted.items():
        seal(path, entry)
    return sorted(names)


def _records(layout: Layout, job: Job) -> list[Path]:
    """A job's manifest, and the sidecars of its cells."""
    path = manifest(layout, job)
    if not path.is_file():
        return []
    cells = (
        [path.parent.parent / name for name in read_manifest(path)["files"]] if job.block else []
    )
    return [path, *(sidecar(cell) for cell in cells)]
