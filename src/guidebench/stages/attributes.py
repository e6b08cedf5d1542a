"""Place, size and turn of the balls of samples, read by a network trained on true ones."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from guidebench import workload
from guidebench.base.choices import BALL_NUMBERS
from guidebench.data.store import Chosen, read, to_float
from guidebench.pipeline.errors import UserError
from guidebench.pipeline.experiment.sections import SportBallsData
from guidebench.pipeline.records.artifacts import atomic
from guidebench.stages.metrics import has
from guidebench.stages.stage import Stage
from guidebench.stages.training import write_history
from guidebench.train.regressor import train

FILES = ["attributes.parquet", "history.jsonl"]
TURN = ("cos turn", "sin turn")  # in the plane, from a zero of each class's own
BATCH = 256
LEAST = 1e-3  # standard deviation of what varies at all
REAL = "real"  # in the place of a setup: held-out images


def true(folder: Path, size: int, turns: bool) -> np.ndarray:
    """What the generator drew of a split's images: [N, K], in the order of BALL_NUMBERS and TURN.

    `turns`: with TURN, of balls that turn in the plane alone; one in space is not two numbers.
    """
    centre, scale, rotation = (
        np.load(folder / f"{name}.npy") for name in ("centre", "scale", "rotation")
    )
    # a quaternion's w and z turn about the viewing axis by half the angle
    angle = 2 * np.arctan2(rotation[:, 3], rotation[:, 0])
    turn = [np.cos(angle), np.sin(angle)] if turns else []
    return np.column_stack((centre, size * scale, *turn))


def run(stage: Stage) -> None:
    """Train on the training images, measure the error on held-out ones, read every sample."""
    config, dataset, layout = stage.config, stage.job.dataset, stage.layout
    data, folder = layout.data(dataset), layout.attributes(dataset)
    stage.use("prepare", dataset)
    images, held_out = read(data / "train"), read(data / "validation")
    drawn, options, size = stage.options.data, stage.options.attributes, images.images.shape[2]
    assert isinstance(drawn, SportBallsData)
    assert options is not None
    turns = drawn.rotation == "in_plane"
    known, expected = (true(data / split, size, turns) for split in ("train", "validation"))
    varies = known.std(axis=0) > LEAST  # of what is always the same there is nothing to learn
    if not varies.any():
        key = f"datasets.{dataset}.attributes: found a section"
        raise UserError(f"{key}, allowed: null: all training images have one place and diameter")
    names = [name for name, one in zip((*BALL_NUMBERS, *TURN), varies, strict=False) if one]
    known, expected = (numbers.compress(varies, axis=1) for numbers in (known, expected))
    checkpoint = stage.resume()
    model, history = train(
        images,
        known,
        options,
        stage.seed("attributes"),
        checkpoint,
        stage.events,
        stage.device,
    )

    def seen(shown: np.ndarray | Chosen) -> np.ndarray:
        batches = (shown[start : start + BATCH] for start in range(0, len(shown), BATCH))
        return np.concatenate([model(to_float(one, stage.device)).cpu().numpy() for one in batches])

    found = seen(held_out.images)
    errors = dict(zip(names, np.sqrt(((found - expected) ** 2).mean(axis=0)), strict=True))
    rows = _rows(dataset, REAL, None, found, errors)
    blocks = workload.evaluated(config, dataset)
    files = {block: stage.use("sample", dataset, block=block.name) for block in blocks}
    for cell in workload.cells(config, dataset):
        parts = []
        for block in (block for block in blocks if has(cell, block, files[block])):
            with np.load(layout.samples(dataset) / cell.path / f"{block.name}.npz") as file:
                values = seen(file["images"])
                values[file["diverged"]] = np.nan
                parts.append(values)
        rows += _rows(dataset, cell.setup, cell.scale, np.concatenate(parts), errors)
    with atomic(folder / FILES[0]) as temporary:
        pd.DataFrame(rows).to_parquet(temporary, index=False)
    write_history(folder, history)
    stage.finish(FILES)
    checkpoint.delete()


def _rows(
    dataset: str, setup: str, scale: float | None, found: np.ndarray, errors: dict[str, float]
) -> list[dict[str, Any]]:
    """A row of the table `attributes` for each number of images [N, K]; NaN where they diverged.

    `errors`: the root mean square error of each, by its name.
    """
    return [
        {
            "dataset": dataset,
            "setup": setup,
            "scale": np.nan if scale is None else scale,
            "attribute": name,
            "error": float(error),
            "values": values.astype(np.float32),
        }
        for (name, error), values in zip(errors.items(), found.T, strict=True)
    ]
