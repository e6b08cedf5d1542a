"""How far guided samples of a Gaussian mixture are from the density that they aim at.

The mixture's exact denoiser and classifiers leave the errors of guidance and sampler alone.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor

from guidebench.base.jackknife import standard_error
from guidebench.base.seeds import normal
from guidebench.data.gaussian_mixture import ExactClassifier, GaussianMixture
from guidebench.diffusion.by_name import sampler_of
from guidebench.diffusion.samplers import Predict, own_options
from guidebench.diffusion.schedule import Schedule
from guidebench.diffusion.time_grid import times
from guidebench.guidance.built import GuidedCell, build_guide
from guidebench.guidance.networks import BoundDenoiser

if TYPE_CHECKING:
    from guidebench.pipeline.experiment.sections import Setup, Steps

DIRECTIONS = 64
REFERENCE = 16_384
METRICS = ("sliced_wasserstein", "class_frequency", "mean_error", "covariance_error")


def levels(schedule: Schedule, time: Any) -> tuple[Tensor, Tensor]:
    """(alpha, sigma) at what a network receives (`Schedule.network_time`)."""
    t = time / 1000 if isinstance(time, float) else time
    return schedule.alpha(t), schedule.sigma(t)


class ExactDenoiser:
    """The mixture's score as a denoiser's network; `rows` counts the evaluations of one row."""

    prediction, conditional = "score", True

    def __init__(self, mixture: GaussianMixture, schedule: Schedule) -> None:
        self.mixture, self.schedule, self.rows = mixture, schedule, 0
        self.null = mixture.classes

    def __call__(self, x: Tensor, time: Any, label: Tensor | None = None) -> Tensor:
        """The score at x [N, *shape].

        `time` is what a network receives (`Schedule.network_time`), `label` [N] a class, or the
        number of classes for none, or None for none in any row.
        """
        self.rows += len(x)
        alpha, sigma = levels(self.schedule, time)
        if label is None:
            return self.mixture.score(x, alpha, sigma)
        scores = [
            self.mixture.score(x[label == y], alpha, sigma, None if y == self.null else int(y))
            for y in label.unique()
        ]
        order = torch.cat([(label == y).nonzero()[:, 0] for y in label.unique()])
        return torch.cat(scores)[order.argsort()]


class Truth:
    """One mixture with its exact denoiser and classifiers, to be sampled from `seeds` [N]."""

    def __init__(self, mixture: GaussianMixture, schedule: Schedule, seeds: list[int]) -> None:
        self.mixture, self.schedule = mixture, schedule
        self.seeds = torch.tensor(seeds)
        self.denoiser: Any = ExactDenoiser(mixture, schedule)
        self.classifiers = {
            "clean": ExactClassifier(mixture),
            "noise_trained": ExactClassifier(mixture, self.level),
        }

    def level(self, time: float) -> tuple[Tensor, Tensor]:
        """(alpha, sigma) at a fraction of the process in [0, 1]."""
        t = self.schedule.at_time(time)
        return self.schedule.alpha(t), self.schedule.sigma(t)

    def start(self, t: Any, label: int | None = None) -> Tensor:
        """Exact samples [N, *shape] of p_t, or of p_t(. | label)."""
        generator = torch.Generator().manual_seed(int(self.seeds[0]))
        alpha, sigma = self.schedule.alpha(t), self.schedule.sigma(t)
        return self.mixture.draw(generator, len(self.seeds), alpha, sigma, label)[0]

    def guide(
        self, setup: Setup, scale: float | None, steps: int, target: int, count: int
    ) -> Predict:
        """A fresh guide of a setup, for `count` rows."""
        # [N], which a guide of the user's is promised
        targets = torch.full((count,), target)
        networks = BoundDenoiser(self.denoiser, self.schedule, targets)
        classifier = self.classifiers[setup.classifier] if setup.classifier else None
        # x0_pred of a mixture is not bounded by [-1, 1]: nothing is clipped
        return build_guide(GuidedCell(setup, scale, networks, classifier, steps, None, False))

    def sample(self, setup: Setup, scale: float | None, steps: Steps, target: int) -> Tensor:
        """Points [N, *shape], started from the exact p_T, or p_T(. | target) when guided."""
        guide = self.guide(setup, scale, steps.steps, target, len(self.seeds))
        name = steps.sampler
        grid = times(name, self.schedule, steps.steps)
        aimed = setup.conditional or setup.guidance != "none"
        start = self.start(grid[0], target if aimed else None)
        return sampler_of(name)(
            guide,
            start,
            self.schedule,
            grid,
            lambda step: normal(self.seeds, step + 1, self.mixture.shape).double(),
            **own_options(name, steps),
        )


def exponent(setup: Setup, scale: float | None) -> float:
    """The s of the density p(x) p(y | x)^s that the setup is read as aiming at."""
    if setup.guidance == "none":
        return float(setup.conditional)
    return float(setup.conditional or setup.guidance == "cfg") + (scale or 0.0)


class Errors(NamedTuple):
    """A metric's value and its standard error."""

    value: float
    se: float


def jackknife(values: Tensor) -> Errors:
    """The value, and its standard error by leaving out jackknife blocks of seeds.

    `values` [1 + blocks]: of all seeds, then without each block in turn. A difference of two cells
    with the same seeds is a paired one.
    """
    return Errors(float(values[0]), standard_error(values[1:].numpy()))


