"""Every metric of every cell, with standard errors and jackknife replicates."""

from collections.abc import Collection, Sequence, Set
from pathlib import Path

import numpy as np
import pandas as pd

from guidebench import workload
from guidebench.base.cells import Cell
from guidebench.base.choices import DRAWN_REFERENCE
from guidebench.metrics.collected import Row, Scores
from guidebench.metrics.own import Metric
from guidebench.metrics.reference import Real
from guidebench.metrics.score import Scorer
from guidebench.pipeline.records.artifacts import SIDECAR, atomic, read_manifest
from guidebench.pipeline.records.finished_cells import sidecar
from guidebench.report.tables import COMMON, EVALUATION, SELECTION
from guidebench.stages.real_images import real_images
from guidebench.stages.stage import Stage

FILES = ["metrics.parquet", "jackknife.parquet", "reference_jackknife.parquet"]
COST = "cost.parquet"


def run(stage: Stage) -> None:
    """Score all cells on the selection and on the evaluation seeds, and the floor.

    Those with more evaluation seeds than others also on the seeds that all have.
    """
    layout, dataset, config = stage.layout, stage.job.dataset, stage.config
    features, folder = layout.features(dataset), layout.metrics(dataset)
    sets = stage.use("features", dataset, block=workload.REAL)
    blocks = workload.scored(config, dataset)
    cells, with_images = workload.cells(config, dataset), workload.images_scored(config)
    found = {}
    for block in blocks:
        found[block.name] = stage.use("features", dataset, block=block.name)
        kinds = [SIDECAR, ".npz"] if with_images else [SIDECAR]
        paths = [Path(name).with_suffix(kind) for name in found[block.name] for kind in kinds]
        stage.use("sample", dataset, block=block.name, names=map(str, paths))
    if with_images:
        stage.use("prepare", dataset)
    scorer, scores, costs = scorer_of(stage, [features / name for name in sets]), Scores(), []
    for done, cell in enumerate(cells):
        guide = stage.options.setups[cell.setup].classifier
        own = [block for block in blocks if has(cell, block, found[block.name])]
        for split in (SELECTION, EVALUATION):
            names = [block.name for block in own if block.split == split]
            row = Row(dataset, cell.setup, cell.scale, split, config.seed)
            scores.extend(row, scorer.score(features_of(stage, cell, names), guide))
            samples = [layout.samples(dataset) / cell.path / f"{name}.npz" for name in names]
            costs += _cost(row, [read_manifest(sidecar(path))["cost"] for path in samples])
        # of a cell with more seeds than others: what is compared with those
        first = [name for name in names if not workload.finals(config, dataset, name)]
        if len(first) < len(names):
            shared = features_of(stage, cell, first)
            scores.extend(row._replace(split=COMMON), scorer.score(shared, guide))
        stage.events.progress(done + 1, len(cells))
    scores.extend(Row(dataset, "floor", None, "evaluation", config.seed), scorer.floor())
    frames = [scores.results(), scores.jackknife(), scores.reference(), pd.DataFrame(costs)]
    for name, frame in zip([*FILES, COST], frames, strict=True):
        with atomic(folder / name) as temporary:
            frame.to_parquet(temporary, index=False)
    stage.finish(FILES, [COST])


def has(cell: Cell, block: workload.Block, files: Collection[str]) -> bool:
    """Whether a seed block's `files` have one of the cell: others dropped out before it."""
    return f"{cell.path}/{block.name}.npz" in files


def scorer_of(stage: Stage, real: list[Path], without: Set[str] = frozenset()) -> Scorer:
    """The data set's scorer, on files of real images' features, but for the arrays `without`."""
    config, sets = stage.config, {path.stem: load(path, without) for path in real}
    if workload.images_scored(config):
        for name, data in real_images(stage).items():
            sets[name]["images"] = data.images[:]
    drawn = DRAWN_REFERENCE in config.metrics.paper_compat
    return Scorer(
        Real(sets, stage.target, stage.options.sampling.evaluation if drawn else 0),
        stage.options.target is not None,
        config.metrics.jackknife_blocks,
        [Metric(key, one) for key, one in config.metrics.own.items()],
        stage.options.sampling.evaluation,
    )


def features_of(
    stage: Stage, cell: Cell, blocks: list[str], without: Set[str] = frozenset()
) -> dict[str, np.ndarray]:
    """A cell's features in these seed blocks; with its images where a metric reads them.

    But for the arrays `without`, whose metrics the scorer then leaves out.
    """
    layout, dataset = stage.layout, stage.job.dataset
    folders = layout.features(dataset), layout.samples(dataset)
    features, samples = (
        [folder / cell.path / f"{name}.npz" for name in blocks] for folder in folders
    )
    found = concatenated(features, without)
    if workload.images_scored(stage.config):
        found["images"] = np.concatenate([_images(path) for path in samples])
    return found


def load(path: Path, without: Set[str] = frozenset()) -> dict[str, np.ndarray]:
    """The arrays of a file of features, but for those `without`."""
    with np.load(path) as file:
        return {key: file[key] for key in file if key not in without}


def _images(path: Path) -> np.ndarray:
    with np.load(path) as file:
        images: np.ndarray = file["images"]
    return images


def concatenated(paths: Sequence[Path], without: Set[str] = frozenset()) -> dict[str, np.ndarray]:
    """The arrays of several files of features, one after the other, but for those `without`."""
    parts = [load(path, without) for path in paths]
    return {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}


def _cost(row: Row, costs: list[dict[str, object]]) -> list[dict[str, object]]:
    """Seconds per image (error over micro-batches), memory and load (over blocks), passes (exact).

    Passes through the denoiser, of one image: evaluations, and those followed by a backward one.
    """
    seconds = np.concatenate([cost["seconds"] for cost in costs])
    keys = {
        "peak_memory": "peak_memory_mib",
        "load": "load",
        "denoiser_evaluations": "evaluations",
        "backward_passes": "backward_passes",
    }
    measured = {"seconds": seconds} | {
        metric: np.array([cost[key] for cost in costs]) for metric, key in keys.items()
    }
    return [
        row._asdict()
        | {
            "metric": metric,
            "value": float(values.mean()),
            "se": float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else np.nan,
            "n": len(values),
            "extractor": "",
            "reference": "",
        }
        for metric, values in measured.items()
    ]
