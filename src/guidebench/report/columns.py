"""Columns and types of the result tables."""

from collections.abc import Sequence

import pandas as pd

_SCORE = (
    "dataset: str, setup: str, scale: float64, split: str, seed: int64, metric: str, "
    "value: float64, se: float64, n: int64, extractor: str, reference: str"
)
_BLOCK = (
    "dataset: str, setup: str, scale: float64, split: str, metric: str, block: int64, "
    "value: float64"
)
_ALONG = "dataset: str, classifier: str, input: str, stabilizer: str"
# columns and types of each table: one without rows has them, too
COLUMNS = {
    "results": f"{_SCORE}, raw: float64, reference_n: int64, features: int64",
    "cell_costs": _SCORE,
    "jackknife": _BLOCK,
    "reference_jackknife": _BLOCK,
    "pixels": "dataset: str, setup: str, scale: float64, other: str, other_scale: float64, "
    "difference: float64",
    "sensitivity": f"{_ALONG}, t: int64, quantity: str, mean: float64, sd: float64, n: int64, "
    "values: object",
    "attributes": "dataset: str, setup: str, scale: float64, attribute: str, error: float64, "
    "values: object",
    "classifiers": "dataset: str, classifier: str, architecture: str, accuracy: float64, "
    "se: float64, n: int64, parameters: int64",
    "history": "step: int64, quantity: str, value: float64, dataset: str, model: str",
    "truth": "world: str, setup: str, scale: float64, sampler: str, steps: int64, n: int64, "
    "evaluations: float64, reference: str, exponent: float64, metric: str, value: float64, "
    "se: float64",
}


def columns(name: str) -> dict[str, str]:
    """Columns and types of the table of that name."""
    return dict(column.split(": ") for column in COLUMNS[name].split(", "))


def joined(name: str, frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """The rows of all frames as the table of that name, which has its columns without any row."""
    empty = pd.DataFrame({key: pd.Series(dtype=kind) for key, kind in columns(name).items()})
    filled = [frame for frame in frames if len(frame)]
    return pd.concat(filled, ignore_index=True) if filled else empty