class Reference:
    """Exact samples of p(x) p(y | x)^s, against which other samples are measured."""

    def __init__(self, mixture: GaussianMixture, target: int, power: float, seed: int) -> None:
        self.mixture, self.target, self.power = mixture, target, power
        generator = torch.Generator().manual_seed(seed)
        drawn = mixture.draw_tilted(generator, REFERENCE, target, power)
        self.points = drawn.flatten(1)
        shape = (DIRECTIONS, self.points.shape[1])
        directions = torch.randn(shape, generator=generator, dtype=torch.float64)
        self.directions = torch.nn.functional.normalize(directions, dim=1)
        self.projected = (self.points @ self.directions.T).T.sort(dim=1).values
        self.frequencies = self._frequencies(self._classes(drawn))
        self.mean, self.covariance = self.points.mean(0), _covariance(self.points)

    def measure(self, points: Tensor, blocks: int = 0) -> dict[str, Tensor]:
        """Each metric [1 + blocks] of points [N, *shape]: of all, then without each block.

        Blocks are consecutive rows; `blocks` in 0 .. N - 1. All NaN where a point has no class: it
        is not finite, or so far off that the density of each class is 0.
        """
        labels = self._classes(points)
        if (labels < 0).any():
            return {name: torch.full((1 + blocks,), torch.nan) for name in METRICS}
        member = torch.arange(len(points)) * blocks // len(points)
        order = (points.flatten(1) @ self.directions.T).T.sort(dim=1)
        kept = [torch.ones(len(points), dtype=torch.bool), *(member != b for b in range(blocks))]
        values = torch.tensor([self._values(points, labels, order, rows) for rows in kept])
        return dict(zip(METRICS, values.T, strict=True))

    def floor(self, count: int, seeds: list[int]) -> dict[str, Errors]:
        """Each metric of `count` exact samples: the mean over draws and its standard error."""
        draws = [
            self.mixture.draw_tilted(
                torch.Generator().manual_seed(seed), count, self.target, self.power
            )
            for seed in seeds
        ]
        measured = [self.measure(points) for points in draws]
        rows = {name: torch.cat([values[name] for values in measured]) for name in METRICS}
        return {
            name: Errors(float(values.mean()), float(values.std() / len(seeds) ** 0.5))
            for name, values in rows.items()
        }

    def _values(self, points: Tensor, labels: Tensor, order: Any, rows: Tensor) -> list[float]:
        count = int(rows.sum())
        # sliced 1-Wasserstein distance: along each direction, quantile against quantile
        ordered = order.values[rows[order.indices]].view(DIRECTIONS, count)
        quantiles = ((torch.arange(count) + 0.5) / count * REFERENCE).long()
        flat = points[rows].flatten(1)
        frequencies = self._frequencies(labels[rows])
        return [
            float((ordered - self.projected[:, quantiles]).abs().mean()),
            float((frequencies - self.frequencies).abs().sum() / 2),
            float(torch.linalg.vector_norm(flat.mean(0) - self.mean)),
            float(torch.linalg.matrix_norm(_covariance(flat) - self.covariance)),
        ]

    def _classes(self, points: Tensor) -> Tensor:
        """Class numbers [N] by the exact clean classifier; -1 where that has no answer."""
        posterior = self.mixture.log_posterior(points, 1.0, 0.0)
        return posterior.argmax(1).where(~posterior.isnan().any(1), -1)

    def _frequencies(self, labels: Tensor) -> Tensor:
        """Share of each class [classes]."""
        return torch.bincount(labels, minlength=self.mixture.classes).double() / len(labels)


def _covariance(points: Tensor) -> Tensor:
    """Covariance [d, d] of rows [N, d]."""
    return torch.atleast_2d(points.T.cov())


class Aimed(NamedTuple):
    """The distance [1 + blocks] of samples from the density of exponent `power` they aim at."""

    power: float
    distance: Tensor


def bias(guided: Aimed, plain: Aimed, floors: dict[float, Errors]) -> Errors:
    """What guidance adds to the distance from the density that it aims at.

    The excess over that density's floor, less the same excess of the conditional denoiser without
    guidance, which is the sampler's own. Both have the same seeds, so their difference is paired.
    """
    value, error = jackknife(guided.distance - plain.distance)
    if guided.power != plain.power:  # of one density, both have one floor
        high, low = floors[guided.power], floors[plain.power]
        value, error = value - high.value + low.value, math.hypot(error, high.se, low.se)
    return Errors(value, error)


def densities(mixture: GaussianMixture, power: float, side: int) -> tuple[Tensor, list[float]]:
    """The normalized densities p(x) p(y | x)^s of every class on a square, s = `power`.

    For 2-D mixtures: ([classes, side, side], rows along the second coordinate; the square's
    [low, high, low, high]).
    """
    mean, covariance = mixture.moments()
    reach = 3.2 * float(covariance.diagonal().sqrt().max())
    axes = [
        torch.linspace(float(m) - reach, float(m) + reach, side, dtype=torch.float64) for m in mean
    ]
    points = torch.stack(torch.meshgrid(*axes, indexing="xy"), dim=-1).reshape(-1, 2)
    log_prior = mixture.log_density(points, 1.0, 0.0)
    tilted = log_prior[:, None] + power * mixture.log_posterior(points, 1.0, 0.0)
    cell = (axes[0][1] - axes[0][0]) * (axes[1][1] - axes[1][0])
    normalised = (tilted - tilted.logsumexp(0)).exp() / cell
    extent = [float(axis[i]) for axis in axes for i in (0, -1)]
    return normalised.T.reshape(-1, side, side), extent
