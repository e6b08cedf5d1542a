"""The result tables of one experiment, and what findings, figures and pages look up in them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from guidebench.base.cells import Cell
from guidebench.base.choices import CHOSEN_BY
from guidebench.pipeline.errors import UserError
from guidebench.pipeline.records.artifacts import read_json
from guidebench.report.columns import joined
from guidebench.report.lookup import NOWHERE, Places, at, by_keys, column, where, without
from guidebench.report.told import Told

EVALUATION, SELECTION = "evaluation", "selection"
COMMON = "common"  # of a cell with more evaluation seeds than others: those that all have
FLOOR = "floor"
# above this share of diverged images a cell is broken: the others are no longer a sample of what
# its setup draws, and none of its numbers can win; one image of 64 may still be chance
BROKEN = 0.02


def breaks(diverged: Any, n: Any) -> Any:
    """Whether so many of n images, numbers or arrays, diverged that their cell is broken."""
    return diverged > np.maximum(1, BROKEN * n) + 1e-9  # shares are rounded


class Measure(NamedTuple):
    """A metric's value with its standard error and the number of images behind it.

    `raw`: not corrected for its bias. Of a distance: images of the reference, features, and what
    the reference is, in words.
    """

    value: float
    se: float
    n: int
    raw: float = math.nan
    reference_n: int = 0
    features: int = 0
    reference: str = ""

    @property
    def few(self) -> bool:
        """Whether images or reference are fewer than the features: a covariance is singular."""
        return min(self.n, self.reference_n) < self.features


@dataclass(frozen=True)
class Tables(Told):
    """What stage `collect` wrote: long tables (pandas) and the summary (a dict).

    `results` has the rows of cell_costs.parquet, too; `summary` those of environment.json. Where
    rows stand is noted once: other rows, or other KEYS in them, are another `Tables`.
    """

    results: pd.DataFrame
    jackknife: pd.DataFrame
    sensitivity: pd.DataFrame
    classifiers: pd.DataFrame
    history: pd.DataFrame
    costs: pd.DataFrame
    summary: dict[str, Any]
    truth: pd.DataFrame = field(default_factory=partial(joined, "truth", []))
    reference_jackknife: pd.DataFrame = field(
        default_factory=partial(joined, "reference_jackknife", [])
    )
    pixels: pd.DataFrame = field(default_factory=partial(joined, "pixels", []))
    attributes: pd.DataFrame = field(default_factory=partial(joined, "attributes", []))

    @classmethod
    def read(cls, folder: Path) -> Tables:
        """Read every table of `folder`; a missing or broken one is a UserError that names it."""
        names = [name for name in cls.__dataclass_fields__ if name != "summary"] + ["cell_costs"]
        frames: dict[str, Any] = {}
        for name in names:
            path = Path(folder) / f"{name}.parquet"
            try:
                frames[name] = pd.read_parquet(path)
            except FileNotFoundError as error:
                raise UserError(f"{path}: missing; run the stage `collect` first") from error
            except (OSError, ValueError) as error:
                raise UserError(f"{path}: not a parquet file; delete it and run again") from error
        frames["results"] = joined("results", [frames["results"], frames.pop("cell_costs")])
        summary, environment = (
            read_json(Path(folder) / f"{name}.json") for name in ("summary", "environment")
        )
        return cls(**frames, summary=summary | environment)

    def errors(self, world: str, metric: str, reference: str) -> pd.DataFrame:
        """Columns setup, scale, sampler, evaluations, exponent, value, se, n of one metric."""
        rows = where(self.truth, world=world, metric=metric, reference=reference)
        return rows.reset_index(drop=True)

    def has(self, dataset: str, metric: str) -> bool:
        """Whether evaluation rows of this metric exist."""
        wanted = (dataset, metric, EVALUATION)
        return any((key[0], *key[2:]) == wanted for key in self._places)

    def distance(self, dataset: str, kind: str) -> str:
        """The distance that verdicts use: `fid`/`cfid` of enough images, else on the judge."""
        if kind == "cfd" and self.facts(dataset)["target"] == "each":
            kind = "fd"  # there is no one target class
        inception = {"fd": "fid", "cfd": "cfid"}[kind]
        rows = where(self.results, dataset=dataset, metric=inception, split=EVALUATION)
        # of fewer images than features it has no interval, and decides nothing
        images = min(self.facts(dataset)["n"], rows.get("reference_n", rows.n).min())
        enough = len(rows) > 0 and images >= rows.get("features", rows.n * 0).max()
        return inception if enough else f"{kind}_judge"

    @cached_property
    def _places(self) -> Places:
        return by_keys(self.results)

    @cached_property
    def _has_common(self) -> bool:
        return any(split == COMMON for *_, split in self._places)

    @cached_property
    def _jackknife_places(self) -> Places:
        return by_keys(self.jackknife)

    @cached_property
    def _reference_places(self) -> Places:
        return by_keys(self.reference_jackknife)

    def _curve(self, dataset: str, setup: str, metric: str, split: str) -> np.ndarray:
        """The rows of a curve: places in `results`, sorted by scale."""
        rows = self._places.get((dataset, setup, metric, split), NOWHERE)
        rows = rows[np.isfinite(column(self.results, "value", rows))]
        return rows[np.argsort(column(self.results, "scale", rows), kind="stable")]

    def curve(self, dataset: str, setup: str, metric: str, split: str = EVALUATION) -> pd.DataFrame:
        """Columns of a `Measure` and scale, of one setup, sorted by scale; only finite values."""
        rows = self.results.take(self._curve(dataset, setup, metric, split))
        return rows.reindex(columns=["scale", *Measure._fields]).reset_index(drop=True)

    def measure(
        self, dataset: str, cell: Cell, metric: str, split: str = EVALUATION
    ) -> Measure | None:
        """One value, or None when it was not measured or is not finite."""
        rows = self._curve(dataset, cell.setup, metric, split)
        rows = rows[at(column(self.results, "scale", rows), cell.scale)]
        if not len(rows):
            return None
        row = self.results.iloc[rows[0]].dropna()
        return Measure(
            float(row.value),
            float(row.get("se", math.nan)),
            int(row.n),
            float(row.get("raw", math.nan)),
            int(row.get("reference_n", 0)),
            int(row.get("features", 0)),
            row.get("reference", ""),
        )

    def broken(self, dataset: str, setup: str, split: str = EVALUATION) -> list[float]:
        """The setup's scales (NaN: none) at which more images diverged than BROKEN allows."""
        rows = self._curve(dataset, setup, "diverged", split)
        scale, value, n = (column(self.results, name, rows) for name in ("scale", "value", "n"))
        return [float(one) for one in scale[breaks(value * n, n)]]

    def is_broken(self, dataset: str, cell: Cell, split: str = EVALUATION) -> bool:
        """Whether a cell is among those."""
        scales = np.array(self.broken(dataset, cell.setup, split))
        return bool(at(scales, cell.scale).any())

    def chooser(self, dataset: str, metric: str) -> str:
        """The metric by which the lowest `metric` is chosen: of a distance, the sliced one."""
        chooser = CHOSEN_BY.get(metric, metric)
        return chooser if self.has(dataset, chooser) else metric

    def best(self, dataset: str, setup: str, metric: str | None = None) -> Cell | None:
        """The cell with the lowest `metric` (default: the cFD) on the *selection* seeds.

        A distance is compared by its chooser. Equal values: the smaller scale; never a broken cell.
        """
        metric = self.chooser(dataset, metric or self.distance(dataset, "cfd"))
        rows = self.curve(dataset, setup, metric, SELECTION)
        rows = rows[~rows.scale.isin(self.broken(dataset, setup, SELECTION))]
        return None if rows.empty else Cell(setup, float(rows.scale.iloc[rows.value.argmin()]))

    def pairing(self, dataset: str, cells: Sequence[Cell]) -> dict[Cell, str]:
        """The split of each cell on which their differences are taken: of the same seeds.

        Seeds that one has alone would add to the error of a difference, not take from it.
        """
        if not self._has_common:
            return dict.fromkeys(cells, EVALUATION)
        more = {cell for cell in cells if self.measure(dataset, cell, "diverged", COMMON)}
        unlike = 0 < len(more) < len(set(cells))
        return {cell: COMMON if unlike and cell in more else EVALUATION for cell in cells}

    def left_out(self, dataset: str, cell: Cell, metric: str, split: str = EVALUATION) -> pd.Series:
        """The metric without each jackknife block of a split's seeds, indexed by block."""
        key = (dataset, cell.setup, metric, split)
        return without(self.jackknife, self._jackknife_places, key, cell.scale)

    def reference_left_out(
        self, dataset: str, cell: Cell, metric: str, split: str = EVALUATION
    ) -> pd.Series:
        """The metric without each jackknife block of the reference; empty where it has none."""
        key = (dataset, cell.setup, metric, split)
        return without(self.reference_jackknife, self._reference_places, key, cell.scale)

    def apart(self, dataset: str, first: Cell, second: Cell) -> float:
        """Mean pixel difference [0, 255] of two cells' shown images, of equal seeds; else NaN."""
        for cell, other in ((first, second), (second, first)):
            beside = {"other": other.setup, "other_scale": other.scale}
            rows = where(self.pixels, dataset=dataset, **cell._asdict(), **beside)
            if len(rows):
                return float(rows.difference.iloc[0])
        return math.nan

    def along(
        self, dataset: str, quantity: str, classifier: str, source: str, stabilizer: str = "none"
    ) -> pd.DataFrame:
        """Columns t, mean, sd, n, values of a quantity along the forward process, sorted by t."""
        curve = {"classifier": classifier, "input": source, "stabilizer": stabilizer}
        rows = where(self.sensitivity, dataset=dataset, quantity=quantity, **curve)
        return rows[["t", "mean", "sd", "n", "values"]].sort_values("t", ignore_index=True)

    def clean_accuracy(self, dataset: str, classifier: str) -> Measure | None:
        """A classifier's validation accuracy on clean images."""
        rows = where(self.classifiers, dataset=dataset, classifier=classifier)
        if rows.empty:
            return None
        return Measure(float(rows.accuracy.iloc[0]), float(rows.se.iloc[0]), int(rows.n.iloc[0]))
