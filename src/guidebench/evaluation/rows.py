"""The rows of the table: each measure in each extractor's features, of all images and by class."""

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats

from guidebench.evaluation.embeddings import Embedding
from guidebench.evaluation.form import Images
from guidebench.evaluation.found import NO_CLASS, Gaussian
from guidebench.evaluation.measures import MEASURES, OF_INCEPTION, Compared, Measure, Value
from guidebench.pipeline.errors import UserError
from guidebench.pipeline.records.artifacts import digest_of

MEAN = "mean of classes"


class Row(NamedTuple):
    """One number with its 95 % interval (NaN: none), and all that it is a number of.

    `reference_n` is 0 where there were no images; `few`: a Fréchet distance of fewer images than
    features, on one side, which has no interval. Rows of one `protocol` compare.
    """

    measure: str
    of: str  # a class, MEAN, or all: ""
    value: float
    low: float
    high: float
    se: float
    n: int
    reference_n: int
    features: int
    extractor: str
    better: str
    few: bool
    protocol: str


def chosen(asked: Sequence[str] | None, images: bool, training: bool) -> list[str]:
    """The measures that were asked for, or all that there can be; UserError for others.

    `images`: whether the reference has them; `training`: whether they taught the model.
    """
    lacking = {name: _lacking(measure, images, training) for name, measure in MEASURES.items()}
    for name in asked or ():
        if lack := lacking[name]:
            allowed = ", ".join(known for known, lack in lacking.items() if not lack)
            raise UserError(f"--metrics: found {name} for {lack}, allowed: {allowed}")
    return list(asked or [name for name, lack in lacking.items() if not lack])


def _lacking(measure: Measure, images: bool, training: bool) -> str:
    if not images and not measure.moments and measure.least[1]:
        return "a reference of mean and covariance alone"
    if measure.training and not training:
        return "a reference that is not said to be training images (--training)"
    return ""


def quantile(blocks: int) -> float:
    """Student's of a two-sided 95 % interval from that many jackknife blocks."""
    return float(stats.t.ppf(0.975, blocks - 1)) if blocks > 1 else math.nan


class Scored:
    """Scores samples in one extractor's features; `basis`: what else its numbers depend on."""

    def __init__(
        self,
        embedding: Embedding,
        samples: Images,
        reference: Images | Gaussian,
        blocks: int,
        basis: dict[str, object],
    ) -> None:
        self.embedding, self.samples, self.blocks = embedding, samples, blocks
        self.reference = reference
        self.basis = [basis, reference.digest, embedding.name, embedding.digest]
        self.features = embedding(samples.images)
        real = reference if isinstance(reference, Gaussian) else embedding(reference.images)
        self.whole = Compared(self.features, samples.block, real, blocks)
        self.left_out: list[str] = []

    def rows(self, names: Sequence[str]) -> Iterator[Row]:
        """Every measure of all images, then of each class that both sides have, and their mean."""
        for name in names:
            yield from self._row(name, self.whole, NO_CLASS)
        if isinstance(self.reference, Gaussian):
            return
        classes = sorted({*self.samples.labels} & {*self.reference.labels} - {NO_CLASS})
        if len(classes) < 2:
            return
        found: dict[str, list[Row]] = {name: [] for name in names if MEASURES[name].by_class}
        for of in classes:
            mine, theirs = self.samples.labels == of, self.reference.labels == of
            block = self.samples.block[mine]
            one = Compared(self.features[mine], block, self.whole.real[theirs], self.blocks)
            for name, rows in found.items():
                rows += self._row(name, one, of)
        for name, rows in found.items():
            yield from rows
            if len(rows) == len(classes):
                yield self._mean(name, rows)

    def _row(self, name: str, one: Compared, of: str) -> Iterator[Row]:
        measure = MEASURES[name]
        least, real = measure.least, one.m or math.inf * isinstance(one.reference, Gaussian)
        if one.n < least[0] or real < least[1]:
            where = f" of {of}" if of else ""
            self.left_out.append(
                f"{name}{where} is left out: found {one.n} samples and {one.m} reference images, "
                f"allowed: at least {least[0]} and {least[1]}"
            )
            return
        found = measure.value(one)
        few = measure.moments and min(one.n, real) <= one.d
        factor = math.nan if few else quantile(one.blocks)
        yield self._made(name, of, found, interval(measure, found, factor), few)

    def _mean(self, name: str, rows: list[Row]) -> Row:
        found = Value(
            float(np.mean([row.value for row in rows])),
            math.hypot(*(row.se for row in rows)) / len(rows),
            sum(row.n for row in rows),
            sum(row.reference_n for row in rows),
        )
        measure, few = MEASURES[name], any(row.few for row in rows)
        factor = math.nan if few else quantile(self.whole.blocks)
        return self._made(name, MEAN, found, interval(measure, found, factor), few)

    def _made(self, name: str, of: str, found: Value, ends: tuple[float, float], few: bool) -> Row:
        measure, known = MEASURES[name], self.embedding
        basis = [self.basis, name, of, found.n if measure.equal_n else None]
        return Row(
            OF_INCEPTION.get(name, name) if known.key == "inception" else name,
            of,
            found.value,
            *ends,
            found.se,
            found.n,
            found.reference_n,
            self.whole.d,
            known.name,
            measure.better,
            few,
            digest_of(basis)[:12],
        )


def interval(measure: Measure, found: Value, factor: float) -> tuple[float, float]:
    """The ends of the 95 % interval within the measure's range.

    Of a share of images that are copies Clopper and Pearson's (1934), of all else Student's.
    """
    if measure.training:
        hits = round(found.value * found.n)
        low = stats.beta.ppf(0.025, hits, found.n - hits + 1) if hits else 0.0
        high = stats.beta.ppf(0.975, hits + 1, found.n - hits) if hits < found.n else 1.0
        return float(low), float(high)
    low, high = found.value - factor * found.se, found.value + factor * found.se
    return max(low, measure.within[0]), min(high, measure.within[1])
