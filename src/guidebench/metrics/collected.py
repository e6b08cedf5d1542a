"""The scores of all cells as long tables."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from guidebench.metrics.score import Score


class Row(NamedTuple):
    """The cell, split and seed of the experiment that a score is of."""

    dataset: str
    setup: str
    scale: float | None
    split: str
    seed: int


class Scores:
    """Collects scores into the long table and the tables of jackknife replicates."""

    def __init__(self) -> None:
        self._rows: list[dict[str, Any]] = []
        self._replicates: dict[str, list[pd.DataFrame]] = {
            "replicates": [],
            "reference_replicates": [],
        }

    def extend(self, row: Row, scores: Iterator[Score]) -> None:
        """Add all scores of one cell and split."""
        for score in scores:
            values = score._asdict()
            for kind, frames in self._replicates.items():
                replicates = values.pop(kind)
                frames.append(
                    pd.DataFrame(
                        {
                            "dataset": row.dataset,
                            "setup": row.setup,
                            "scale": np.nan if row.scale is None else row.scale,
                            "split": row.split,
                            "metric": score.metric,
                            "block": np.arange(len(replicates)),
                            "value": replicates,
                        }
                    )
                )
            self._rows.append(row._asdict() | values)

    def results(self) -> pd.DataFrame:
        """One row per dataset, setup, scale, split and metric."""
        return pd.DataFrame(self._rows).astype({"scale": "float64"})

    def jackknife(self) -> pd.DataFrame:
        """One row per left-out jackknife block of seeds, the same in every cell (paired)."""
        return pd.concat(self._replicates["replicates"], ignore_index=True)

    def reference(self) -> pd.DataFrame:
        """One row per left-out jackknife block of reference images, where these are a sample."""
        return pd.concat(self._replicates["reference_replicates"], ignore_index=True)
