"""Guided sampling of one cell: every image depends on its own seed only."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from guidebench.base.plugins import made
from guidebench.base.seeds import normal
from guidebench.data.store import to_uint8
from guidebench.diffusion.samplers import SAMPLERS, Prediction, own_options
from guidebench.diffusion.schedule import Schedule
from guidebench.diffusion.time_grid import times
from guidebench.guidance.gradients import ClassifierGradient, GuidingClassifier
from guidebench.guidance.guides import ClassifierFree, ClassifierGuided, Strength, Unguided
from guidebench.guidance.networks import Networks
from guidebench.guidance.own import Denoise, Own, TargetClassifier
from guidebench.guidance.stabilizers import build
from guidebench.models.denoiser import Denoiser
from guidebench.pipeline.recording import Methods

# before the last step x_t is nearly an image in [-1, 1]: a larger root mean square never came back
LARGEST_RMS = 1.5
SATURATED = 0.995
FRAMES = 12


class Samples(NamedTuple):
    """uint8 images [N, C, H, W], diverged [N] bool, and seconds of each micro-batch.

    `film`: x_t and x0_pred of the first K images on their way, uint8 [K, F, 2, C, H, W].
    """

    images: np.ndarray
    diverged: np.ndarray
    seconds: list[float]
    film: np.ndarray


class Asked(NamedTuple):
    """What a guide is built from: one cell of the config, with its networks."""

    setup: dict[str, Any]
    scale: float | None
    networks: Networks
    options: dict[str, Any]
    classifier: GuidingClassifier | None

    def settings(self, conditional: bool) -> tuple[Any, ...]:
        """The arguments of `Unguided`; a conditional network has its labels bound."""
        networks, options = self.networks, self.options
        network = networks.conditional if conditional else networks.unconditional
        return (
            network,
            networks.denoiser.prediction,
            networks.schedule,
            options["clip"],
            options["recompute_eps"],
        )

    @property
    def clip_gradient(self) -> str | None:
        """The gradient of x0_pred's clip where it saturates; None without a clip."""
        return self.options["clip_gradient"] if self.options["clip"] else None

    def scaled(self) -> Callable[[Any], float]:
        """The guidance scale at t."""
        assert self.scale is not None
        scale, setup = self.scale, self.setup
        strength = Strength(self.networks.schedule, setup["interval"], setup["ramp"])
        return lambda t: scale * strength(t)


def unguided(asked: Asked) -> Unguided:
    """The denoiser alone."""
    return Unguided(*asked.settings(asked.setup["conditional"]))


def classifier_free(asked: Asked) -> ClassifierFree:
    """Classifier-free guidance, with the scale as its weight w."""
    return ClassifierFree(asked.networks.both, asked.scaled(), *asked.settings(True))


def classifier_guided(asked: Asked) -> ClassifierGuided:
    """Classifier guidance, stabilised."""
    setup, options, networks = asked.setup, asked.options, asked.networks
    plain = unguided(asked)
    assert asked.classifier is not None
    assert networks.target is not None
    evaluate = ClassifierGradient(
        plain.network,
        plain.prediction,
        networks.schedule,
        asked.classifier,
        setup["input"],
        asked.clip_gradient,
        setup["temperature"],
        setup["hold"],
    )
    stabilize = build(setup["stabilizer"], networks.schedule.timesteps, options["steps"])
    return ClassifierGuided(
        evaluate, networks.target, asked.scaled(), stabilize, setup["injection"], plain
    )


def own(asked: Asked) -> Own:
    """A guide of the user's, made of keyword arguments (README, "Add a method")."""
    name, networks = asked.setup["guidance"], asked.networks
    target, schedule = networks.target, networks.schedule
    assert target is not None
    classifier = None
    if asked.classifier is not None:
        classifier = TargetClassifier(asked.classifier, target, schedule)
    guide = made(
        name,
        denoise=Denoise(networks, asked.clip_gradient),
        classifier=classifier,
        target=target,
        scale=asked.scale,
        schedule=schedule,
        **asked.setup["options"],
    )
    return Own(name, guide, unguided(asked))


