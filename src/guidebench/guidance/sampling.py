"""Guided sampling of one cell: every image depends on its own seed only."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from guidebench.base.seeds import normal
from guidebench.data.store import to_uint8
from guidebench.diffusion.by_name import sampler_of
from guidebench.diffusion.samplers import Predict, Prediction, own_options
from guidebench.diffusion.schedule import Schedule
from guidebench.diffusion.time_grid import times
from guidebench.guidance.built import GuidedCell, build_guide, clip_gradient
from guidebench.guidance.gradients import GuidingClassifier
from guidebench.guidance.networks import BoundDenoiser
from guidebench.guidance.stabilizers import build
from guidebench.models.denoiser import Denoiser
from guidebench.models.precision import products

if TYPE_CHECKING:
    from guidebench.pipeline.experiment import sections

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
        schedule: Schedule,
        sampling: sections.Sampling,
        shape: tuple[int, int, int],
    ) -> None:
        self.denoiser, self.schedule, self.shape = denoiser, schedule, shape
        self.sampling = sampling

    @classmethod
    def opened(
        cls,
        folder: Path,
        device: torch.device,
        schedule: Schedule,
        sampling: sections.Sampling,
        shape: tuple[int, int, int],
    ) -> Sampler:
        """With the denoiser in `folder`, run as `sampling` says."""
        denoiser = Denoiser(
            folder,
            device,
            sampling.gradient_checkpointing,
            sampling.precision,
            sampling.compile,
        )
        return cls(denoiser, schedule, sampling, shape)

    def __call__(
        self,
        setup: sections.Setup,
        scale: float | None,
        classifier: GuidingClassifier | None,
        seeds: Tensor,
        labels: Tensor,
        trajectories: int = 0,
        *,
        steps: int | None = None,
    ) -> Samples:
        """Sample seeds [N] with class `labels` [N] in micro-batches of fixed size, the last padded.

        `steps`: None for the setup's own, or the sampler's. The way of the first `trajectories`
        images is kept, at most of one micro-batch.
        """
        steps = steps or setup.steps or self.sampling.steps
        clip = clip_gradient(self.sampling, setup), self.sampling.recompute_eps
        carried = None
        if "carried_state" in setup.paper_compat:
            carried = build(setup.stabilizer, self.schedule.timesteps, steps)
        size = self.sampling.micro_batch
        images, diverged, seconds = [], [], []
        films: list[np.ndarray] = []
        for batch in zip(seeds.split(size), labels.split(size), strict=True):
            started = time.perf_counter()
            count = len(batch[0])
            padded, target = (torch.cat((rows, rows[-1:].expand(size - count))) for rows in batch)
            networks = BoundDenoiser(self.denoiser, self.schedule, target)
            kept = 0 if films else min(trajectories, count)
            cell = GuidedCell(setup, scale, networks, classifier, steps, *clip, carried)
            guide = build_guide(cell)
            with products(self.sampling.precision):
                x, bad, film = self._trajectory(guide, setup.sampler, padded, kept, steps)
            images.append(to_uint8(x[:count]))
            diverged.append(bad[:count].cpu().numpy())
            films.append(film)
            seconds.append(time.perf_counter() - started)
        return Samples(np.concatenate(images), np.concatenate(diverged), seconds, films[0])

    def _trajectory(
        self, guide: Predict, own: str | None, seeds: Tensor, kept: int, steps: int
    ) -> tuple[Tensor, Tensor, np.ndarray]:
        name = own or self.sampling.sampler
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
        x = sampler_of(name)(
            guide,
            x,
            self.schedule,
            grid,
            lambda step: normal(seeds, step + 1, self.shape),
            watch,
            **own_options(name, self.sampling),
        )
        saturated = (x.abs() > 1 - 1 / 255).float().mean(dim=(1, 2, 3)) >= SATURATED
        film.append([to_uint8(x[:kept])] * 2)
        bad = bad | saturated | ~torch.isfinite(x).all(dim=(1, 2, 3))
        return x, bad, np.array(film).transpose(2, 0, 1, 3, 4, 5)
