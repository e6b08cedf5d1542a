"""A user's own guide and stabilizer, tried on two random rows: whether each row stands alone.

Each function returns what is wrong, in words, or None; it raises what the user's code raises.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import torch
from torch import Tensor

from guidebench.base import choices
from guidebench.diffusion.schedules import build as process
from guidebench.diffusion.time_grid import times
from guidebench.guidance.built import GuidedCell, build_guide, clip_gradient
from guidebench.guidance.networks import BoundDenoiser
from guidebench.guidance.stabilizers import build
from guidebench.models.classifier import Classifier
from guidebench.pipeline.experiment.config import Dataset
from guidebench.pipeline.experiment.sections import CustomData, Setup, Stabilizer
from guidebench.pipeline.jobs.rates import shape as shape_of

STEPS, HIDDEN = 4, 8
LARGE = 2.0  # times the weights that a layer begins with: gradients like those of a trained one
Rows = Sequence[int]
Method = Callable[[int, Tensor], Tensor]


class Linear:
    """In the place of a denoiser: v is a tenth of x, and of a label where it takes one."""

    prediction = "v"

    def __init__(self, labels: int | None) -> None:
        self.conditional, self.null = labels is not None, labels

    def __call__(self, x: Tensor, t: Any, label: Tensor | None = None) -> Tensor:
        """The output like x [N, ...]."""
        return x / 10 if label is None else x / 10 + label.view(-1, *[1] * (x.ndim - 1)) / 10


def guide(setup: Setup, dataset: Dataset) -> str | None:
    """What is wrong with a setup's guide: of the classes, schedule and image size of a data set."""

    def fresh(rows: Rows) -> Method:
        return _guided(setup, dataset, rows)

    shape = shape_of(dataset)
    if isinstance(dataset.data, CustomData):
        # whether a data set of the user's is gray is not known before it is prepared
        with suppress(Exception):
            return _alone(fresh, (1, *shape[1:]))
    return _alone(fresh, shape)


def stabilizer(section: Stabilizer, shape: tuple[int, ...]) -> str | None:
    """What is wrong with a stabilizer of gradients [N, *shape]."""

    def fresh(rows: Rows) -> Method:
        own = build(section, STEPS, STEPS)
        return lambda step, gradient: own(gradient)

    return _alone(fresh, shape)


def _guided(setup: Setup, dataset: Dataset, rows: Rows) -> Method:
    """A fresh guide of these rows: what it answers at a step."""
    names, sampling = choices.classes(dataset.data), dataset.sampling
    schedule, name = process(dataset.schedule), setup.sampler or sampling.sampler
    count = setup.steps or sampling.steps
    aims = [row % len(names) for row in rows]
    if dataset.target != choices.EACH:
        aims = [names.index(choices.target_name(dataset))] * len(rows)
    takes_labels = dataset.denoiser.condition_dropout is not None or dataset.denoiser.checkpoint
    denoiser = Linear(len(names) if takes_labels else None)
    classifier = None
    if setup.classifier is not None:
        with torch.random.fork_rng():
            torch.manual_seed(0)
            classifier = Classifier("small_cnn", len(names), HIDDEN).eval().requires_grad_(False)
        for weights in classifier.parameters():
            weights.mul_(LARGE)
    own = build_guide(
        GuidedCell(
            setup,
            max(setup.scales),
            BoundDenoiser(denoiser, schedule, torch.tensor(aims)),
            classifier,
            count,
            clip_gradient(sampling, setup),
            sampling.recompute_eps,
        )
    )
    grid, twice = times(name, schedule, count), choices.sampler(name).evaluations > 1

    def answer(step: int, x: Tensor) -> Tensor:
        t = grid[step * (count - 1) // max(1, STEPS - 1)]
        found = own(x, t, step)
        if twice:  # a second evaluation in a step
            own(x, t, step, corrector=True)
        return torch.stack([value for value in found if value is not None])

    return answer


def _alone(fresh: Callable[[Rows], Method], shape: tuple[int, ...]) -> str | None:
    """What is wrong where a row does not stand alone; `fresh` makes a method for these rows."""

    def run(rows: Rows = (0, 1)) -> Tensor:
        method, answers = fresh(rows), []
        for step in range(STEPS):
            chance = torch.Generator().manual_seed(step)
            x = torch.randn(2, *shape, generator=chance)[list(rows)]
            answer = method(step, x)
            answers.append(answer if answer.ndim > x.ndim else answer[None])
        return torch.cat(answers)

    whole = run()
    if not _equal(whole, run()):
        return "the same rows gave another answer: nothing in it may be random"
    if not _equal(whole[:, :1], run([0])):
        return "a row's answer depends on the rows beside it"
    if not _equal(whole.flip(1), run([1, 0])):
        return "a row's answer depends on its place among the rows"
    return None


def _equal(first: Tensor, second: Tensor) -> bool:
    """Up to rounding, which differs between batches."""
    return torch.allclose(first, second, rtol=1e-3, atol=1e-4, equal_nan=True)
