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
from guidebench.pipeline.records.finished_cells import sidecar


def remove(config: Config, layout: Layout) -> tuple[int, int]:
    """Remove them; returns their number, and their bytes.

    They are checkpoints of unfinished trainings, cells that the config does not name, sidecars of
    an earlier guidebench, temporary files of killed processes, and records of code that no result
    refers to.
    """
    useless = [*(layout.root / ".resume").glob("*.pt"), *layout.root.rglob(".*.tmp*")]
    kept = [manifest(layout, job) for job in jobs(config)]
    for dataset in config.datasets:
        for folder in (layout.samples(dataset), layout.features(dataset)):
            cells = {
                folder / cell.path / f"{block.name}.npz"
                for block in workload.blocks(config, dataset)
                for cell in workload.sampled(config, dataset, block)
            }
            cells |= set((folder / workload.REAL).glob("*.npz"))
            sidecars = {sidecar(cell) for cell in cells}
            kept += sidecars
            found = {*folder.rglob("*.npz"), *folder.rglob("*.json")}
            useless += found - cells - sidecars - set((folder / "manifests").glob("*"))
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
