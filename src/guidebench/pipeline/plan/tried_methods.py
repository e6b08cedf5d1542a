"""A user's own sampler and metric, tried on a few random rows: whether they keep what they promise.

Each function returns what is wrong, in words, or None; it raises what the user's code raises.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from guidebench.base import choices
from guidebench.diffusion.by_name import sampler_of
from guidebench.diffusion.samplers import Prediction, own_options
from guidebench.diffusion.schedule import Schedule
from guidebench.diffusion.schedules import build
from guidebench.diffusion.time_grid import times
from guidebench.metrics.own import Metric
from guidebench.pipeline.errors import UserError
from guidebench.pipeline.experiment.config import Dataset, OwnMetric
from guidebench.pipeline.experiment.metric_consistency import measured
from guidebench.pipeline.experiment.sections import CustomData, Process, Steps
from guidebench.pipeline.jobs.cost_model import WIDE, features_of
from guidebench.pipeline.jobs.rates import shape as shape_of
from guidebench.pipeline.jobs.split_sizes import split_sizes

STEPS, ROWS = 6, (0, 1)
MOST = 2500  # rows that a metric is tried with: more than features, and all pairs take seconds
VARIANCE = 0.25  # of the Gaussian data whose exact denoiser a sampler is tried with


def sampler(steps: Steps, process: Process, shape: tuple[int, ...]) -> str | None:
    """What is wrong with a sampler of rows [*shape]; `process`: the section of its process."""
    facts = choices.sampler(steps.sampler)
    counts = isinstance(facts.evaluations, int) and facts.evaluations >= 1
    if not counts or {type(facts.has_mean), type(facts.walks_signal)} != {bool}:
        return "evaluations is not a number from 1, or has_mean or walks_signal not true or false"
    run = _Run(steps, build(process), shape)
    last = run()
    count, calls = run.steps, run.evaluations
    if not torch.isfinite(last).all():
        return "its samples are not finite"
    if run.watched != list(range(count)):
        return f"callback was called at steps {run.watched}, not once at each of {count}"
    if not count * (facts.evaluations - 1) < calls <= count * facts.evaluations:
        return f"evaluations is {facts.evaluations}, but {count} steps took {calls} of them"
    if not torch.equal(last, run()):
        return "the same noise gave other samples: all that is random must come from noise(step)"
    run.dtype = torch.float64  # in float32 a process that ends in noise may magnify rounding
    whole = run()
    if not torch.allclose(whole[:1], run([0]), atol=1e-6):
        return "a row's sample depends on the rows beside it"
    if not torch.allclose(whole.flip(0), run([1, 0]), atol=1e-6):
        return "a row's sample depends on its place: all that is random must come from noise(step)"
    run.dtype = torch.float32
    if facts.has_mean and torch.equal(last, run(shift=1.0)):
        return "has_mean is true, but its samples do not follow the shift of a prediction"
    return None


def metric(section: OwnMetric, dataset: Dataset, blocks: int) -> str | None:
    """What is wrong with a metric, on as few rows as this data set will give it.

    `blocks`: jackknife blocks. None, too, where the data set gives it none.
    """
    own = Metric("", section)
    judge = dataset.classifiers.get("judge")
    if not measured(section, dataset):
        return None
    counts = _fewest(section, dataset, blocks)
    if own.of != "images":
        hidden = features_of(judge) if judge and own.of == "judge" else WIDE
        return _tried(own, counts, (hidden,))
    shape = shape_of(dataset)
    # whether a data set of the user's is gray is not known before it is prepared
    shapes = [shape, (1, *shape[1:])] if isinstance(dataset.data, CustomData) else [shape]
    said = None
    for shape in shapes:
        try:
            if (said := _tried(own, counts, shape)) is None:
                return None
        except Exception as error:
            if shape == shapes[-1]:
                raise
            said = str(error)
    return said


def _fewest(section: OwnMetric, dataset: Dataset, blocks: int) -> list[int]:
    """Samples and real images of the smallest jackknife replicate, were all classes of equal size.

    MOST where they are more.
    """
    samples = min(dataset.sampling.selection, dataset.sampling.evaluation)
    real, _ = split_sizes(dataset.data)
    if section.of != "inception":  # half of them taught the judge
        real //= 2
    if section.reference == "target":
        real //= len(choices.classes(dataset.data))
    whole = [samples, max(real, choices.FEWEST)]
    return [min(MOST, count - -(-count // min(blocks, count))) for count in whole]


def _tried(own: Metric, counts: Sequence[int], shape: tuple[int, ...]) -> str | None:
    chance = np.random.default_rng(0)
    samples, reference = (
        chance.integers(0, 256, (count, *shape), np.uint8)
        if own.of == "images"
        else chance.standard_normal((count, *shape), np.float32)
        for count in counts
    )
    value = own(samples, reference)
    if not np.isfinite(value):
        return f"answered {value} for {len(samples)} samples and {len(reference)} real ones"
    return None if own(samples, reference) == value else "the same samples gave other values"


class _Run:
    """Runs a sampler with the exact denoiser of N(0, VARIANCE), and counts what it does."""

    def __init__(self, steps: Steps, schedule: Schedule, shape: tuple[int, ...]) -> None:
        self.name, self.schedule, self.shape = steps.sampler, schedule, shape
        self.options = own_options(self.name, steps)
        self.steps, self.dtype = min(steps.steps, STEPS), torch.float32

    def __call__(self, rows: Sequence[int] = ROWS, shift: float | None = None) -> Tensor:
        """The last x [len(rows), *shape] of these rows of the noise."""
        self.evaluations = 0
        self.watched: list[int] = []
        grid = times(self.name, self.schedule, self.steps)

        def predict(x: Tensor, t: Any, step: int, *, corrector: bool = False) -> Prediction:
            if (x.shape, x.dtype) != ((len(rows), *self.shape), self.dtype):
                raise UserError(f"step {step} asks at x of {tuple(x.shape)}, {x.dtype}")
            self.evaluations += 1
            alpha, sigma = (
                coefficient(t).to(x.dtype)
                for coefficient in (self.schedule.alpha, self.schedule.sigma)
            )
            x0 = alpha * VARIANCE / (alpha**2 * VARIANCE + sigma**2) * x
            return Prediction(
                (x - alpha * x0) / sigma, x0, None if shift is None else torch.full_like(x, shift)
            )

        def watch(step: int, t: Any, x: Tensor, prediction: Prediction) -> None:
            self.watched.append(step)

        def noise(step: int) -> Tensor:
            chance = torch.Generator().manual_seed(step + 1)
            return torch.randn(len(ROWS), *self.shape, generator=chance)[list(rows)].to(self.dtype)

        return sampler_of(self.name)(
            predict, noise(-1), self.schedule, grid, noise, watch, **self.options
        )
