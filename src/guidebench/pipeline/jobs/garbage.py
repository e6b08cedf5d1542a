"""Files of an experiment that no run of it can use any more."""

from contextlib import suppress
from pathlib import Path

from guidebench import workload
from guidebench.pipeline.errors import UserError
from guidebench.pipeline.experiment.config import Config
from guidebench.pipeline.jobs.layout import Layout
from guidebench.pipeline.jobs.listing import jobs, manifest
from guidebench.pipeline.records import code
from guidebench.pipeline.records.artifacts import read_json

CELL = (".npz", ".key.json", ".cost.json")


def remove(config: Config, layout: Layout) -> tuple[int, int]:
    """Remove them; returns their number, and their bytes.

    They are checkpoints of unfinished trainings, cells that the config does not name, temporary
    files of killed processes, and records of code that no result refers to.
    """
    useless = [*(layout.root / ".resume").glob("*.pt"), *layout.root.rglob(".*.tmp*")]
    kept = [manifest(layout, job) for job in jobs(config)]
    for dataset in config.datasets:
        for folder in (layout.samples(dataset), layout.features(dataset)):
            for block in workload.blocks(config, dataset):
                cells = workload.sampled(config, dataset, block)
                kept += [folder / cell.path / f"{block.name}.key.json" for cell in cells]
            kept += (folder / workload.REAL).glob("*.key.json")
            kept_cells = {
                path.with_name(path.name.replace(".key.json", suffix))
                for path in kept
                for suffix in CELL
            }
            useless += [
                path
                for path in folder.rglob("*")
                if path.name.endswith(CELL) and path not in kept_cells
            ]
    used = set()
    for path in kept:
        with suppress(UserError, KeyError, TypeError):
            used.add(read_json(path)["code"])
    records = (layout.root / code.FOLDER).glob("*.json")
    useless += [path for path in records if path.stem not in used]
    return _unlink(useless)


def _unlink(paths: list[Path]) -> tuple[int, int]:
    count = size = 0
    for path in paths:
        if path.is_file():
            count, size = count + 1, size + path.stat().st_size
            path.unlink()
    return count, size
