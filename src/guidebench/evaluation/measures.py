"""Every measure of samples: what it needs, what its values mean, and how it is computed."""

import math
from collections.abc import Callable
from functools import cached_property
from typing import NamedTuple

import numpy as np

from guidebench.base.choices import FEWEST, NEIGHBOURS
from guidebench.base.jackknife import (
    agresti_coull,
    blocked,
    corrected,
    hit_share,
    scattered,
    standard_error,
)
from guidebench.evaluation.found import Gaussian
from guidebench.metrics import any_count, density
from guidebench.metrics.copies import Nearest, Training
from guidebench.metrics.frechet import Fitted
from guidebench.metrics.kernel import KD, Kernels
from guidebench.metrics.reference import Distance
from guidebench.metrics.sliced import Sliced
from guidebench.metrics.variety import LARGEST, Neighbours, Variety, share
from guidebench.metrics.vendi import vendi
from guidebench.pipeline.recording import Methods


class Value(NamedTuple):
    """A measure's value, its standard error (NaN: it has none), and how many images it is of."""

    value: float
    se: float
    n: int
    reference_n: int


class Compared:
    """Features [n, d] of samples in jackknife blocks [n], and of a reference [m, d] or its moments.

    What several measures need is computed once, when it is asked for.
    """

    def __init__(
        self, features: np.ndarray, block: np.ndarray, reference: np.ndarray | Gaussian, blocks: int
    ) -> None:
        # no empty block: its replicate would be the whole value
        names, self.block = np.unique(block, return_inverse=True)
        self.features, self.blocks, self.reference = features, len(names), reference
        self.n, self.d, self.asked = len(features), features.shape[1], blocks
        self.real = np.empty((0, self.d)) if isinstance(reference, Gaussian) else reference
        self.m = len(self.real)

    @cached_property
    def fitted(self) -> Fitted:
        """The Gaussian of the reference."""
        if isinstance(self.reference, Gaussian):
            return Fitted.of(self.reference.mean, self.reference.covariance)
        own = min(self.asked, self.m)
        return Fitted(self.real, scattered(self.m, own), own)

    @cached_property
    def frechet(self) -> Distance:
        """Its distance, with replicates."""
        return any_count.distance(self.features, self.block, self.blocks, self.fitted)

    @cached_property
    def first(self) -> tuple[np.ndarray, np.ndarray, int]:
        """The first images, whose pairs fit into memory, with their blocks and how many."""
        if self.n <= LARGEST:
            return self.features, self.block, self.blocks
        return self.features[:LARGEST], blocked(LARGEST, self.blocks), self.blocks

    @cached_property
    def neighbours(self) -> Neighbours:
        """Of precision and recall."""
        return Neighbours(self.real)

    @cached_property
    def density(self) -> dict[str, Variety]:
        """Density and coverage."""
        measured = density.Neighbourhoods(self.real).measures(*self.first)
        return {one.metric: one for one in measured}

    @cached_property
    def nearest(self) -> Nearest:
        """The nearest reference image of each of the first images."""
        return Training(self.real).nearest(self.first[0])

    def of(self, found: Variety, least: float = 0.0, biased: bool = False) -> Value:
        """A measure of the first images, with the error of its replicates, and at least `least`."""
        value = corrected(found.raw, found.replicates) if biased else found.raw
        error = max(least, standard_error(found.replicates))
        return Value(value, error, found.n, min(self.m, LARGEST))


def _frechet(one: Compared) -> Value:
    raw, least, *replicates = one.frechet
    made = [values for values in replicates if len(values)]
    return Value(corrected(raw, *made), max(standard_error(*made), least), one.n, one.m)


def _raw(one: Compared) -> Value:
    return Value(one.frechet.raw, math.nan, one.n, one.m)


def _kernel(one: Compared) -> Value:
    found = Kernels(one.real, KD, one.asked).distance(one.features, one.block)
    error = max(standard_error(found.replicates, found.reference_replicates), found.least)
    return Value(found.raw, error, one.n, one.m)


