"""Sensitivity of a classifier along the forward process (nrCG, section 2, figures 1 to 4)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from guidebench.base.seeds import normal
from guidebench.diffusion.convert import to_eps_x0
from guidebench.diffusion.schedule import Schedule
from guidebench.guidance.gradients import ClassifierGradient, Network
from guidebench.guidance.stabilizers import Stabilize
from guidebench.models.classifier import predicted

BATCH = 64


class Views(NamedTuple):
    """Images [N, C, H, W] in [-1, 1], labels [N], noise seeds [N], and whether noise is per t."""

    images: Tensor
    labels: Tensor
    seeds: Tensor
    per_t: bool

    def noise(self, t: int) -> Tensor:
        """The noise of every image at a pair (t, t-1): one for all t, or fresh for each pair."""
        return normal(self.seeds, t if self.per_t else 0, tuple(self.images.shape[1:]))


def norm(x: Tensor) -> Tensor:
    """L2 norm of each row [N]."""
    return torch.linalg.vector_norm(x.flatten(1), dim=1)


def indices(schedule: Schedule, steps: int) -> list[int]:
    """`steps` indices of the full grid, T-1 first, spaced `trailing`; -1 would be clean data."""
    ratio = schedule.timesteps / steps
    return [round(schedule.timesteps - i * ratio) - 1 for i in range(steps)]


def accuracy(
    evaluate: ClassifierGradient, schedule: Schedule, views: Views, grid: list[int]
) -> Iterator[tuple[int, Tensor]]:
    """(index, correct [N] in {0, 1}) of the classifier on x_t or x0_pred(x_t) (nrCG, figure 1).

    `grid` holds indices of the schedule's full grid, which are t itself when t is discrete.
    """
    full = schedule.grid(schedule.timesteps)[::-1]
    for index in grid:
        t = full[index + 1]
        x = schedule.diffuse(views.images, views.noise(index), t)
        rows = []
        for part in x.split(BATCH):
            with torch.no_grad():
                x0 = part if evaluate.kind == "raw" else evaluate.estimate(part, t)[1]
                rows.append(predicted(evaluate.logits(part, x0, t)))
        yield index, (torch.cat(rows) == views.labels).double()


def pairs(
    evaluate: ClassifierGradient,
    schedule: Schedule,
    views: Views,
    grid: list[int],
    target: int | Tensor,
    stabilizers: dict[str, Callable[[], Stabilize]],
) -> Iterator[tuple[int, str, str, Tensor]]:
    """(index, stabilizer, quantity, value [N]) of pairs x_t, x_{t-1}, the same x_0 and noise.

    t of `grid`, from T-1 down. Stabilizers walk every t of the process, whatever part of it is
    asked for, with a state for x_t and another for x_{t-1} (eq. 3, 4, 6). `target` is the class of
    the gradient's log-probability, for all images or for each [N].
    """
    targets = torch.as_tensor(target, device=views.images.device).expand(len(views.images))
    chains = {name: (make(), make()) for name, make in stabilizers.items()}
    full = schedule.grid(schedule.timesteps)[::-1]

    def answer(index: int, time: Any) -> tuple[Tensor, Tensor, Tensor]:
        x = schedule.diffuse(views.images, views.noise(index), time)
        parts = [
            evaluate(part, time, wanted)
            for part, wanted in zip(x.split(BATCH), targets.split(BATCH), strict=True)
        ]
        logits = torch.cat([part.logits for part in parts])
        return x, logits, torch.cat([part.gradient for part in parts])

    every = bool(set(chains) - {"none"})
    known = None
    for t in range(schedule.timesteps - 1, min(grid) - 1, -1) if every else grid:
        x, logits, gradient = known or answer(t, full[t + 1])
        x_before, logits_before, gradient_before = before = answer(t, full[t])
        # with one noise for all t, a pair's x_{t-1} is the next one's x_t
        known = before if every and not views.per_t else None
        stabilized = {
            name: (stabilize(gradient), stabilize_before(gradient_before))
            for name, (stabilize, stabilize_before) in chains.items()
        }
        if t not in grid:
            continue
        distance = norm(x - x_before)
        yield t, "none", "logit_sensitivity", norm(logits - logits_before) / distance
        for name, (g, g_before) in stabilized.items():
            difference = norm(g - g_before)
            product = (g * g_before).flatten(1).sum(1)
            tiny = torch.finfo(g.dtype).tiny
            yield t, name, "grad_sensitivity", difference / distance
            yield t, name, "grad_relative", difference / distance / norm(g).clamp(min=tiny)
            yield t, name, "grad_cosine", product / (norm(g) * norm(g_before)).clamp(min=tiny)
            yield t, name, "update_norm", norm(g)


def implicit(
    evaluate: ClassifierGradient,
    conditional: Network,
    schedule: Schedule,
    views: Views,
    grid: list[int],
) -> Iterator[tuple[int, Tensor]]:
    """(index, cosine [N]) of a classifier's gradient with the implicit classifier's, at x_t.

    The latter is -(eps(x, y) - eps(x)) / sigma_t of the conditional denoiser (Ho & Salimans 2021,
    section 3.2); y is each image's own label, with which `conditional` gives the network's output.
    """
    full = schedule.grid(schedule.timesteps)[::-1]
    for index in grid:
        t = full[index + 1]
        x = schedule.diffuse(views.images, views.noise(index), t)
        alpha, sigma = schedule.alpha(t).to(x.dtype), schedule.sigma(t).to(x.dtype)
        answer = evaluate(x, t, views.labels)
        with torch.no_grad():
            eps, _ = to_eps_x0(evaluate.prediction, conditional(x, t), x, alpha, sigma)
            free, _ = to_eps_x0(evaluate.prediction, evaluate.network(x, t), x, alpha, sigma)
        gradient = (free - eps) / sigma
        product = (gradient * answer.gradient).flatten(1).sum(1)
        tiny = torch.finfo(x.dtype).tiny
        yield index, product / (norm(gradient) * norm(answer.gradient)).clamp(min=tiny)


class Table:
    """Collects values per t into the long table: mean and sd over images, and every image's."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []

    def add(self, source: str, stabilizer: str, quantity: str, t: int, value: Tensor) -> None:
        """One quantity of all images at one t; sd is over images.

        `values` (float32, in the order of the images) let a whole curve be resampled: along t the
        same images are seen again, so its errors are not independent.
        """
        values = value.double().cpu().numpy()
        self.rows.append(
            {
                "input": source,
                "stabilizer": stabilizer,
                "t": t,
                "quantity": quantity,
                "mean": values.mean(),
                "sd": values.std(ddof=1),
                "n": len(values),
                "values": values.astype(np.float32),
            }
        )
