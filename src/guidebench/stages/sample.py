"""Sample the cells (setup x scale) that are missing for one seed block."""

from __future__ import annotations

import logging
import os
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from guidebench import workload
from guidebench.data.store import read
from guidebench.guidance.sampling import Sampler, Samples
from guidebench.models import classifier as classifiers
from guidebench.models.classifier import Classifier
from guidebench.pipeline import recording
from guidebench.pipeline.jobs import slices
from guidebench.pipeline.jobs.execution import peak_memory, reset_peak_memory
from guidebench.pipeline.jobs.finalists import dropped
from guidebench.pipeline.records.artifacts import atomic, digest_of
from guidebench.pipeline.records.finished_cells import remember, standing
from guidebench.stages.stage import Stage

if TYPE_CHECKING:
    from guidebench.pipeline.experiment.sections import Setup

log = logging.getLogger(__name__)


class _Models:
    """The networks of a data set, loaded when a cell needs them, each with what ran to load it."""

    def __init__(self, stage: Stage, setups: list[Setup]) -> None:
        self.stage, self.setups = stage, setups
        self.guides: dict[str, tuple[Classifier, set[str]]] = {}

    @cached_property
    def sampler(self) -> Sampler:
        """The sampler of all cells."""
        stage, dataset = self.stage, self.stage.job.dataset
        sampling = stage.options.sampling
        folder = stage.layout.denoiser(dataset)
        _, channels, height, width = read(stage.layout.data(dataset) / "train").images.shape
        shape = channels, height, width
        return Sampler.opened(folder, stage.device, stage.schedule(), sampling, shape, self.setups)

    def guide(self, name: str | None) -> tuple[Classifier | None, set[str]]:
        """A guiding classifier, and the functions that loaded it; nothing without a name."""
        if name is None:
            return None, set()
        if name not in self.guides:
            with recording.apart() as ran:
                folder = self.stage.layout.classifier(self.stage.job.dataset, name)
                classifier = classifiers.load(folder, self.stage.device)
            self.guides[name] = (classifier, ran)
        return self.guides[name]


def run(stage: Stage) -> None:
    """Each finished cell is a file of its own with its sidecar: a killed job loses none."""
    config, dataset, layout = stage.config, stage.job.dataset, stage.layout
    folder, block = layout.samples(dataset), workload.block(config, dataset, stage.job.block)
    inputs = {"denoiser": digest_of(stage.use("train_denoiser", dataset))}
    stage.use("prepare", dataset)
    for name in workload.used_guides(config, dataset):
        inputs[name] = digest_of(stage.use("train_classifier", dataset, name))
    seeds = workload.image_seeds(config, dataset, block)
    labels = workload.labels(config, dataset, block)
    cells = workload.sampled(config, dataset, block)
    if workload.finals(config, dataset, block.name):
        stage.use("finalists", dataset)
        out = dropped(layout.finalists(dataset))
        cells = [cell for cell in cells if cell not in out]
    models = _Models(stage, [stage.options.setups[name] for name in {one.setup for one in cells}])
    for done, cell in enumerate(cells):
        setup = stage.options.setups[cell.setup]
        path = folder / cell.path / f"{block.name}.npz"
        key = slices.cell_key(config, dataset, cell, block, inputs)
        names = standing(path, key, layout.root)
        if names is None:
            # what all cells share is loaded, and recorded, outside of `apart`
            sampler, (classifier, loading) = models.sampler, models.guide(setup.classifier)
            steps = workload.steps(config, dataset, cell, block)
            reset_peak_memory()
            denoiser = sampler.denoiser
            before = denoiser.rows, denoiser.backward_rows
            with recording.apart() as own:
                samples = sampler(
                    setup,
                    cell.scale,
                    classifier,
                    torch.tensor(seeds, device=stage.device),
                    torch.tensor(labels, device=stage.device),
                    workload.trajectories(config, dataset, block),
                    steps=steps,
                )
                _save(path, samples, seeds, labels)
            size = stage.options.sampling.micro_batch
            rows = len(samples.seconds) * size
            cost = {
                "seconds": [value / size for value in samples.seconds],
                "evaluations": (denoiser.rows - before[0]) / rows,
                "backward_passes": (denoiser.backward_rows - before[1]) / rows,
                "peak_memory_mib": peak_memory(),
                "load": os.getloadavg()[0],
            }
            names = recording.ran | loading | own
            remember(path, key, layout.root, names, cost)
            log.info("%s %s: sampled %d images", block.name, cell.path, block.count)
            stage.events.metric(done + 1, **{f"seconds/{cell.path}": sum(samples.seconds)})
        stage.carried |= names
        stage.events.progress(done + 1, len(cells))
    stage.finish([f"{cell.path}/{block.name}.npz" for cell in cells])


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
