"""The metrics of one set of images from its features and predicted classes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from guidebench.metrics.frechet import Reference, moments, proportion, standard_error
from guidebench.metrics.variety import Features, Neighbours, measures

# extractor -> (distance to all classes, distance to the target class)
DISTANCES = {"judge": ("fd_judge", "cfd_judge"), "inception": ("fid", "cfid")}


class Row(NamedTuple):
    """What a score belongs to."""

    dataset: str
    setup: str
    scale: float | None
    split: str
    seed: int


class Score(NamedTuple):
    """One metric's value with standard error, n, and the jackknife replicates behind it."""

    metric: str
    value: float
    se: float
    n: int
    extractor: str
    reference: str
    replicates: np.ndarray


class Real:
    """The real images' features: references per extractor, and the floor's."""

    def __init__(self, sets: dict[str, Features], target: int | None) -> None:
        self.sets, self.target = sets, target
        self._cache: dict[tuple[str, bool], tuple[Reference, str]] = {}

    def reference(self, extractor: str, conditional: bool) -> tuple[Reference, str]:
        """(reference, its description): training images, of the target class if `conditional`."""
        key = (extractor, conditional)
        if key not in self._cache:
            name = "reference_inception" if extractor == "inception" else "reference"
            data = self.sets[name]
            keep = data["labels"] == self.target if conditional else slice(None)
            features = data[f"hidden:{extractor}"][keep]
            words = "target-class training images" if conditional else "training images"
            unseen = ", unseen by the judge" if extractor == "judge" else ""
            self._cache[key] = (Reference(moments(features)), f"{len(features)} {words}{unseen}")
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

        `accuracy_guide` is one of the classifiers' accuracies under the name of its role.
        """
        yield self._share("diverged", found["diverged"], "")
        yield from self._accuracies(found, guide)
        yield from self._variety(found)
        for extractor in DISTANCES:
            yield from self._distances(found, extractor, (False, True))

    def floor(self) -> Iterator[Score]:
        """Held-out real images scored like samples; the target's where a metric asks for it."""
        if "floor" in self.real.sets:
            if self.neighbours:
                yield from self._accuracies(self.real.sets["floor"], None)
                yield from self._variety(self.real.sets["floor"])
            for extractor in DISTANCES:
                yield from self._distances(self.real.sets["floor"], extractor, (False,))
        if "floor_target" in self.real.sets:
            found = self.real.sets["floor_target"]
            yield from self._accuracies(found, None)
            for extractor in DISTANCES:
                yield from self._distances(found, extractor, (True,))

    def _share(self, metric: str, hits: np.ndarray, extractor: str) -> Score:
        value, error, replicates = proportion(hits, self.blocks)
        return Score(metric, value, error, len(hits), extractor, "", replicates)

    def _accuracies(self, found: Features, guide: str | None) -> Iterator[Score]:
        if not self.labelled:
            return
        for key, predicted in found.items():
            if key.startswith("predicted:"):
                name, hits = key.removeprefix("predicted:"), predicted == found["labels"]
                if name == (guide or "clean"):
                    yield self._share("accuracy_guide", hits, name)
                yield self._share(f"accuracy_{name}", hits, name)

    def _variety(self, found: Features) -> Iterator[Score]:
        if self.neighbours is None:
            return
        for one in measures(found, self.neighbours, self.blocks):
            yield Score(one.metric, one.value, standard_error(one.replicates), one.n, "judge",
                        "training images, unseen by the judge", one.replicates)  # fmt: skip

    def _distances(
        self, found: Features, extractor: str, kinds: tuple[bool, ...]
    ) -> Iterator[Score]:
        if f"hidden:{extractor}" not in found:
            return
        features = found[f"hidden:{extractor}"]
        for conditional in kinds:
            if conditional and self.real.target is None:
                continue
            reference, words = self.real.reference(extractor, conditional)
            value, replicates = reference.jackknife(features, self.blocks)
            yield Score(DISTANCES[extractor][conditional], value, standard_error(replicates),
                        len(features), extractor, words, replicates)  # fmt: skip


class Scores:
    """Collects scores into the long table and the table of jackknife replicates."""

    def __init__(self) -> None:
        self._rows: list[dict[str, Any]] = []
        self._replicates: list[pd.DataFrame] = []

    def extend(self, row: Row, scores: Iterator[Score]) -> None:
        """Add all scores of one cell and split."""
        for score in scores:
            values = score._asdict()
            replicates = values.pop("replicates")
            self._rows.append(row._asdict() | values)
            self._replicates.append(pd.DataFrame({
                "dataset": row.dataset, "setup": row.setup,
                "scale": np.nan if row.scale is None else row.scale, "split": row.split,
                "metric": score.metric, "block": np.arange(len(replicates)), "value": replicates,
            }))  # fmt: skip

    def results(self) -> pd.DataFrame:
        """One row per dataset, setup, scale, split and metric."""
        return pd.DataFrame(self._rows).astype({"scale": "float64"})

    def jackknife(self) -> pd.DataFrame:
        """One row per left-out block of seeds; the same blocks in every cell (paired)."""
        return pd.concat(self._replicates, ignore_index=True)
