"""Before the first job: own methods imported, classifiers tried, a GPU looked for."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from guidebench.base.choices import classes, side
from guidebench.pipeline.errors import UserError
from guidebench.pipeline.experiment.allowed_names import Mistake
from guidebench.pipeline.experiment.config import ARCHITECTURES, Config, Dataset
from guidebench.pipeline.experiment.reading import load
from guidebench.pipeline.experiment.sections import Classifier
from guidebench.pipeline.jobs import demands, freshness, parallel
from guidebench.pipeline.jobs.layout import Layout
from guidebench.pipeline.jobs.stages import STAGES


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
    torchvision, or batches of one image.
    """
    found = [*_own(config), *_classifiers(config)]
    if found:
        raise UserError(
            "\n".join(
                f"{path}: {key}: found {value}, allowed: {allowed}" for key, value, allowed in found
            )
        )


def _own(config: Config) -> Iterator[Mistake]:
    """What `module:attribute` names, imported as the jobs will."""
    named: dict[str, str] = {}
    for name, dataset in config.datasets.items():
        key = f"datasets.{name}"
        named[f"{key}.data.source"] = dataset.data.source
        named |= {
            f"{key}.classifiers.{c}.architecture": one.architecture
            for c, one in dataset.classifiers.items()
        }
        named |= {
            f"{key}.sensitivity.stabilizers.{s}.name": one.name
            for s, one in dataset.sensitivity.stabilizers.items()
        }
    setups = {f"datasets.{name}": dataset.setups for name, dataset in config.datasets.items()}
    setups |= {f"worlds.{name}": world.setups for name, world in config.worlds.items()}
    for key, section in setups.items():
        for s, setup in section.items():
            named[f"{key}.setups.{s}.guidance"] = setup.guidance
            named[f"{key}.setups.{s}.stabilizer.name"] = setup.stabilizer.name
    for key, value in named.items():
        if ":" in value and (said := _imported(value)):
            yield key, value, f"a module that can be imported ({said})"


@cache
def _imported(name: str) -> str | None:
    module, _, attribute = name.partition(":")
    try:
        getattr(importlib.import_module(module), attribute)
    except (Exception, SystemExit) as error:  # the user's own code runs here
        return _words(error)
    return None


def _classifiers(config: Config) -> Iterator[Mistake]:
    for name, dataset in config.datasets.items():
        for key, options in dataset.classifiers.items():
            path = f"datasets.{name}.classifiers.{key}"
            if ":" in options.architecture and _imported(options.architecture):
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
            said = _words(error)
    return said


def _words(error: BaseException) -> str:
    """An error in one line."""
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
