"""Guided sampling of one cell: every image depends on its own seed only."""

from __future__ import annotations

import time
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from guidebench.data.store import to_uint8
from guidebench.diffusion.samplers import SAMPLERS, Prediction
from guidebench.diffusion.schedules import DDPMLinear
from guidebench.guidance.gradients import ClassifierGradient
from guidebench.guidance.guides import ClassifierFree, ClassifierGuided, Unguided
from guidebench.guidance.stabilizers import build
from guidebench.models.classifier import Classifier
from guidebench.models.denoiser import Denoiser
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


class Sampler:
    """Samples cells that share a denoiser, a schedule and start noise."""

    def __init__(
        self,
        denoiser: Denoiser,
        schedule: DDPMLinear,
        options: dict[str, Any],
        shape: tuple[int, int, int],
        target: int | None,
    ) -> None:
        self.denoiser, self.schedule, self.options = denoiser, schedule, options
        self.shape, self.target = shape, target
        self.grid = schedule.grid(options["steps"])
        steps = options["steps"]
        self.filmed = set(np.linspace(0, steps - 1, min(FRAMES, steps)).round().astype(int))

    def _network(self, x: Tensor, t: int) -> Tensor:
        return self.denoiser(x, t)

    def _both(self, x: Tensor, t: int) -> Tensor:
        """Conditional rows, then rows with the null token (classifier-free guidance)."""
        label = torch.full((len(x),), self.denoiser.null, device=x.device)
        assert self.target is not None
        label[: len(x) // 2] = self.target
        return self.denoiser(x, t, label)

    def guide(
        self, setup: dict[str, Any], scale: float | None, classifier: Classifier | None
    ) -> Any:
        """A fresh guide for one trajectory: stabiliser states start at zero."""
        options, denoiser = self.options, self.denoiser
        settings = (denoiser.prediction, self.schedule, options["clip"], options["recompute_eps"])
        if setup["guidance"] == "none":
            return Unguided(self._network, *settings)
        if setup["guidance"] == "cfg":
            return ClassifierFree(scale or 0.0, self._both, *settings)
        assert classifier is not None
        assert scale is not None
        assert self.target is not None
        evaluate = ClassifierGradient(
            self._network,
            denoiser.prediction,
            self.schedule,
            classifier,
            setup["input"],
            options["clip_gradient"] if options["clip"] else None,
            setup["temperature"],
        )
        stabilize = build(setup["stabilizer"], self.schedule.timesteps, options["steps"])
        return ClassifierGuided(
            evaluate, self.target, scale, stabilize, setup["injection"], options["recompute_eps"]
        )

    def __call__(
        self,
        setup: dict[str, Any],
        scale: float | None,
        classifier: Classifier | None,
        seeds: Tensor,
        trajectories: int = 0,
    ) -> Samples:
        """Sample seeds [N] in micro-batches of fixed size; the last one is padded.

        The way of the first `trajectories` images is kept, at most of one micro-batch.
        """
        size = self.options["micro_batch"]
        images, diverged, seconds = [], [], []
        films: list[np.ndarray] = []
        for part in seeds.split(size):
            started = time.perf_counter()
            padded = torch.cat((part, part[-1:].expand(size - len(part))))
            kept = 0 if films else min(trajectories, len(part))
            x, bad, film = self._trajectory(self.guide(setup, scale, classifier), padded, kept)
            images.append(to_uint8(x[: len(part)]))
            diverged.append(bad[: len(part)].cpu().numpy())
            films.append(film)
            seconds.append(time.perf_counter() - started)
        return Samples(np.concatenate(images), np.concatenate(diverged), seconds, films[0])

    def _trajectory(
        self, guide: Any, seeds: Tensor, kept: int
    ) -> tuple[Tensor, Tensor, np.ndarray]:
        bad = torch.zeros(len(seeds), dtype=torch.bool, device=seeds.device)
        film = []

        def watch(step: int, t: int, x: Tensor, prediction: Prediction) -> None:
            if step in self.filmed and kept:
                film.append([to_uint8(x[:kept]), to_uint8(prediction.x0[:kept])])
            rms = x.square().mean(dim=(1, 2, 3)).sqrt()
            last = step == len(self.grid) - 2
            bad.logical_or_(~torch.isfinite(rms) | (last & (rms > LARGEST_RMS)))

        name = self.options["sampler"]
        extra = {"ancestral": "variance", "ddim": "eta"}[name]
        # stream 0 is the start noise, stream k + 1 the noise of step k
        x = normal(seeds, 0, self.shape).contiguous(memory_format=torch.channels_last)
        x = SAMPLERS[name](
            guide,
            x,
            self.schedule,
            self.grid,
            lambda step: normal(seeds, step + 1, self.shape),
            self.options[extra],
            callback=watch,
        )
        saturated = (x.abs() > 1 - 1 / 255).float().mean(dim=(1, 2, 3)) >= SATURATED
        film.append([to_uint8(x[:kept])] * 2)
        bad = bad | saturated | ~torch.isfinite(x).all(dim=(1, 2, 3))
        return x, bad, np.array(film).transpose(2, 0, 1, 3, 4, 5)
