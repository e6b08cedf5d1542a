"""Sample the cells (setup x scale) that are missing for one block of seeds."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import torch

from guidebench import grid, specs
from guidebench.artifacts import atomic, digest_of, write_json
from guidebench.data.store import read
from guidebench.guidance.sampling import Sampler, Samples
from guidebench.models import classifier as classifiers
from guidebench.models.denoiser import Denoiser
from guidebench.stages.cache import fresh, remember
from guidebench.stages.stage import Stage, peak_memory, reset_peak_memory

log = logging.getLogger(__name__)


def run(stage: Stage) -> None:
    """Each finished cell is a file of its own with its key beside it: a killed job loses none."""
    config, dataset, layout = stage.config, stage.job.dataset, stage.layout
    folder, block = layout.samples(dataset), grid.block(config, dataset, stage.job.block)
    inputs = {"denoiser": digest_of(stage.use(layout.denoiser(dataset)))}
    stage.use(layout.data(dataset))
    guides = grid.used_guides(config, dataset)
    for name in guides:
        inputs[name] = digest_of(stage.use(layout.classifier(dataset, name)))
    seeds = grid.image_seeds(config, dataset, block)
    labels = grid.labels(config, dataset, block)
    cells = grid.sampled(config, dataset, block)
    shown = (block.split, block.number) == ("evaluation", 0)
    sampler = None
    for done, cell in enumerate(cells):
        setup = specs.cell_spec(config, dataset, cell, block)["setup"]
        path = folder / cell.path / f"{block.name}.npz"
        key = specs.cell_key(config, dataset, cell, block, inputs, stage.code)
        if not fresh(path, key):
            if sampler is None:
                sampler, loaded = _load(stage, guides)
            reset_peak_memory()
            before = sampler.denoiser.rows
            samples = sampler(
                setup,
                cell.scale,
                loaded.get(setup["classifier"]),
                torch.tensor(seeds, device=stage.device),
                torch.tensor(labels, device=stage.device),
                stage.options.sampling.trajectories if shown else 0,
            )
            _save(path, samples, seeds, labels)
            size = stage.options.sampling.micro_batch
            rows = len(samples.seconds) * size
            write_json(path.with_suffix(".cost.json"), {
                "seconds": [value / size for value in samples.seconds],
                "evaluations": (sampler.denoiser.rows - before) / rows,
                "peak_memory_mib": peak_memory(),
            })  # fmt: skip
            remember(path, key)
            log.info("%s %s: sampled %d images", block.name, cell.path, block.count)
            stage.events.metric(done + 1, **{f"seconds/{cell.path}": sum(samples.seconds)})
        stage.events.progress(done + 1, len(cells))
    names = [f"{cell.path}/{block.name}.npz" for cell in cells]
    stage.finish(folder, names, layout.block_manifest(folder, block.name))


def _load(stage: Stage, guides: list[str]) -> tuple[Sampler, dict[str, Any]]:
    layout, dataset = stage.layout, stage.job.dataset
    denoiser = Denoiser(layout.denoiser(dataset), stage.device)
    shape = tuple(read(layout.data(dataset) / "train").images.shape[1:])
    options = stage.dump["sampling"]
    sampler = Sampler(denoiser, stage.schedule(), options, shape)  # type: ignore[arg-type]
    return sampler, {
        name: classifiers.load(layout.classifier(dataset, name), stage.device) for name in guides
    }


def _save(path: Path, samples: Samples, seeds: list[int], labels: list[int]) -> None:
    with atomic(path) as temporary, open(temporary, "wb") as file:
        np.savez(
            file,
            images=samples.images,
            diverged=samples.diverged,
            seeds=np.array(seeds),
            labels=np.array(labels),
            film=samples.film,
        )
