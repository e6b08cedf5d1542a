"""The tidy rows behind the figures, one point a row: what is drawn, and what the CSV has."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from guidebench.base.cells import Cell
from guidebench.report.claims.intervals import proportions
from guidebench.report.claims.kinds import Kind
from guidebench.report.claims.verdicts import quantile
from guidebench.report.metrics import exact_share
from guidebench.report.sampled import plain
from guidebench.report.tables import FLOOR, Measure, Tables

Curve = tuple[str, str, str]  # a kind of classifier, input, stabilizer
CURVE = ["kind", "input", "stabilizer"]
LOGARITHMIC = ("logit_sensitivity", "grad_sensitivity", "update_norm")


def band(mean: np.ndarray, sd: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The pair mean / s, mean * s with log s = sqrt(log(1 + (sd/mean)^2)): one sd of a log-normal.

    The band mean +- sd would go through zero, which a log scale cannot show.
    """
    factor = np.exp(np.sqrt(np.log1p((sd / mean) ** 2)))
    return mean / factor, mean * factor


def _ends(quantity: str, rows: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Where a curve's band begins and ends: 95 % intervals over images, or one sd of sensitivities.

    NaN for a quantity that is drawn without.
    """
    mean, sd = rows["mean"].to_numpy(), rows.sd.fillna(0).to_numpy()
    if quantity == "accuracy":
        low, high = proportions(rows["mean"], rows.n)
        return low, high
    if quantity in LOGARITHMIC:
        return band(mean, sd)
    half = 1.96 * sd / rows.n**0.5 if quantity == "implicit_cosine" else np.nan * mean
    return mean - half, mean + half


def along(tables: Tables, dataset: str, quantity: str, curves: Sequence[Curve]) -> pd.DataFrame:
    """Columns CURVE, classifier, quantity, t, mean, low, high, sd, n of the measured curves.

    Of several classifiers of a kind (clean, noise_trained, adversarial) the first in the config.
    """
    frames = []
    for curve in curves:
        rows = _measured(tables, dataset, quantity, curve)
        if quantity in LOGARITHMIC:
            rows = rows[rows["mean"] > 0]
        if len(rows):
            low, high = _ends(quantity, rows)
            named = dict(zip(CURVE, curve, strict=True))
            frames.append(rows.assign(quantity=quantity, low=low, high=high, **named))
    columns = [*CURVE, "classifier", "quantity", "t", "mean", "low", "high", "sd", "n"]
    return pd.concat(frames)[columns] if frames else pd.DataFrame(columns=columns)


def classifiers(tables: Tables, dataset: str, kind: str) -> list[str]:
    """The classifiers of a kind that may guide, in the config's order."""
    return Kind(classifier=kind).classifiers(tables.facts(dataset))


def _measured(tables: Tables, dataset: str, quantity: str, curve: Curve) -> pd.DataFrame:
    kind, source, stabilizer = curve
    for name in classifiers(tables, dataset, kind):
        rows = tables.along(dataset, quantity, name, source, stabilizer).drop(columns="values")
        if len(rows):
            return rows.assign(classifier=name)
    return pd.DataFrame(columns=["mean"])


def half_width(tables: Tables, dataset: str) -> float:
    """How many standard errors a 95 % interval reaches: Student's, for the jackknife's blocks."""
    blocks = tables.jackknife.block[tables.jackknife.dataset == dataset].nunique()
    return quantile(blocks - 1) if blocks > 1 else 1.96


def unguided(tables: Tables, dataset: str, setups: Sequence[str]) -> list[Cell]:
    """The plainest setup without guidance, then those that are sampled as any of `setups` is."""
    return list(dict.fromkeys(tables.unguided(dataset, like) for like in (None, *setups)))


def against_scale(
    tables: Tables, dataset: str, metric: str, setups: Sequence[str] | None = None
) -> pd.DataFrame:
    """Columns setup, scale, metric, broken, low, high and those of a `Measure`.

    Of guided setups at every scale, then of `unguided` and floor, which have none. `setups`: None
    for `sampled.plain`. NaN where a broken cell has no value, or a value no error: `low` and `high`
    are ends of 95 % intervals, of shares of samples exact ones.
    """
    frames = []
    drawn = plain(tables, dataset) if setups is None else setups
    for setup in [*drawn, *(cell.setup for cell in unguided(tables, dataset, drawn)), FLOOR]:
        rows, broken = tables.curve(dataset, setup, metric), tables.broken(dataset, setup)
        lost = [scale for scale in broken if np.isfinite(scale) and scale not in set(rows.scale)]
        rows = pd.concat([rows, pd.DataFrame({"scale": lost})]) if lost else rows
        flags = rows.scale.isin(broken)  # NaN, of what has no scale, is in it, too
        frames.append(rows.assign(setup=setup, broken=flags).sort_values("scale"))
    rows = pd.concat([frame for frame in frames if len(frame)] or frames[:1], ignore_index=True)
    half = half_width(tables, dataset) * rows.se
    low, high = rows.value - half, rows.value + half
    known = rows.value.notna()
    if exact_share(metric) and known.any():
        low[known], high[known] = proportions(rows.value[known], rows.n[known])
    counts = {key: rows[key].astype("Int64") for key in ("n", "reference_n", "features")}
    rows = rows.assign(metric=metric, low=low, high=high, **counts)
    return rows[["setup", "scale", "metric", "broken", "low", "high", *Measure._fields]]


def of_cell(rows: pd.DataFrame, cell: Cell) -> pd.DataFrame:
    """The row of a cell without a scale among those of `against_scale`; none where unmeasured."""
    return rows[(rows.setup == cell.setup) & rows.scale.isna() & rows.value.notna()]


def losses(tables: Tables, dataset: str) -> pd.DataFrame:
    """Columns model, step, value of every training's loss."""
    table = tables.history
    rows = table[(table.dataset == dataset) & (table.quantity == "loss") & (table.value > 0)]
    return rows.sort_values(["model", "step"], kind="stable")[["model", "step", "value"]]
