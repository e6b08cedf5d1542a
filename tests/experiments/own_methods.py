"""Methods of a user's own, of every kind, for drawn experiments."""

from itertools import pairwise
from typing import Any

import numpy as np
from torch import Tensor, nn

from guidebench.data.dataset import DataSet
from guidebench.diffusion.samplers import Prediction


def _images(channels: int, classes: list[str], seed: int) -> DataSet:
    images = np.random.default_rng(seed).integers(0, 255, (321, channels, 8, 8), np.uint8)
    labels = np.arange(len(images)) % len(classes) if classes else np.full(len(images), -1)
    return DataSet(images, labels.astype(np.int64), classes)


def gray(options: dict[str, Any], seed: int) -> DataSet:
    """Two classes, one channel."""
    return _images(1, ["dark", "bright"], seed)


def one_class(options: dict[str, Any], seed: int) -> DataSet:
    """One class, three channels."""
    return _images(3, ["only"], seed)


def unlabelled(options: dict[str, Any], seed: int) -> DataSet:
    """No classes, three channels."""
    return _images(3, [], seed)


class Sign:
    """A stabilizer."""

    def __init__(self, exponent: float) -> None:
        self.exponent = exponent

    def __call__(self, gradient: Tensor) -> Tensor:
        return gradient.sign()


class Nudge:
    """A guide."""

    def __init__(self, denoise, classifier, target, scale, schedule) -> None:
        self.denoise, self.scale, self.schedule = denoise, scale, schedule

    def __call__(self, x, t, step, corrector=False):
        x0 = (1 - self.scale) * self.denoise(x, t).x0
        eps = (x - self.schedule.alpha(t).to(x.dtype) * x0) / self.schedule.sigma(t).to(x.dtype)
        return Prediction(eps, x0)


def euler(predict, x, schedule, grid, noise, callback):
    """A sampler without a mean."""
    for step, (s, r) in enumerate(pairwise(grid)):
        prediction = predict(x, s, step)
        callback(step, s, x, prediction)
        x = schedule.alpha(r) * prediction.x0 + schedule.sigma(r) * prediction.eps
    return x


def spread(samples: np.ndarray, reference: np.ndarray) -> float:
    """A metric of features or images."""
    return float(samples.std() / reference.std())


spread.title, spread.caption, spread.smaller_is_better = "spread", "Of its own.", False


def tiny(outputs: int) -> nn.Module:
    """A classifier."""
    return nn.Sequential(
        nn.Conv2d(3, 8, 5, 2),
        nn.SiLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(8, outputs),
    )
