"""The metrics of one set of images from its features and predicted classes."""

from collections.abc import Iterator, Sequence
from itertools import product
from typing import NamedTuple

import numpy as np

from guidebench.base.choices import CHOSEN_BY, DRAWN_REFERENCE
from guidebench.base.jackknife import agresti_coull, blocked, corrected, hit_share, standard_error
from guidebench.metrics.own import Metric
from guidebench.metrics.reference import NONE, Real, key_of
from guidebench.metrics.variety import Features, Neighbours, measures
from guidebench.pipeline.errors import UserError

# extractor -> (distance to all classes, distance to the target class)
DISTANCES = {"judge": ("fd_judge", "cfd_judge"), "inception": ("fid", "cfid")}
# measures of variety that are corrected: recall has no limit in n, the others have no bias
BIASED = {"is_judge"}


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


class Scorer:
    """Scores sets of images against the real ones, with `blocks` jackknife blocks.

    `labelled`: whether the images have classes; `own`: metrics of the user's own; `common`: how
    many of the first images recall is of, None for all.
    """

    def __init__(
        self,
        real: Real,
        labelled: bool,
        blocks: int,
        own: Sequence[Metric] = (),
        common: int | None = None,
    ) -> None:
        self.real, self.labelled, self.blocks, self.own = real, labelled, blocks, own
        self.common = common
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
        yield from self._of_user(samples, (False, True))

    def floor(self) -> Iterator[Score]:
        """Held-out real images scored like samples; of the target for metrics of the target."""
        if "floor" in self.real.sets:
            held_out = _as_samples(self.real.sets["floor"])
            if self.neighbours:
                yield from self._accuracies(held_out, None)
                yield from self._variety(held_out)
            for extractor in DISTANCES:
                yield from self._distances(held_out, extractor, (False,))
            yield from self._of_user(held_out, (False,))
        if "floor_target" in self.real.sets:
            held_out = _as_samples(self.real.sets["floor_target"])
            yield from self._accuracies(held_out, None)
            for extractor in DISTANCES:
                yield from self._distances(held_out, extractor, (True,))
            yield from self._of_user(held_out, (True,))

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
        groups = self.blocks, self.common
        for measure in measures(samples, self.neighbours, ~samples["diverged"], *groups):
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
        if key_of(extractor) not in samples:
            return
        kept = ~samples["diverged"]
        features = samples[key_of(extractor)][kept]
        block = blocked(len(kept), self.blocks)[kept]
        if lost := int((~np.isfinite(features).all(axis=1)).sum()):
            raise UserError(
                f"features of {extractor}: found {lost} of {len(features)} images "
                "without finite ones, allowed: none"
            )
        for conditional, drawn in product(kinds, (False, True) if self.real.drawn else (False,)):
            if conditional and self.real.target is None:
                continue
            reference = self.real.reference(extractor, conditional, self.blocks, drawn)
            metric = DISTANCES[extractor][conditional]
            # scales are chosen by the whole reference alone
            names = [f"{metric}+{DRAWN_REFERENCE}"] if drawn else [metric, CHOSEN_BY[metric]]
            both = reference.distances(features, block)[: len(names)]
            for name, (raw, least, *replicates) in zip(names, both, strict=True):
                made = [values for values in replicates if len(values)]
                yield Score(
                    name,
                    corrected(raw, *made),
                    max(standard_error(*made), least),
                    len(features),
                    raw,
                    extractor,
                    reference.words,
                    reference.size,
                    features.shape[1],
                    *replicates,
                )

    def _of_user(self, samples: Features, kinds: tuple[bool, ...]) -> Iterator[Score]:
        kept = ~samples["diverged"]
        block = blocked(len(kept), self.blocks)[kept]
        for metric in self.own:
            if key_of(metric.of) not in samples or metric.conditional not in kinds:
                continue
            if metric.conditional and self.real.target is None:
                continue
            reference, words = self.real.rows(metric.of, metric.conditional)
            rows = samples[key_of(metric.of)][kept]
            raw, *both = metric.values(rows, block, reference, self.blocks)
            yield Score(
                metric.key,
                corrected(raw, *both) if metric.facts.biased else raw,
                standard_error(*both),
                len(rows),
                raw,
                metric.of,
                f"{len(reference)} {words}",
                len(reference),
                0,
                *both,
            )


def _as_samples(real: Features) -> Features:
    """The features of real images as those of samples, of which none diverged."""
    return real | {"diverged": np.zeros(len(real["labels"]), bool)}
