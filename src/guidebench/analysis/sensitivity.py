"""Sensitivity of a classifier along the forward process (nrCG, section 2, figures 1 to 4).

docs/mathematics.md, Sensitivity along the forward process, has the definitions.
"""

from collections.abc import Callable, Iterator
from itertools import cycle
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
    """Images [N, C, H, W] in [-1, 1], their labels [N] and noise seeds [N].

    `per_t`: each pair (t, t-1) has noise of its own, otherwise an image has one noise for all t.
    """

    images: Tensor
    labels: Tensor
    seeds: Tensor
    per_t: bool

    def noise(self, t: int) -> Tensor:
        """Standard normal noise like the images, for the pair (t, t-1)."""
        return normal(self.seeds, t if self.per_t else 0, tuple(self.images.shape[1:]))


def norm(x: Tensor) -> Tensor:
    """L2 norm of each row [N]."""
    return torch.linalg.vector_norm(x.flatten(1), dim=1)


def indices(schedule: Schedule, steps: int) -> list[int]:
    """`steps` <= T falling indices of the full time grid, T-1 first, spaced `trailing`.

    >>> from guidebench.diffusion.schedules import DDPMLinear
    >>> indices(DDPMLinear(400), 4)
    [399, 299, 199, 99]
    """
    ratio = schedule.timesteps / steps
    return [round(schedule.timesteps - i * ratio) - 1 for i in range(steps)]


def accuracy(
    evaluate: ClassifierGradient,
    schedule: Schedule,
    views: Views,
    grid: list[int],
    clean_at_zero: bool = False,
) -> Iterator[tuple[int, Tensor]]:
    """(index, correct [N] in {0, 1}) of the classifier on x_t or x0_pred(x_t) (nrCG, figure 1).

    `grid` has indices of the schedule's full time grid, as `indices`: t itself when it is discrete.
    `clean_at_zero`: at index 0 the images get no noise, but the time that is t = 0's (the public
    code, docs/compat.md).
    """
    full = schedule.grid(schedule.timesteps)[::-1]
    for index in grid:
        t = full[index + 1]
        x = schedule.diffuse(views.images, views.noise(index), t)
        if clean_at_zero and index == 0:
            x = views.images
        rows = []
        for batch in x.split(BATCH):
            with torch.no_grad():
                x0 = batch if evaluate.kind == "raw" else evaluate.estimate(batch, t)[1]
                rows.append(predicted(evaluate.logits(batch, x0, t)))
        yield index, (torch.cat(rows) == views.labels).double()


def pairs(
    evaluate: ClassifierGradient,
    schedule: Schedule,
    views: Views,
    grid: list[int],
    target: int | Tensor,
    stabilizers: dict[str, Callable[[], Stabilize]],
    same_time: bool = False,
) -> Iterator[tuple[int, str, str, Tensor]]:
    """(index, stabilizer, quantity, value [N]) of pairs x_t, x_{t-1} (nrCG, eq. 3, 4, 6; figure 4).

    `grid`: the t that are reported, falling, as `indices`; `target`: the class of log p(y | input),
    one for all images or the [N] of each; `stabilizers`: by name, "none" among them, each made
    twice, since x_t and x_{t-1} have a state each. Their states walk every t from T-1 down.
    `same_time`: x_{t-1} is evaluated as if its time were t (the public code, docs/compat.md).
    """
    targets = torch.as_tensor(target, device=views.images.device).expand(len(views.images))
    chains = {name: (make(), make()) for name, make in stabilizers.items()}
    full = schedule.grid(schedule.timesteps)[::-1]

    def at(pair: int, time: Any, told: Any) -> tuple[Tensor, Tensor, Tensor]:
        """State at a time, with the noise of a pair; logits and gradient as of the time `told`."""
        x = schedule.diffuse(views.images, views.noise(pair), time)
        evaluations = [
            evaluate(batch, told, target)
            for batch, target in zip(x.split(BATCH), targets.split(BATCH), strict=True)
        ]
        logits = torch.cat([evaluation.logits for evaluation in evaluations])
        return x, logits, torch.cat([evaluation.gradient for evaluation in evaluations])

    every = bool(set(chains) - {"none"})
    following = None
    for t in range(schedule.timesteps - 1, min(grid) - 1, -1) if every else grid:
        now, earlier = full[t + 1], full[t]
        x, logits, gradient = following or at(t, now, now)
        before = at(t, earlier, now if same_time else earlier)
        x_before, logits_before, gradient_before = before
        # with one noise for all t, a pair's x_{t-1} is the x_t of the pair that follows
        following = before if every and not (views.per_t or same_time) else None
        stabilized = {
            name: (stabilize(gradient), stabilize_before(gradient_before))
            for name, (stabilize, stabilize_before) in chains.items()
        }
        if t not in grid:
            continue
        # S_logit (eq. 3), and per stabilizer S_grad (eq. 4), relative to |g|, cosine, and |g|
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


def shared(make: Callable[[], Stabilize]) -> Callable[[], Stabilize]:
    """Makes the same two stabilizers, x_t's and x_{t-1}'s, for each walk of `pairs`.

    Their state goes on from one walk to the next (the public code, docs/compat.md).
    """
    return cycle((make(), make())).__next__


def implicit(
    evaluate: ClassifierGradient,
    conditional: Network,
    schedule: Schedule,
    views: Views,
    grid: list[int],
) -> Iterator[tuple[int, Tensor]]:
    """(index, cosine [N]) of a classifier's gradient with the implicit classifier's, at x_t.

    The latter is -(eps(x, y) - eps(x)) / sigma_t of the conditional denoiser (Ho & Salimans 2021,
    section 3.2); y is each image's own label, which `conditional(x, t)` has bound.
    """
    full = schedule.grid(schedule.timesteps)[::-1]
    for index in grid:
        t = full[index + 1]
        x = schedule.diffuse(views.images, views.noise(index), t)
        alpha, sigma = schedule.alpha(t).to(x.dtype), schedule.sigma(t).to(x.dtype)
        classified = evaluate(x, t, views.labels)
        with torch.no_grad():
            eps, _ = to_eps_x0(evaluate.prediction, conditional(x, t), x, alpha, sigma)
            free, _ = to_eps_x0(evaluate.prediction, evaluate.network(x, t), x, alpha, sigma)
        gradient = (free - eps) / sigma
        product = (gradient * classified.gradient).flatten(1).sum(1)
        tiny = torch.finfo(x.dtype).tiny
        yield index, product / (norm(gradient) * norm(classified.gradient)).clamp(min=tiny)


class Table:
    """Collects values per t into the long table: mean and sd over images, and every image's."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []

    def add(self, source: str, stabilizer: str, quantity: str, t: int, value: Tensor) -> None:
        """Add a quantity's `value` [N] of all images at one t; sd is over images.

        Every image's is kept, too (float32), so that a whole curve can be resampled: its errors
        along t are of the same images, not independent.
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
