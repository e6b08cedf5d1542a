"""Adversarial examples by projected gradient ascent (PGD), to train on and to measure with."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from guidebench.models.classifier import Classifier, predicted

if TYPE_CHECKING:
    from guidebench.pipeline.experiment import sections

BATCH = 64


def attack(
    loss: Callable[[Tensor], Tensor],
    images: Tensor,
    options: sections.Attack,
    chance: torch.Generator,
) -> Tensor:
    """Images [N, ...] in [-1, 1], each within the radius of its own, of high loss.

    The inner maximum of Madry et al. 2018, eq. 2.1, by steps up the gradient, each projected on
    the ball and the range, from a random point of the ball. `loss` maps images to one number, a sum
    or mean over rows that do not see each other (so a network is in eval mode).
    """
    step = options.step_size or 2.5 * options.radius / options.iterations
    moved = _projected(images, _start(images, options, chance), options)
    for _ in range(options.iterations):
        with torch.enable_grad():
            given = moved.detach().requires_grad_()
            (gradient,) = torch.autograd.grad(loss(given), given)
        moved = _projected(images, moved + step * _steepest(gradient, options) - images, options)
    return moved


def under_attack(
    model: Classifier,
    images: Tensor,
    labels: Tensor,
    options: sections.Attack,
    chance: torch.Generator,
) -> Tensor:
    """Whether a classifier in eval mode is right [N], in {0, 1}, of adversarial examples.

    The loss is -log p, whose gradient does not vanish where a binary classifier is certain.
    """
    rows = []
    for x, y in zip(images.split(BATCH), labels.split(BATCH), strict=True):
        found = attack(partial(_surprise, model, y), x, options, chance)
        with torch.no_grad():
            rows.append(predicted(model(found)) == y)
    return torch.cat(rows).double()


def _surprise(model: Classifier, labels: Tensor, images: Tensor) -> Tensor:
    return -model.log_prob(model(images), labels).sum()


def _norms(rows: Tensor) -> Tensor:
    """L2 norm of each row, in a shape that divides the rows."""
    return torch.linalg.vector_norm(rows, dim=tuple(range(1, rows.ndim)), keepdim=True)


def _start(images: Tensor, options: sections.Attack, chance: torch.Generator) -> Tensor:
    """A point of each image's ball, uniform in its volume."""
    if options.norm == "linf":
        uniform = 2 * torch.rand(images.shape, generator=chance) - 1
        return options.radius * uniform.to(images)
    direction = torch.randn(images.shape, generator=chance)
    far = torch.rand(len(images), *[1] * (images.ndim - 1), generator=chance)
    far = far ** (1 / direction[0].numel())
    return (options.radius * far * direction / _norms(direction)).to(images)


def _steepest(gradient: Tensor, options: sections.Attack) -> Tensor:
    """The step of norm 1 on which a linear function rises most; 0 where the gradient is 0."""
    if options.norm == "linf":
        return gradient.sign()
    return gradient / _norms(gradient).clamp(min=torch.finfo(gradient.dtype).tiny)


def _projected(images: Tensor, change: Tensor, options: sections.Attack) -> Tensor:
    """The images with a change that is cut to the ball, then to [-1, 1].

    That order gives a point of both: the range has the image, so cutting to it shortens a change.
    """
    if options.norm == "linf":
        change = change.clamp(-options.radius, options.radius)
    else:
        change = change * (options.radius / _norms(change).clamp(min=options.radius))
    return (images + change).clamp(-1, 1)