def _sliced(one: Compared) -> Value:
    reference = Sliced(one.real)
    rows = reference.project(one.features)
    without = [reference.distance(rows[one.block != number]) for number in range(one.blocks)]
    found, replicates = reference.distance(rows), np.array(without)
    return Value(corrected(found, replicates), standard_error(replicates), one.n, one.m)


def _precision(one: Compared) -> Value:
    rows, block, blocks = one.first
    near = one.neighbours.precision(rows)
    without = np.array([share(near[block != number]) for number in range(blocks)])
    found = Variety("precision", share(near), len(rows), without)
    return one.of(found, agresti_coull(0, len(rows)))


def _recall(one: Compared) -> Value:
    rows, block, blocks = one.first
    without = [one.neighbours.recall(rows[block != number]) for number in range(blocks)]
    found = Variety("recall", one.neighbours.recall(rows), len(rows), np.array(without))
    return one.of(found, agresti_coull(0, len(one.neighbours.real)))


def _density(one: Compared) -> Value:
    return one.of(one.density["density"])


def _coverage(one: Compared) -> Value:
    return one.of(one.density["coverage"], agresti_coull(0, min(one.m, LARGEST)))


def _vendi(one: Compared) -> Value:
    rows, block, blocks = one.first
    found = one.of(vendi(rows, block, blocks), biased=len(rows) > one.d)
    return found._replace(reference_n=0)


def _authenticity(one: Compared) -> Value:
    value, error, _ = hit_share(one.nearest.authentic, one.blocks)
    return Value(value, error, len(one.nearest.row), one.m)


class Measure(NamedTuple):
    """One measure: how it reads, its source, what it needs, and how it is computed.

    `least`: of samples, and of reference images. `within`: where its values lie. `equal_n`: whether
    only values of as many images compare. `moments`: whether mean and covariance of the reference
    are enough; `training`: whether it speaks of training images; `by_class`: whether classes alone
    are measured, too.
    """

    title: str
    better: str
    source: str
    value: Callable[[Compared], Value]
    least: tuple[int, int] = (2, FEWEST)
    within: tuple[float, float] = (-math.inf, math.inf)
    equal_n: bool = False
    moments: bool = False
    training: bool = False
    by_class: bool = True


SHARE, POSITIVE = (0.0, 1.0), (0.0, math.inf)
NEAR, DENSE = NEIGHBOURS + 1, density.K + 1

MEASURES = Methods(
    fd=Measure("Fréchet distance", "smaller", "Heusel et al. 2017", _frechet, moments=True),
    fd_raw=Measure(
        "Fréchet distance, not corrected",
        "smaller",
        "Heusel et al. 2017, eq. 6",
        _raw,
        within=POSITIVE,
        equal_n=True,
        moments=True,
    ),
    kd=Measure("kernel distance", "smaller", "Binkowski et al. 2018, section 4", _kernel),
    sliced=Measure("sliced distance", "smaller", "Bonneel et al. 2015", _sliced),
    precision=Measure(
        "precision", "larger", "Kynkaanniemi et al. 2019, eq. 1", _precision, (2, NEAR), SHARE
    ),
    recall=Measure(
        "recall", "larger", "Kynkaanniemi et al. 2019, eq. 2", _recall, (NEAR, NEAR), SHARE, True
    ),
    density=Measure(
        "density", "larger", "Naeem et al. 2020, eq. 4", _density, (2, DENSE), POSITIVE
    ),
    coverage=Measure(
        "coverage", "larger", "Naeem et al. 2020, eq. 5", _coverage, (2, DENSE), SHARE, True
    ),
    vendi=Measure(
        "Vendi score",
        "larger",
        "Friedman & Dieng 2023, eq. 1",
        _vendi,
        (2, 0),
        (1.0, math.inf),
        equal_n=True,
        by_class=False,
    ),
    authenticity=Measure(
        "authenticity",
        "larger",
        "Alaa et al. 2022",
        _authenticity,
        (2, 2),
        SHARE,
        training=True,
        by_class=False,
    ),
)
OF_INCEPTION = {"fd": "fid", "fd_raw": "fid_raw", "kd": "kid"}  # in its features alone
