"""Small networks trained on a mixture, in the place of its exact denoiser and classifiers."""

import copy
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from guidebench.analysis.ground_truth import Truth, levels
from guidebench.base.seeds import derive
from guidebench.data.gaussian_mixture import ExactClassifier, GaussianMixture
from guidebench.diffusion.schedule import CLEAN, Schedule

WIDTH, EMBEDDING = 64, 16
BATCH, RATE, DROPPED = 256, 2e-3, 0.2
FAR = 20.0  # a larger logsnr is clean


class Perceptron(nn.Module):
    """Outputs [N, outputs] of points [N, d], their levels and labels."""

    def __init__(self, size: int, labels: int, outputs: int) -> None:
        super().__init__()
        self.label = nn.Embedding(labels, EMBEDDING)
        widths = [size + 3 + EMBEDDING, WIDTH, WIDTH, WIDTH]
        hidden = [part for a, b in pairwise(widths) for part in (nn.Linear(a, b), nn.SiLU())]
        self.layers = nn.Sequential(*hidden, nn.Linear(WIDTH, outputs))

    def forward(self, x: Tensor, alpha: Tensor, sigma: Tensor, label: Tensor) -> Tensor:
        """`alpha`, `sigma`: [] or [N]; `label` [N]."""
        logsnr = (2 * (alpha / sigma).log()).clamp(-FAR, FAR) / FAR
        level = torch.stack((alpha, sigma, logsnr), dim=-1).to(x).expand(len(x), 3)
        output: Tensor = self.layers(torch.cat((x, level, self.label(label)), dim=1))
        return output


class LearnedDenoiser:
    """A trained network as guides call a denoiser."""

    prediction, conditional = "eps", True

    def __init__(self, network: Perceptron, schedule: Schedule, classes: int) -> None:
        self.network, self.schedule, self.null = network, schedule, classes

    def __call__(self, x: Tensor, time: Any, label: Tensor | None = None) -> Tensor:
        """The eps like x [N, *shape]; arguments as `ground_truth.ExactDenoiser`'s."""
        if label is None:
            label = torch.full((len(x),), self.null)
        return self.network(x.flatten(1), *levels(self.schedule, time), label).view_as(x)


class LearnedClassifier(ExactClassifier):
    """A trained network as the mixture's classifier; `level` as there."""

    def __init__(
        self, network: Perceptron, mixture: GaussianMixture, level: Callable[[Any], Any] | None
    ) -> None:
        super().__init__(mixture, level)
        self.network = network

    def __call__(self, x: Tensor, time: Any = 0.0) -> Tensor:
        """Logits [N, classes] of x [N, *shape]."""
        clean = torch.ones((), dtype=x.dtype), torch.zeros((), dtype=x.dtype)
        alpha, sigma = self.level(time) if self.level else clean
        label = torch.zeros(len(x), dtype=torch.long)
        return self.network(x.flatten(1), torch.as_tensor(alpha), torch.as_tensor(sigma), label)


def learned(truth: Truth, steps: int, seed: int) -> Truth:
    """The same world with networks, each trained for `steps` iterations on fresh draws of it.

    The denoiser predicts eps and drops labels out; nothing bounds any network to be a gradient.
    """
    mixture, schedule = truth.mixture, truth.schedule
    size, classes = torch.Size(mixture.shape).numel(), mixture.classes

    def denoising(network: Perceptron, chance: torch.Generator) -> Tensor:
        x0, label = _drawn(mixture, chance)
        x, noise, level = _noised(x0, schedule, schedule.draw(BATCH, chance), chance)
        label[torch.rand(BATCH, generator=chance) < DROPPED] = classes
        return functional.mse_loss(network(x, *level, label), noise)

    def classifying(noisy: bool) -> Callable[[Perceptron, torch.Generator], Tensor]:
        def loss(network: Perceptron, chance: torch.Generator) -> Tensor:
            x0, label = _drawn(mixture, chance)
            t = schedule.draw(BATCH, chance) if noisy else torch.full((BATCH,), CLEAN)
            x, _, level = _noised(x0, schedule, t, chance)
            return functional.cross_entropy(network(x, *level, torch.zeros_like(label)), label)

        return loss

    world = copy.copy(truth)
    world.denoiser = LearnedDenoiser(
        _trained(size, classes + 1, size, denoising, steps, derive(seed, "denoiser")),
        schedule,
        classes,
    )
    world.classifiers = {
        name: LearnedClassifier(
            _trained(
                size, 1, classes, classifying(exact.level is not None), steps, derive(seed, name)
            ),
            mixture,
            exact.level,
        )
        for name, exact in truth.classifiers.items()
    }
    return world


def _drawn(mixture: GaussianMixture, chance: torch.Generator) -> tuple[Tensor, Tensor]:
    """A batch of data: (x_0 [BATCH, d] float32, labels [BATCH])."""
    x0, label = mixture.draw(chance, BATCH)
    return x0.flatten(1).float(), label


def _noised(
    x0: Tensor, schedule: Schedule, t: Tensor, chance: torch.Generator
) -> tuple[Tensor, Tensor, tuple[Tensor, Tensor]]:
    """(x_t, its noise, (alpha, sigma) [N]) of x_0 [N, d] at the t [N] of each row."""
    noise = torch.randn(x0.shape, generator=chance)
    level = schedule.alpha(t).float(), schedule.sigma(t).float()
    return schedule.diffuse(x0, noise, t), noise, level


def _trained(
    size: int,
    labels: int,
    outputs: int,
    loss: Callable[[Perceptron, torch.Generator], Tensor],
    steps: int,
    seed: int,
) -> Perceptron:
    """A network after `steps` of Adam, its rate falling by a cosine; frozen, in float64."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = Perceptron(size, labels, outputs)
    chance = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(network.parameters(), lr=RATE)
    rate = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(steps):
        optimizer.zero_grad()
        loss(network, chance).backward()
        optimizer.step()
        rate.step()
    return network.double().eval().requires_grad_(False)
