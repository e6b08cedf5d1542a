"""Seconds per unit of work: assumed from the size of a network, or stated in images a second."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any, NamedTuple

from guidebench import workload
from guidebench.base import published
from guidebench.base.choices import sampler, side
from guidebench.pipeline.errors import UserError
from guidebench.pipeline.experiment.config import Config, Dataset
from guidebench.pipeline.experiment.sections import Classifier, CustomData, Denoiser, IdxData, Setup
from guidebench.pipeline.records.artifacts import read_json

# one image, one forward pass of a 16-channel network at 32 x 32 on one core of 2024
FORWARD_SECONDS = 0.0015
STARTUP_SECONDS = 1.5
# of a world's points, all at once: one sampling step, and their distances from the truth
WORLD_STEP, WORLD_SCORE = 0.004, 0.05
# in forward passes, measured: an image in a training step, and in a step guided on x0_pred
TRAINING, THROUGH_DENOISER = 3.0, 2.8
# a forward pass and one back to the image: a step of an attack
ATTACK = 2.0
AGAIN = 0.7  # more of them with gradient checkpointing
KEPT = 120  # float32 maps of the first level's size that a gradient through the denoiser keeps


class Rates(NamedTuple):
    """Seconds per unit of work of one data set or world on one worker."""

    startup: float  # of a job: a fork, and imports of our own modules
    prepared: float  # one image drawn or read
    denoiser_step: float  # one training iteration
    classifier_step: Mapping[str, float]  # one training iteration, by classifier
    sampled: Mapping[str, float]  # one image, one evaluation in sampling, by `kind` of the setup
    featured: float  # one image through all classifiers
    world_cell: float = 0.0  # one setup at one scale by all samplers of a world


def kind(setup: Setup) -> str:
    """What decides the cost of a setup's step: `none`, `cfg`, `classifier:clean:x0`."""
    if setup.guidance in ("none", "cfg"):
        return setup.guidance
    return f"{setup.guidance}:{setup.classifier}:{setup.input}"


def kinds(config: Config, dataset: str) -> dict[str, Setup]:
    """A setup of every kind that sampling and sensitivity analysis need."""
    options = config.datasets[dataset]
    found = {"none": Setup()} | {kind(setup): setup for setup in options.setups.values()}
    for name in workload.guides(config, dataset):
        plain = Setup(guidance="classifier", classifier=name, injection="score")
        found.setdefault(kind(plain), plain)
        if not options.classifiers[name].noise_trained:
            through = plain.model_copy(update={"input": "x0"})
            found.setdefault(kind(through), through)
    return found


def shape(options: Dataset) -> tuple[int, int, int]:
    """[C, H, W] of a data set's images; a user's own has a checkpoint's channels, or colours."""
    size, channels = side(options.data), 1 if isinstance(options.data, IdxData) else 3
    if isinstance(options.data, CustomData):
        told = _published(options.denoiser).get("in_channels")
        channels = told if isinstance(told, int) else channels
    return channels, size, size


def assumed(config: Config, name: str, images_per_second: float | None = None) -> Rates:
    """Rates without a probe, from the size of the network or from images per second.

    `images_per_second`: denoiser evaluations (one image, one forward pass) on the target.
    """
    if name in config.worlds:
        samplers = config.worlds[name].samplers.values()
        asked = [sampler(one.sampler).calls(one.steps) for one in samplers]
        cell = sum(WORLD_STEP * evaluations + WORLD_SCORE for evaluations in asked)
        return Rates(STARTUP_SECONDS, 0, 0, {}, {}, 0, cell)
    options = config.datasets[name]
    area = (side(options.data) / 32) ** 2
    width, patch = _first_level(options.denoiser)
    forward = FORWARD_SECONDS * area / patch**2 * (width / 16) ** 1.5
    # a classifier of ours costs about what the smallest denoiser does
    small = FORWARD_SECONDS * area / 3
    if images_per_second:
        forward, small = 1 / images_per_second, 0.1 / images_per_second
    costs = {"none": forward, "cfg": 2 * forward}
    through = THROUGH_DENOISER + AGAIN * options.sampling.gradient_checkpointing
    for key in kinds(config, name):
        if key.endswith(":x0"):
            costs[key] = through * forward
        elif key not in costs:
            costs[key] = forward + TRAINING * small
    step = TRAINING * options.denoiser.batch_size * forward / options.denoiser.gpus
    classifiers = {
        key: value.batch_size * small * (TRAINING + ATTACK * _attacked(value))
        for key, value in options.classifiers.items()
    }
    featured = small * len(options.classifiers)
    return Rates(STARTUP_SECONDS, 0.001, step, classifiers, costs, featured)


def _attacked(classifier: Classifier) -> int:
    """Steps of the attack on each image of a training."""
    return classifier.adversarial.iterations if classifier.adversarial else 0


def kept(options: Dataset) -> float:
    """About as many bytes as a step of the training, or one guided on x0_pred, keeps at once."""
    denoiser = options.denoiser
    rows = options.sampling.micro_batch
    if denoiser.checkpoint is None:
        rows = max(rows, denoiser.batch_size // denoiser.gpus)
    width, patch = _first_level(denoiser)
    return 4.0 * KEPT * rows * (side(options.data) / patch) ** 2 * width


def _first_level(denoiser: Denoiser) -> tuple[int, int]:
    """Channels of the first level, and its patches' side; a checkpoint's, if its files say so."""
    with suppress(LookupError, TypeError):
        content = _published(denoiser)
        return int(content["block_out_channels"][0]), int(content.get("patch", 1))
    return denoiser.channels[0], denoiser.patch


def _published(denoiser: Denoiser) -> dict[str, Any]:
    """What a checkpoint's files say of its network; nothing without one, or where they cannot."""
    if denoiser.checkpoint:
        with suppress(UserError):
            content: Any = read_json(published.files(denoiser).config)
            return content if isinstance(content, dict) else {}
    return {}


def stated(config: Config, speeds: list[str]) -> dict[str, Rates]:
    """Rates from `R` or `data=R` images per second; UserError when one is no positive number."""
    given: dict[str, float] = {}
    for text in speeds:
        name, _, number = text.rpartition("=")
        try:
            given[name] = float(number)
            wrong = not given[name] > 0 or name not in ("", *config.datasets)
        except ValueError:
            wrong = True
        if wrong:
            known = ", ".join(config.datasets)
            raise UserError(
                f"--images-per-second: found {text}, allowed: a number above 0, or "
                f"NAME=NUMBER with a data set ({known})"
            )
    return {
        name: assumed(config, name, given.get(name, given.get("")))
        for name in [*config.datasets, *config.worlds]
    }
