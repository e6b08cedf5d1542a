"""Guided sampling of one cell: every image depends on its own seed only."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
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
from guidebench.guidance.prefixes import Prefixes
from guidebench.guidance.stabilizers import build
from guidebench.models.denoiser import Denoiser
from guidebench.models.precision import products

if TYPE_CHECKING:
    from guidebench.pipeline.experiment import sections

# before the last step x_t is nearly an image in [-1, 1]: a larger root mean square never came back
LARGEST_RMS = 1.5
SATURATED = 0.995
FRAMES = 12
# steps from one question to the next whether all rows are lost: the answer stalls a GPU
ASKED_EVERY = 8


class Samples(NamedTuple):
    """uint8 images [N, C, H, W], diverged [N] bool, and seconds of each micro-batch.

    A row is black from the step on at which it is not finite: so it does not depend on how far its
    micro-batch was computed, which ends when no row of it is finite.

    `film`: x_t and x0_pred of the first K images on their way, uint8 [K, F, 2, C, H, W].
    """

    images: np.ndarray
    diverged: np.ndarray
    seconds: list[float]
    film: np.ndarray


class Sampler:
    """Samples cells that share a denoiser, a schedule and start noise.

    Cells of `setups` share the steps in which they are not guided yet (`prefixes`).
    """

    def __init__(
        self,
        denoiser: Denoiser,
        schedule: Schedule,
        sampling: sections.Sampling,
        shape: tuple[int, int, int],
        setups: Sequence[sections.Setup] = (),
    ) -> None:
        self.denoiser, self.schedule, self.shape = denoiser, schedule, shape
        self.sampling, self.prefixes = sampling, Prefixes(sampling, setups)

    @classmethod
    def opened(
        cls,
        folder: Path,
        device: torch.device,
        schedule: Schedule,
        sampling: sections.Sampling,
        shape: tuple[int, int, int],
        setups: Sequence[sections.Setup] = (),
    ) -> Sampler:
        """With the denoiser in `folder`, run as `sampling` says."""
        denoiser = Denoiser(
            folder,
            device,
            sampling.gradient_checkpointing,
            sampling.precision,
            sampling.compile,
        )
        return cls(denoiser, schedule, sampling, shape, setups)

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
            with products(self.sampling.precision):
                x, bad, film, spared = self._trajectory(cell, padded, target, kept)
            images.append(to_uint8(x[:count]))
            diverged.append(bad[:count].cpu().numpy())
            films.append(film)
            seconds.append(time.perf_counter() - started + spared)
        return Samples(np.concatenate(images), np.concatenate(diverged), seconds, films[0])

    def _trajectory(
        self, cell: GuidedCell, seeds: Tensor, target: Tensor, kept: int
    ) -> tuple[Tensor, Tensor, np.ndarray, float]:
        name, steps = cell.setup.sampler or self.sampling.sampler, cell.steps
        grid = times(name, self.schedule, steps)
        filmed = set(np.linspace(0, steps - 1, min(FRAMES, steps)).round().astype(int))
        # rows that were not finite at some step; and others that diverged
        lost = torch.zeros(len(seeds), dtype=torch.bool, device=seeds.device)
        bad, over, film = lost.clone(), False, []

        def walk(guide: Predict, x: Tensor, start: int, end: int) -> Tensor:
            def predict(x: Tensor, t: Any, step: int, *, corrector: bool = False) -> Prediction:
                nonlocal over
                step += start
                # a state that is carried on needs all of its gradients
                if step % ASKED_EVERY == 0 and cell.carried is None:
                    over = over or bool(lost.all())
                # the rest is walked without an evaluation: no row of it is looked at
                return Prediction(x, x) if over else guide(x, t, step, corrector=corrector)

            def watch(step: int, t: Any, x: Tensor, prediction: Prediction) -> None:
                step += start
                rms = x.square().mean(dim=(1, 2, 3)).sqrt()
                lost.logical_or_(~torch.isfinite(rms))
                bad.logical_or_((step == steps - 1) & (rms > LARGEST_RMS))
                if step in filmed and kept:
                    film.append([to_uint8(_black(one, lost)[:kept]) for one in (x, prediction.x0)])

            return sampler_of(name)(
                predict,
                x,
                self.schedule,
                grid[start : end + 1],
                # stream 0 is the start noise, stream k + 1 the noise of step k
                lambda step: normal(seeds, start + step + 1, self.shape),
                watch,
                **own_options(name, self.sampling),
            )

        x = normal(seeds, 0, self.shape).contiguous(memory_format=torch.channels_last)
        start, spared = 0, 0.0
        rows = kept, *seeds.tolist(), *target.tolist()
        for end in self.prefixes.ends(cell, grid):
            part = partial(walk, x=x, start=start, end=end)
            x, seconds = self.prefixes.reach(cell, end, rows, part, lost, film)
            start, spared = end, spared + seconds
        x = walk(build_guide(cell), x, start, steps)
        saturated = (x.abs() > 1 - 1 / 255).float().mean(dim=(1, 2, 3)) >= SATURATED
        lost = lost | ~torch.isfinite(x).all(dim=(1, 2, 3))
        x = _black(x, lost)
        film.append([to_uint8(x[:kept])] * 2)
        return x, bad | saturated | lost, np.array(film).transpose(2, 0, 1, 3, 4, 5), spared


def _black(x: Tensor, lost: Tensor) -> Tensor:
    return torch.where(lost[:, None, None, None], -1, x)
