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
# what the jackknife takes a bias of order 1/n from; recall has no limit, the others no bias
BIASED = {"is_judge"}
NONE = np.array([])


class Score(NamedTuple):
    """One metric's value with standard error, n, and the jackknife replicates behind it.

    `value` is corrected for its bias of order 1/n, where it has one; `raw` is the formula's on n
    images. For a distance: `reference_n` images of the reference, `features` dimensions, and the
    replicates with one block of the reference left out each, which `se` counts, too.
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
    """A formula's value, the least standard error of it, and the two kinds of its replicates.

    The jackknife finds no error where images are as near to the reference as chance allows: there
    a distance is quadratic in what they differ by, its slope is 0, and it is chance how near.
    """

    raw: float
    least: float
    replicates: np.ndarray
    reference_replicates: np.ndarray


class Reference:
    """Reference features [m, d], fitted and projected once for all cells; `words`: what they are.

    UserError where there are too few to leave any out.
    """

    def __init__(self, features: np.ndarray, blocks: int, words: str) -> None:
        self.size, self.words, self.blocks = len(features), f"{len(features)} {words}", blocks
        if self.size < FEWEST:
            raise UserError(f"reference: found {self.words}, allowed: at least {FEWEST}")
        own = min(blocks, self.size)
        self.fitted = Fitted(features, scattered(self.size, own), own)
        self.sliced = Sliced(features)

    def distances(self, features: np.ndarray, block: np.ndarray) -> tuple[Distance, Distance]:
        """Fréchet and sliced distance of features [n, d].

        `block` [n] names each row's block of seeds. The sliced one is compared on one reference.
        """
        own = Fitted(features, block, self.blocks)
        raw = self.fitted.distance(own.whole)
        seeds = self.fitted.distances(own.without)
        # the distance is symmetric: here the samples' root serves all replicates
        reference = own.distances(self.fitted.without) if np.isfinite(raw) else seeds
        rows = self.sliced.project(features)
        left_out = [self.sliced.distance(rows[block != number]) for number in range(self.blocks)]
        least = least_error(own.whole, self.fitted.whole) if np.isfinite(raw) else raw
        return (
            Distance(raw, least, seeds, reference),
            Distance(self.sliced.distance(rows), 0.0, np.array(left_out), NONE),
        )


class Real:
    """The real images' features: references per extractor, and the floor's."""

    def __init__(self, sets: dict[str, Features], target: int | None) -> None:
        self.sets, self.target = sets, target
        self._cache: dict[tuple[str, bool], Reference] = {}

    def reference(self, extractor: str, conditional: bool, blocks: int) -> Reference:
        """Training images, of the target class if `conditional`."""
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
    """Scores sets of images against the real ones."""

    def __init__(self, real: Real, labelled: bool, blocks: int) -> None:
        self.real, self.labelled, self.blocks = real, labelled, blocks
        # every class in turn: clearness and variety over all classes mean something
        self.neighbours: Neighbours | None = None
        if labelled and real.target is None:
            self.neighbours = Neighbours(real.sets["reference"]["hidden:judge"])

    def score(self, found: Features, guide: str | None) -> Iterator[Score]:
        """All metrics of one cell; without a guiding classifier `clean` is asked as the guide.

        `accuracy_guide` is one of the classifiers' accuracies under the name of its role. An image
        that diverged is of no class, and its features count nowhere.
        """
        yield self._share("diverged", found["diverged"], "")
        yield from self._accuracies(found, guide)
        yield from self._variety(found)
        for extractor in DISTANCES:
            yield from self._distances(found, extractor, (False, True))

    def floor(self) -> Iterator[Score]:
        """Held-out real images scored like samples; the target's where a metric asks for it."""
        if "floor" in self.real.sets:
            found = _whole(self.real.sets["floor"])
            if self.neighbours:
                yield from self._accuracies(found, None)
                yield from self._variety(found)
            for extractor in DISTANCES:
                yield from self._distances(found, extractor, (False,))
        if "floor_target" in self.real.sets:
            found = _whole(self.real.sets["floor_target"])
            yield from self._accuracies(found, None)
            for extractor in DISTANCES:
                yield from self._distances(found, extractor, (True,))

    def _share(self, metric: str, hits: np.ndarray, extractor: str) -> Score:
        value, error, replicates = hit_share(hits, self.blocks)
        return Score(metric, value, error, len(hits), value, extractor, "", 0, 0, replicates, NONE)

    def _accuracies(self, found: Features, guide: str | None) -> Iterator[Score]:
        if not self.labelled:
            return
        for key, predicted in found.items():
            if key.startswith("predicted:"):
                name = key.removeprefix("predicted:")
                hits = (predicted == found["labels"]) & ~found["diverged"]
                if name == (guide or "clean"):
                    yield self._share("accuracy_guide", hits, name)
                yield self._share(f"accuracy_{name}", hits, name)

    def _variety(self, found: Features) -> Iterator[Score]:
        if self.neighbours is None:
            return
        for one in measures(found, self.neighbours, ~found["diverged"], self.blocks):
            # blocks that agree would say 0; recall is a share of real images
            real = len(self.neighbours.real)
            count = {"precision_judge": one.n, "recall_judge": real}.get(one.metric)
            least = agresti_coull(0, count) if count else 0.0
            biased = one.metric in BIASED
            value = corrected(one.raw, one.replicates) if biased else one.raw
            yield Score(
                one.metric,
                value,
                max(least, standard_error(one.replicates)),
                one.n,
                one.raw,
                "judge",
                "training images, unseen by the judge",
                real,
                0,
                one.replicates,
                NONE,
            )

    def _distances(
        self, found: Features, extractor: str, kinds: tuple[bool, ...]
    ) -> Iterator[Score]:
        if f"hidden:{extractor}" not in found:
            return
        kept = ~found["diverged"]
        features = found[f"hidden:{extractor}"][kept]
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
                known = [one for one in replicates if len(one)]
                yield Score(
                    name,
                    corrected(raw, *known),
                    max(standard_error(*known), least),
                    len(features),
                    raw,
                    extractor,
                    reference.words,
                    reference.size,
                    features.shape[1],
                    *replicates,
                )


def _whole(real: Features) -> Features:
    """Real images as samples of which none diverged."""
    return real | {"diverged": np.zeros(len(real["labels"]), bool)}
