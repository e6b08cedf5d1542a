"""Which scales of each setup are sampled on all evaluation seeds: its best on selection seeds."""

from typing import Any

import numpy as np

from guidebench import workload
from guidebench.base.cells import Cell
from guidebench.base.jackknife import blocked, corrected
from guidebench.metrics.reference import Real, key_of
from guidebench.metrics.sliced import Sliced
from guidebench.pipeline.jobs.finalists import FILE
from guidebench.pipeline.records.artifacts import write_json
from guidebench.report.tables import breaks
from guidebench.stages.metrics import concatenated, load
from guidebench.stages.stage import Stage


def run(stage: Stage) -> None:
    """Rank the scales of each setup by the distance by which the report chooses its best one."""
    config, dataset, layout = stage.config, stage.job.dataset, stage.layout
    sets = stage.use("features", dataset, block=workload.REAL)
    blocks = [one.name for one in workload.scored(config, dataset) if one.split == "selection"]
    for block in blocks:
        stage.use("features", dataset, block=block)
    names = [layout.features(dataset) / name for name in sets]
    real = Real({path.stem: load(path) for path in names}, stage.target)
    extractor, rows = _reference(stage, real)
    sampling, reference = stage.options.sampling, Sliced(rows)
    assert sampling.finalists is not None
    count = config.metrics.jackknife_blocks
    setups: dict[str, list[dict[str, Any]]] = {}
    for setup in workload.contested(config, dataset):
        ranked = []
        for scale in stage.options.setups[setup].scales:
            cell = layout.features(dataset) / Cell(setup, scale).path
            found = concatenated([cell / f"{block}.npz" for block in blocks])
            distance = _distance(reference, found[key_of(extractor)], found["diverged"], count)
            ranked.append((distance, scale))
        # of equal ones the smaller scale, as `Tables.best`; a broken one never
        setups[setup] = [
            {
                "scale": scale,
                "distance": distance if np.isfinite(distance) else None,
                "goes_on": bool(place < sampling.finalists.scales and np.isfinite(distance)),
            }
            for place, (distance, scale) in enumerate(sorted(ranked))
        ]
    write_json(layout.finalists(dataset) / FILE, {"extractor": extractor, "setups": setups})
    stage.finish([FILE])


def _distance(reference: Sliced, features: np.ndarray, diverged: np.ndarray, blocks: int) -> float:
    """The corrected sliced distance of a cell, as `metrics/score.py` has it; inf where broken."""
    kept = ~diverged
    if breaks(int(diverged.sum()), len(kept)):
        return np.inf
    rows, block = reference.project(features[kept]), blocked(len(kept), blocks)[kept]
    without = [reference.distance(rows[block != number]) for number in range(blocks)]
    value = corrected(reference.distance(rows), np.array(without))
    return value if np.isfinite(value) else np.inf


def _reference(stage: Stage, real: Real) -> tuple[str, np.ndarray]:
    """The extractor whose distance decides (`Tables.distance`), and the reference's features."""
    conditional = stage.target is not None
    if "reference_inception" in real.sets:
        rows, _ = real.rows("inception", conditional)
        if min(stage.options.sampling.evaluation, len(rows)) >= rows.shape[1]:
            return "inception", rows
    return "judge", real.rows("judge", conditional)[0]
