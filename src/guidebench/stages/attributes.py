"""Where the balls of samples lie and how large they are, read by a network trained on true ones."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from guidebench import workload
from guidebench.data.store import Chosen, read, to_float
from guidebench.pipeline.records.artifacts import atomic
from guidebench.stages.stage import Stage
from guidebench.stages.training import write_history
from guidebench.train.regressor import train

FILES = ["attributes.parquet", "history.jsonl"]
NAMES = ("x", "y", "diameter")  # in pixels, the centre from the upper left corner
BATCH = 256
REAL = "real"  # in the place of a setup: held-out images


def true(folder: Path, size: int) -> np.ndarray:
    """What the generator drew of a split's images: [N, 3], in the order of NAMES."""
    centre, scale = (np.load(folder / f"{name}.npy") for name in ("centre", "scale"))
    return np.column_stack((centre, size * scale))


def run(stage: Stage) -> None:
    """Train on the training images, measure the error on held-out ones, read every sample."""
    config, dataset, layout = stage.config, stage.job.dataset, stage.layout
    data, folder = layout.data(dataset), layout.attributes(dataset)
    stage.use("prepare", dataset)
    images, held_out = read(data / "train"), read(data / "validation")
    options, size = stage.options.attributes, images.images.shape[2]
    assert options is not None
    checkpoint = stage.resume()
    model, history = train(
        images,
        true(data / "train", size),
        options,
        stage.seed("attributes"),
        checkpoint,
        stage.events,
        stage.device,
    )

    def seen(shown: np.ndarray | Chosen) -> np.ndarray:
        batches = (shown[start : start + BATCH] for start in range(0, len(shown), BATCH))
        return np.concatenate([model(to_float(one, stage.device)).cpu().numpy() for one in batches])

    found, known = seen(held_out.images), true(data / "validation", size)
    errors = np.sqrt(((found - known) ** 2).mean(axis=0))
    rows = _rows(dataset, REAL, None, found, errors)
    blocks = [block.name for block in workload.evaluated(config, dataset)]
    for block in blocks:
        stage.use("sample", dataset, block=block)
    for cell in workload.cells(config, dataset):
        parts = []
        for block in blocks:
            with np.load(layout.samples(dataset) / cell.path / f"{block}.npz") as file:
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
    dataset: str, setup: str, scale: float | None, found: np.ndarray, errors: np.ndarray
) -> list[dict[str, Any]]:
    """A row of the table `attributes` for each number of images [N, 3]; NaN where they diverged."""
    return [
        {
            "dataset": dataset,
            "setup": setup,
            "scale": np.nan if scale is None else scale,
            "attribute": name,
            "error": float(error),
            "values": values.astype(np.float32),
        }
        for name, values, error in zip(NAMES, found.T, errors, strict=True)
    ]
