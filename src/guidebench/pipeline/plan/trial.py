"""Before the first job: own methods and classifiers tried, a GPU looked for."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path

from guidebench.base.choices import classes, side
from guidebench.pipeline.errors import UserError
from guidebench.pipeline.experiment.allowed_names import Mistake
from guidebench.pipeline.experiment.config import ARCHITECTURES, Config, CustomData, Dataset
from guidebench.pipeline.experiment.reading import load
from guidebench.pipeline.experiment.sections import Classifier
from guidebench.pipeline.jobs import agreement, demands, freshness, parallel
from guidebench.pipeline.jobs.cost_model import shape
from guidebench.pipeline.jobs.layout import Layout
from guidebench.pipeline.jobs.stages import STAGES
from guidebench.pipeline.plan import own_methods


def ready(path: str, settings: list[str], results: Path) -> Config:
    """The experiment, when all that it needs is there; UserError with a line for what is not."""
    config = load(path, settings)
    demands.check(config, path, results)
    check(config, path)
    return config


def gpu(config: Config, path: str, layout: Layout) -> None:
    """UserError where a network is to run on a GPU of this machine and torch has none."""
    wanted = config.device == "cuda" or (config.device == "auto" and parallel.gpus_to_use())
    if wanted and any(STAGES[job.stage].network for job in freshness.stale(config, layout)):
        try:
            parallel.on_gpu(config.device)
        except UserError as error:
            raise UserError(f"{path}: {error}") from None


def check(config: Config, path: str) -> None:
    """UserError with a line for each method that cannot be imported or does not take the images.

    torch is imported only for a config that names a method of the user's own, a classifier of
    torchvision, a checkpoint, or batches of one image.
    """
    found = [*own_methods.mistakes(config), *_classifiers(config), *_checkpoints(config)]
    if found:
        raise UserError(
            "\n".join(
                f"{path}: {key}: found {value}, allowed: {allowed}" for key, value, allowed in found
            )
        )


def _checkpoints(config: Config) -> Iterator[Mistake]:
    """Denoisers of somebody else that are not what the config says."""
    for name, dataset in config.datasets.items():
        if dataset.denoiser.checkpoint:
            from guidebench.diffusion.schedules import build

            betas = build(dataset.schedule).discrete_betas().tolist()
            channels = None if isinstance(dataset.data, CustomData) else shape(dataset)[0]
            for key, found, allowed in agreement.mistakes(dataset, channels, betas):
                yield f"datasets.{name}.{key}", found, allowed


def _classifiers(config: Config) -> Iterator[Mistake]:
    for name, dataset in config.datasets.items():
        for key, options in dataset.classifiers.items():
            path = f"datasets.{name}.classifiers.{key}"
            if ":" in options.architecture and own_methods.imported(options.architecture):
                continue  # said already
            if options.architecture not in ARCHITECTURES or options.batch_size == 1:
                yield from _tried(path, options, dataset)


def _tried(path: str, options: Classifier, dataset: Dataset) -> Iterator[Mistake]:
    outputs, size = len(classes(dataset.data)), side(dataset.data)
    if said := _refusal(options.architecture, outputs, options.hidden, size, 2):
        allowed = f"one that takes images of {size} x {size} ({said})"
        yield f"{path}.architecture", options.architecture, allowed
    elif options.batch_size == 1 and (
        said := _refusal(options.architecture, outputs, options.hidden, size, 1)
    ):
        yield f"{path}.batch_size", 1, f"at least 2 for {options.architecture} ({said})"


@cache
def _refusal(architecture: str, outputs: int, hidden: int, size: int, batch: int) -> str | None:
    """Why a classifier in training does not take images [batch, 3, size, size]; None: it does."""
    import torch

    from guidebench.models import classifier

    said = None
    # without numbers at first, which takes no time; a network may need them for its shapes
    for device in ("meta", "cpu"):
        try:
            with torch.device(device), torch.no_grad():
                network = classifier.Classifier(architecture, outputs, hidden).train()
                network(torch.zeros(batch, 3, size, size))
                return None
        except Exception as error:  # whatever a network says
            said = own_methods.words(error)
    return said
