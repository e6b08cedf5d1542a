"""The metrics of one set of images from its features and predicted classes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from guidebench.base.choices import CHOSEN_BY, FEWEST
from guidebench.base.jackknife import (
    agresti_coull,
    blocked,
    corrected,
    hit_share,
    scattered,
    standard_error,
)
from guidebench.metrics.frechet import Fitted, least_error
from guidebench.metrics.sliced import Sliced
from guidebench.metrics.variety import Features, Neighbours, measures
from guidebench.pipeline.errors import UserError

# extractor -> (distance to all classes, distance to the target class)
DISTANCES = {"judge": ("fd_judge", "cfd_judge"), "inception": ("fid", "cfid")}
# measures of variety that are corrected: recall has no limit in n, the others have no bias
BIASED = {"is_judge"}
NONE = np.array([])


class Score(NamedTuple):
    """One metric's value with standard error, n, and the jackknife replicates behind it.

    `value` is `raw`, the formula's on n images, less its bias of order 1/n, where it has one. For a
    distance: `reference` says what it is from, `reference_n` are its images, `features` the
    dimensions, and `reference_replicates`, which `se` counts, too, leave out a jackknife block of
    the reference each.
    """

    metric: str
    value: float
    se: float
    n: int
    raw: float
    extractor: str
    reference: str
    reference_n: int
    features: int
    replicates: np.ndarray
    reference_replicates: np.ndarray


class Distance(NamedTuple):
    """A formula's value, its least standard error, and both kinds of jackknife replicates.

    The jackknife sees the slope of a distance alone. Where images are as near to the reference as
    chance allows, the slope is 0 and the distance quadratic in the difference: `least` is its error
    there.
    """

    raw: float
    least: float
    replicates: np.ndarray
    reference_replicates: np.ndarray


class Reference:
    """Reference features [m, d], fitted and projected once for all cells; `words`: what they are.

    UserError where m is below FEWEST.
    """

    def __init__(self, features: np.ndarray, blocks: int, words: str) -> None:
        self.size, self.words, self.blocks = len(features), f"{len(features)} {words}", blocks
        if self.size < FEWEST:
            raise UserError(f"reference: found {self.words}, allowed: at least {FEWEST}")
        own = min(blocks, self.size)
        self.fitted = Fitted(features, scattered(self.size, own), own)
        self.sliced = Sliced(features)

    def distances(self, features: np.ndarray, block: np.ndarray) -> tuple[Distance, Distance]:
        """Fréchet and sliced distance of features [n, d] with their jackknife blocks [n].

        The sliced distance has no replicates of the reference: scales are compared on the same.
        """
        own = Fitted(features, block, self.blocks)
        raw = self.fitted.distance(own.whole)
        of_seeds = self.fitted.distances(own.without)
        # the distance is symmetric: here the samples' root serves all replicates
        of_reference = own.distances(self.fitted.without) if np.isfinite(raw) else of_seeds
        rows = self.sliced.project(features)
        left_out = [self.sliced.distance(rows[block != number]) for number in range(self.blocks)]
        least = least_error(own.whole, self.fitted.whole) if np.isfinite(raw) else raw
        return (
            Distance(raw, least, of_seeds, of_reference),
            Distance(self.sliced.distance(rows), 0.0, np.array(left_out), NONE),
        )


class Real:
    """The features of real images: `sets` by name, the references' and the floor's.

    `target`: the target class, None where every class is generated in turn.
    """

    def __init__(self, sets: dict[str, Features], target: int | None) -> None:
        self.sets, self.target = sets, target
        self._cache: dict[tuple[str, bool], Reference] = {}

    def reference(self, extractor: str, conditional: bool, blocks: int) -> Reference:
        """The training images, of the target class if `conditional`, in an extractor's features."""
        key = (extractor, conditional)
        if key not in self._cache:
            name = "reference_inception" if extractor == "inception" else "reference"
            data = self.sets[name]
            keep = data["labels"] == self.target if conditional else slice(None)
            words = "target-class training images" if conditional else "training images"
            unseen = ", unseen by the judge" if extractor == "judge" else ""
            features = data[f"hidden:{extractor}"][keep]
            self._cache[key] = Reference(features, blocks, words + unseen)
        return self._cache[key]


