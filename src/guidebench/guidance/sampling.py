"""Guided sampling of one cell: every image depends on its own seed only."""

from __future__ import annotations

import time
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from guidebench.data.store import to_uint8
from guidebench.diffusion.samplers import OPTIONS, SAMPLERS, Prediction
from guidebench.diffusion.schedule import Schedule
from guidebench.guidance.gradients import ClassifierGradient, GuidingClassifier
from guidebench.guidance.guides import ClassifierFree, ClassifierGuided, Strength, Unguided
from guidebench.guidance.networks import Networks
from guidebench.guidance.stabilizers import build
from guidebench.models.denoiser import Denoiser
from guidebench.plugins import made
from guidebench.seeds import normal

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


def build_guide(
    setup: dict[str, Any],
    scale: float | None,
    networks: Networks,
    options: dict[str, Any],
    classifier: GuidingClassifier | None,
) -> Any:
    """A fresh guide for one trajectory: stabiliser states start at zero."""
    schedule, target, kind = networks.schedule, networks.target, setup["guidance"]
    prediction = networks.denoiser.prediction
    conditional = setup["conditional"] or kind == "cfg"
    network = networks.conditional if conditional else networks.unconditional
    settings = (network, prediction, schedule, options["clip"], options["recompute_eps"])
    unguided = Unguided(*settings)
    if kind == "none":
        return unguided
    assert scale is not None
    if ":" in kind:
        return made(
            kind, denoise=unguided, classifier=classifier, target=target, scale=scale,
            schedule=schedule, **setup["options"],
        )  # fmt: skip
    strength = Strength(schedule, setup["interval"], setup["ramp"])

    def scaled(t: Any) -> float:
        return scale * strength(t)

    if kind == "cfg":
        return ClassifierFree(networks.both, scaled, *settings)
    assert classifier is not None
    assert target is not None
    evaluate = ClassifierGradient(
        network, prediction, schedule, classifier, setup["input"],
        options["clip_gradient"] if options["clip"] else None,
        setup["temperature"], setup["hold"],
    )  # fmt: skip
    stabilize = build(setup["stabilizer"], schedule.timesteps, options["steps"])
    return ClassifierGuided(evaluate, target, scaled, stabilize, setup["injection"], unguided)


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
            guide = build_guide(setup, scale, networks, options, classifier)
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
        grid = self.schedule.grid(steps)
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
            **{key: options[key] for key in OPTIONS.get(name, [])},
        )
        saturated = (x.abs() > 1 - 1 / 255).float().mean(dim=(1, 2, 3)) >= SATURATED
        film.append([to_uint8(x[:kept])] * 2)
        bad = bad | saturated | ~torch.isfinite(x).all(dim=(1, 2, 3))
        return x, bad, np.array(film).transpose(2, 0, 1, 3, 4, 5)
