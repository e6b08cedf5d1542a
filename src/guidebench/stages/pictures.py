"""The images of a data set that the report shows."""

from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from guidebench import workload
from guidebench.base.cells import Cell
from guidebench.base.choices import classes, target_name
from guidebench.base.seeds import normal
from guidebench.data.store import read, to_float, to_uint8
from guidebench.diffusion.schedules import build
from guidebench.models.denoiser import Denoiser
from guidebench.models.time_embedding import time_embedding
from guidebench.pipeline.errors import UserError
from guidebench.pipeline.experiment.config import Config, Dataset
from guidebench.pipeline.experiment.sections import Discrete
from guidebench.pipeline.jobs.layout import Layout
from guidebench.report.columns import columns
from guidebench.report.paper import GENERATIONS
from guidebench.stages.stage import Stage

SHOWN = 24
PICTURE = 128  # longer side in pixels of a picture of the user's (the DDPM notebook's)
EMBEDDED = 200  # times whose embedding is drawn


def shown(config: Config, dataset: str) -> list[str]:
    """The seed blocks whose images are shown: the first of the evaluation, and the sheets'."""
    blocks = workload.blocks(config, dataset)
    pictured = [block.name for block in blocks if block.split == workload.PICTURES]
    return generated(config, dataset) + pictured


def generated(config: Config, dataset: str) -> list[str]:
    """The seed blocks of the first GENERATIONS evaluation seeds, or of as many as there are."""
    return [
        block.name
        for block in workload.blocks(config, dataset)
        if block.split == "evaluation" and block.start < GENERATIONS
    ]


def strip(options: Dataset, image: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """An image uint8 [1, C, H, W] at the strip's times: (uint8 [K, C, H, W], t [K])."""
    schedule = build(options.schedule)
    full = schedule.grid(schedule.timesteps)[::-1]
    places = np.linspace(1, schedule.timesteps, 8).round().astype(int)
    # an integer of a continuous process is t = 0 or 1
    times = options.strip or [full[i] for i in places]
    if isinstance(options.schedule, Discrete):
        times = [int(t) for t in times]
    channels, height, width = image.shape[1:]
    noise = normal(torch.tensor([seed]), 0, (channels, height, width))
    noisy = [to_uint8(schedule.diffuse(to_float(image), noise, t)) for t in times]
    return np.concatenate(noisy), np.array(times)


def opened(path: Path) -> np.ndarray:
    """A picture file as uint8 [1, 3, H, W], its longer side PICTURE; UserError for another file."""
    from PIL import Image, ImageOps

    try:
        with Image.open(path) as file:
            upright = ImageOps.exif_transpose(file).convert("RGB")
        fitted = ImageOps.contain(upright, (PICTURE, PICTURE))
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        raise UserError(f"{path}: found no picture ({error}), allowed: png, jpeg, ...") from error
    return np.asarray(fitted).transpose(2, 0, 1)[None]


def embedding(stage: Stage, dataset: str) -> dict[str, np.ndarray]:
    """The denoiser's own embedding [K, D] of K times over the process, and what it receives [K]."""
    schedule = build(stage.config.datasets[dataset].schedule)
    denoiser = Denoiser(stage.layout.denoiser(dataset), torch.device("cpu"))
    full = schedule.grid(schedule.timesteps)[-2::-1]
    places = np.linspace(0, len(full) - 1, min(EMBEDDED, len(full))).round().astype(int)
    received = schedule.network_time(torch.tensor(full, dtype=torch.float64)[places])
    embedded = time_embedding(denoiser.model, received.float())
    return {"embedding": embedded.numpy(), "embedding_t": received.numpy()}


def of_data(config: Config, layout: Layout, dataset: str) -> dict[str, np.ndarray]:
    """What is drawn of a prepared data set: images uint8 of it, and the forward process."""
    data = read(layout.data(dataset) / "train")
    options = config.datasets[dataset]
    noisy, times = strip(options, data.images[:1], config.seed)
    arrays = {"real": data.images[:64], "forward": noisy, "forward_t": times}
    if options.target is not None and not workload.each(options):
        target = classes(options.data).index(target_name(options))
        arrays["target"] = data.images[np.flatnonzero(data.labels == target)[:16]]
    return arrays


def pictures(stage: Stage, dataset: str, beside: Sequence[Cell]) -> dict[str, np.ndarray]:
    """What is drawn: images uint8 of data, forward process, samples, films, and the embedding.

    `beside`: unguided, and the cells that are shown beside it with more of their samples. `judged`
    is the judge's class of each of the first's.
    """
    config, layout = stage.config, stage.layout
    arrays = of_data(config, layout, dataset) | embedding(stage, dataset)
    blocks = workload.blocks(config, dataset)
    first = shown(config, dataset)[0]
    for cell in workload.cells(config, dataset):
        with np.load(layout.samples(dataset) / cell.path / f"{first}.npz") as file:
            arrays[f"sample:{cell.key}"] = file["images"][:SHOWN]
            arrays[f"film:{cell.key}"] = file["film"]
        sheet = [
            np.load(layout.samples(dataset) / cell.path / f"{block.name}.npz")["images"]
            for block in blocks
            if block.split == workload.PICTURES and cell in workload.sampled(config, dataset, block)
        ]
        if sheet:
            arrays[f"grid:{cell.key}"] = np.concatenate(sheet)
    names = generated(config, dataset)
    files = {name: stage.use("sample", dataset, block=name, names=[]) for name in names}
    for cell in beside:
        # a cell that dropped out has fewer
        own = [name for name in names if f"{cell.path}/{name}.npz" in files[name]]
        images = _parts(layout.samples(dataset), cell, own, "images")
        arrays[f"first:{cell.key}"] = np.concatenate(images)[:GENERATIONS]
        if cell.scale is None and cell == beside[0]:
            arrays["judged"] = _judged(layout.features(dataset), cell, names)
    return arrays


def _parts(folder: Path, cell: Cell, names: Sequence[str], key: str) -> list[np.ndarray]:
    """An array of a cell in each of these seed blocks; none where a block has no such array."""
    parts = []
    for name in names:
        with np.load(folder / cell.path / f"{name}.npz") as file:
            parts += [file[key]] if key in file else []
    return parts


def _judged(features: Path, unguided: Cell, names: Sequence[str]) -> np.ndarray:
    """The class [N] that the judge sees in each of the first unguided samples.

    -1 in a diverged one, and where its logits are not finite; of all where there is no judge.
    """
    diverged = np.concatenate(_parts(features, unguided, names, "diverged"))
    predicted = _parts(features, unguided, names, "predicted:judge")
    judged = np.concatenate(predicted) if predicted else np.full(len(diverged), -1)
    return np.where(diverged, -1, judged)[:GENERATIONS]


def pixels(config: Config, dataset: str, arrays: dict[str, np.ndarray]) -> pd.DataFrame:
    """A row of the table `pixels` for every pair of cells: how much their shown samples differ.

    Mean absolute difference in [0, 255] over pixels and images of the same seeds.
    """
    samples = {cell: arrays[f"sample:{cell.key}"] for cell in workload.cells(config, dataset)}
    rows = []
    for (cell, images), (other, others) in combinations(samples.items(), 2):
        difference = np.maximum(images, others) - np.minimum(images, others)  # uint8 has no signs
        scales = [np.nan if c.scale is None else c.scale for c in (cell, other)]
        rows.append(
            [dataset, cell.setup, scales[0], other.setup, scales[1], float(difference.mean())]
        )
    return pd.DataFrame(rows, columns=list(columns("pixels")))