class Scorer:
    """Scores sets of images against the real ones, with `blocks` jackknife blocks.

    `labelled`: whether the images have classes.
    """

    def __init__(self, real: Real, labelled: bool, blocks: int) -> None:
        self.real, self.labelled, self.blocks = real, labelled, blocks
        # variety over all classes is defined where every class is generated in turn
        self.neighbours: Neighbours | None = None
        if labelled and real.target is None:
            self.neighbours = Neighbours(real.sets["reference"]["hidden:judge"])

    def score(self, samples: Features, guide: str | None) -> Iterator[Score]:
        """All metrics of the samples of one cell.

        `accuracy_guide` is the accuracy of the classifier `guide`, or of `clean` where none guides,
        once more. An image that diverged is of no class, and its features count nowhere.
        """
        yield self._share("diverged", samples["diverged"], "")
        yield from self._accuracies(samples, guide)
        yield from self._variety(samples)
        for extractor in DISTANCES:
            yield from self._distances(samples, extractor, (False, True))

    def floor(self) -> Iterator[Score]:
        """Held-out real images scored like samples; of the target for metrics of the target."""
        if "floor" in self.real.sets:
            held_out = _as_samples(self.real.sets["floor"])
            if self.neighbours:
                yield from self._accuracies(held_out, None)
                yield from self._variety(held_out)
            for extractor in DISTANCES:
                yield from self._distances(held_out, extractor, (False,))
        if "floor_target" in self.real.sets:
            held_out = _as_samples(self.real.sets["floor_target"])
            yield from self._accuracies(held_out, None)
            for extractor in DISTANCES:
                yield from self._distances(held_out, extractor, (True,))

    def _share(self, metric: str, hits: np.ndarray, extractor: str) -> Score:
        value, error, replicates = hit_share(hits, self.blocks)
        return Score(metric, value, error, len(hits), value, extractor, "", 0, 0, replicates, NONE)

    def _accuracies(self, samples: Features, guide: str | None) -> Iterator[Score]:
        if not self.labelled:
            return
        for key, predicted in samples.items():
            if key.startswith("predicted:"):
                name = key.removeprefix("predicted:")
                hits = (predicted == samples["labels"]) & ~samples["diverged"]
                if name == (guide or "clean"):
                    yield self._share("accuracy_guide", hits, name)
                yield self._share(f"accuracy_{name}", hits, name)

    def _variety(self, samples: Features) -> Iterator[Score]:
        if self.neighbours is None:
            return
        for measure in measures(samples, self.neighbours, ~samples["diverged"], self.blocks):
            # jackknife blocks that agree would have an error of 0; recall is a share of real images
            real = len(self.neighbours.real)
            count = {"precision_judge": measure.n, "recall_judge": real}.get(measure.metric)
            least = agresti_coull(0, count) if count else 0.0
            biased = measure.metric in BIASED
            value = corrected(measure.raw, measure.replicates) if biased else measure.raw
            yield Score(
                measure.metric,
                value,
                max(least, standard_error(measure.replicates)),
                measure.n,
                measure.raw,
                "judge",
                "training images, unseen by the judge",
                real,
                0,
                measure.replicates,
                NONE,
            )

    def _distances(
        self, samples: Features, extractor: str, kinds: tuple[bool, ...]
    ) -> Iterator[Score]:
        if f"hidden:{extractor}" not in samples:
            return
        kept = ~samples["diverged"]
        features = samples[f"hidden:{extractor}"][kept]
        block = blocked(len(kept), self.blocks)[kept]
        if lost := int((~np.isfinite(features).all(axis=1)).sum()):
            raise UserError(
                f"features of {extractor}: found {lost} of {len(features)} images "
                "without finite ones, allowed: none"
            )
        for conditional in kinds:
            if conditional and self.real.target is None:
                continue
            reference = self.real.reference(extractor, conditional, self.blocks)
            metric = DISTANCES[extractor][conditional]
            both = reference.distances(features, block)
            for name, (raw, least, *replicates) in zip(
                (metric, CHOSEN_BY[metric]), both, strict=True
            ):
                drawn = [values for values in replicates if len(values)]
                yield Score(
                    name,
                    corrected(raw, *drawn),
                    max(standard_error(*drawn), least),
                    len(features),
                    raw,
                    extractor,
                    reference.words,
                    reference.size,
                    features.shape[1],
                    *replicates,
                )


def _as_samples(real: Features) -> Features:
    """The features of real images as those of samples, of which none diverged."""
    return real | {"diverged": np.zeros(len(real["labels"]), bool)}
