"""Edits of synthetic tables: levels, replicates, curves, setups that are gone, cells that broke."""

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import synthetic_tables as synthetic

from guidebench.base.choices import CHOSEN_BY
from guidebench.report.claims.claim import finding
from guidebench.report.claims.findings import claims
from guidebench.report.tables import Tables

Edit = Callable[[Tables], None]
EMA99, EMA9, ADAM = synthetic.EMA99, synthetic.EMA9, synthetic.WITH_ADAM
NOISE = "noise_trained/raw"


def values(tables: Tables, keep: pd.Series, wanted: Callable[[np.ndarray, int], Any]) -> None:
    """Set every image's value in the kept rows to `wanted(values, t)`."""
    rows = tables.sensitivity
    for index in rows.index[keep]:
        for key, found in synthetic.row(
            wanted(rows.at[index, "values"], rows.at[index, "t"])
        ).items():
            rows.at[index, key] = found


def level(setup: str, metric: str, value: float | list[float], split: str | None = None) -> Edit:
    """Set a metric at all scales (or scale by scale, ascending), in the replicates alike."""

    def edit(tables: Tables) -> None:
        for rows in (tables.results, tables.jackknife):
            keep = (rows.setup == setup) & (rows.metric == metric)
            keep &= (rows.split == split) if split else True
            scales = sorted(rows.scale[keep].unique())
            values = value if isinstance(value, list) else [value] * len(scales)
            for scale, wanted in zip(scales, values, strict=True):
                cell = keep & (rows.scale.isna() if np.isnan(scale) else rows.scale == scale)
                middle = rows.value[cell].groupby(rows.split[cell]).transform("mean")
                rows.loc[cell, "value"] += wanted - middle

    return edit


def another(
    tables: Tables, setup: str, way: str, variant: dict[str, Any], evaluations: float = 50.0
) -> Tables:
    """A setup's numbers again, as another way of sampling with its guide."""
    facts = tables.facts("balls")["setups"]
    new = f"{setup}@{way}"
    facts[new] = facts[setup] | {"variant": facts[setup]["variant"] | variant}
    frames = {}
    for name in ("results", "jackknife", "attributes"):
        table = getattr(tables, name)
        own = table[table.setup == setup].assign(setup=new)
        if name == "results":
            own.loc[own.metric == "denoiser_evaluations", "value"] = evaluations
        frames[name] = pd.concat([table, own], ignore_index=True)
    return dataclasses.replace(tables, **frames)


def every(*edits: Edit) -> Edit:
    """One edit after the other."""

    def edit(tables: Tables) -> None:
        for single in edits:
            single(tables)

    return edit


def wobble(setup: str, metric: str, size: float) -> Edit:
    def edit(tables: Tables) -> None:
        rows = tables.jackknife
        keep = (rows.setup == setup) & (rows.metric == metric)
        rows.loc[keep, "value"] += size * (rows.block[keep] % 2 * 2 - 1)

    return edit


def without(setup: str) -> Edit:
    return lambda tables: tables.facts("balls")["setups"].pop(setup)


def drop(stabilizer: str) -> Edit:
    def edit(tables: Tables) -> None:
        rows = tables.sensitivity
        rows.drop(rows.index[rows.stabilizer == stabilizer], inplace=True)

    return edit


def broke(tables: Tables, setup: str, *lost: float) -> Tables:
    """Half of the evaluation images diverged at these scales."""
    rows = tables.results
    keep = (rows.setup == setup) & (rows.metric == "diverged") & (rows.split == "evaluation")
    rows.loc[keep & rows.scale.isin(lost), "value"] = 0.5
    return tables


def diverge(tables: Tables, setup: str, share: float, *splits: str) -> None:
    rows = tables.results
    keep = (rows.setup == setup) & (rows.metric == "diverged") & rows.split.isin(splits)
    rows.loc[keep, "value"] = share


def with_columns(tables: Tables, **columns: float) -> Tables:
    return dataclasses.replace(tables, results=tables.results.assign(**columns))


def with_choosers(tables: Tables) -> Tables:
    """The sliced distances beside the Fréchet ones, with the same values."""
    frames = {}
    for name in ("results", "jackknife"):
        rows = getattr(tables, name)
        extra = rows[rows.metric.isin(CHOSEN_BY)]
        extra = extra.assign(metric=extra.metric.map(CHOSEN_BY))
        frames[name] = pd.concat([rows, extra], ignore_index=True)
    return dataclasses.replace(tables, **frames)


def with_every_class(tables: Tables) -> Tables:
    """Every class in turn, and cfg, with whose weight metrics rise or, diversity, fall."""
    facts = tables.facts("balls")
    facts["target"] = "each"
    facts["setups"]["cfg"] = facts["setups"][NOISE] | {"kind": "cfg", "classifier": None}
    directions = {"fd_judge": 1.0, "is_judge": 1.0, "diversity_judge": -1.0, "recall_judge": 1.0}
    raters = [(NOISE, "guide", "noise_trained"), ("cfg", "judge", "noise_trained")]
    raters += [("cfg", "judge", "judge")]
    frames = {}
    for name in ("results", "jackknife"):
        rows = getattr(tables, name)
        own = rows[rows.setup == NOISE]
        base = own[own.metric == "fd_judge"].assign(setup="cfg")
        parts = [rows]
        for metric, sign in directions.items():
            parts.append(base.assign(metric=metric, value=5 + sign * base.scale))
        for setup, who, rater in raters:
            accuracies = own[own.metric == f"accuracy_{who}"]
            parts.append(accuracies.assign(setup=setup, metric=f"accuracy_{rater}"))
        frames[name] = pd.concat(parts, ignore_index=True)
    return dataclasses.replace(tables, **frames)


def row(table: dict, title: str) -> list[str]:
    (found,) = [entry["cells"] for entry in table["rows"] if entry["cells"][0].endswith(title)]
    return found


def verdict(tables: Tables, number: int) -> dict[str, object]:
    (claim,) = (claim for id_, claim in claims(tables, "balls") if id_ == number)
    return finding(claim, tables, "balls", number)