GUIDES = Methods(none=unguided, cfg=classifier_free, classifier=classifier_guided)


def build_guide(asked: Asked) -> Any:
    """A fresh guide for one trajectory: stabiliser states start at zero."""
    kind = asked.setup["guidance"]
    return own(asked) if ":" in kind else GUIDES[kind](asked)


class Sampler:
    """Samples cells that share a denoiser, a schedule and start noise."""

    def __init__(
        self,
        denoiser: Denoiser,
        schedule: Schedule,
        options: dict[str, Any],
        shape: tuple[int, int, int],
    ) -> None:
        self.denoiser, self.schedule, self.shape = denoiser, schedule, shape
        self.options = options

    def __call__(
        self,
        setup: dict[str, Any],
        scale: float | None,
        classifier: GuidingClassifier | None,
        seeds: Tensor,
        labels: Tensor,
        trajectories: int = 0,
    ) -> Samples:
        """Sample seeds [N] with class `labels` [N] in micro-batches of fixed size, the last padded.

        `setup` may have `steps` of its own. The way of the first `trajectories` images is kept, at
        most of one micro-batch.
        """
        options = self.options | {"steps": setup["steps"] or self.options["steps"]}
        size = options["micro_batch"]
        images, diverged, seconds = [], [], []
        films: list[np.ndarray] = []
        for part, asked in zip(seeds.split(size), labels.split(size), strict=True):
            started = time.perf_counter()
            padded, target = (
                torch.cat((rows, rows[-1:].expand(size - len(rows)))) for rows in (part, asked)
            )
            networks = Networks(self.denoiser, self.schedule, target)
            kept = 0 if films else min(trajectories, len(part))
            guide = build_guide(Asked(setup, scale, networks, options, classifier))
            x, bad, film = self._trajectory(guide, padded, kept, options)
            images.append(to_uint8(x[: len(part)]))
            diverged.append(bad[: len(part)].cpu().numpy())
            films.append(film)
            seconds.append(time.perf_counter() - started)
        return Samples(np.concatenate(images), np.concatenate(diverged), seconds, films[0])

    def _trajectory(
        self, guide: Any, seeds: Tensor, kept: int, options: dict[str, Any]
    ) -> tuple[Tensor, Tensor, np.ndarray]:
        steps, name = options["steps"], options["sampler"]
        grid = times(name, self.schedule, steps)
        filmed = set(np.linspace(0, steps - 1, min(FRAMES, steps)).round().astype(int))
        bad = torch.zeros(len(seeds), dtype=torch.bool, device=seeds.device)
        film = []

        def watch(step: int, t: Any, x: Tensor, prediction: Prediction) -> None:
            if step in filmed and kept:
                film.append([to_uint8(x[:kept]), to_uint8(prediction.x0[:kept])])
            rms = x.square().mean(dim=(1, 2, 3)).sqrt()
            last = step == steps - 1
            bad.logical_or_(~torch.isfinite(rms) | (last & (rms > LARGEST_RMS)))

        # stream 0 is the start noise, stream k + 1 the noise of step k
        x = normal(seeds, 0, self.shape).contiguous(memory_format=torch.channels_last)
        x = SAMPLERS[name](
            guide,
            x,
            self.schedule,
            grid,
            lambda step: normal(seeds, step + 1, self.shape),
            watch,
            **own_options(name, options),
        )
        saturated = (x.abs() > 1 - 1 / 255).float().mean(dim=(1, 2, 3)) >= SATURATED
        film.append([to_uint8(x[:kept])] * 2)
        bad = bad | saturated | ~torch.isfinite(x).all(dim=(1, 2, 3))
        return x, bad, np.array(film).transpose(2, 0, 1, 3, 4, 5)
