"""Where the rows of a table stand, by what they are looked up by."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import pandas as pd

# rows are looked up by them thousands of times: where they stand is noted at the first time
KEYS = ("dataset", "setup", "metric", "split")

Places: TypeAlias = dict[tuple[str, ...], np.ndarray]  # the rows of a table by their KEYS
NOWHERE = np.array([], dtype=np.intp)


def by_keys(table: pd.DataFrame) -> Places:
    """The places of a table's rows by their KEYS."""
    found: dict[tuple[str, ...], list[int]] = {}
    for place, key in enumerate(zip(*(table[name] for name in KEYS), strict=True)):
        found.setdefault(key, []).append(place)
    return {key: np.array(places) for key, places in found.items()}


def column(table: pd.DataFrame, name: str, rows: np.ndarray) -> np.ndarray:
    """A column of numbers, at some places."""
    return table[name].to_numpy()[rows]


def without(
    table: pd.DataFrame, places: Places, key: tuple[str, ...], scale: float | None
) -> pd.Series:
    """Replicates of one metric at a scale, indexed by the jackknife block that each leaves out."""
    rows = places.get(key, NOWHERE)
    rows = rows[at(column(table, "scale", rows), scale)]
    blocks, first = np.unique(column(table, "block", rows), return_index=True)
    values = column(table, "value", rows[first])
    return pd.Series(values, pd.Index(blocks, name="block"), name="value")


def where(table: pd.DataFrame, **values: Any) -> pd.DataFrame:
    """The rows whose columns have these values; None: where they have none."""
    rows = np.arange(len(table))  # fewer with each column: three times as fast as pandas' masks
    for column, value in values.items():
        rows = rows[np.asarray(at(table[column].array.take(rows), value))]
    return table.take(rows)


def at(column: Any, value: str | float | None) -> Any:
    """Where a column has a value, as `scale`; None is NaN in it."""
    return pd.isna(column) if value is None else column == value
