"""Sensitivity tied to outcome: does a smoother gradient guide to better samples?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from guidebench.base.cells import Cell
from guidebench.report.chosen import selected
from guidebench.report.claims.intervals import RESAMPLES, ranks
from guidebench.report.claims.verdicts import CONFIDENCE, Interval
from guidebench.report.sampled import plain
from guidebench.report.tables import Tables

LEAST = 4  # setups that a rank correlation is shown of
SEED = 0
TAILS = [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2]
# keys of a setup by which its gradient is another than the one that the analysis measures
OTHER_GRADIENT = {"temperature", "conditional", "clip", "clip_gradient", "paper_compat"}


class Point(NamedTuple):
    """A setup at its selected scale, and its gradient sensitivity: each image's mean over t."""

    cell: Cell
    sensitivity: np.ndarray


def metrics(tables: Tables, dataset: str) -> tuple[str, str]:
    """What guidance reaches: the distance that verdicts use, and the judge's accuracy."""
    return tables.distance(dataset, "cfd"), "accuracy_judge"


def points(tables: Tables, dataset: str) -> list[Point]:
    """Setups of which both were measured, in the config's order; none where they are too few.

    Of a guide that is sampled in several ways its plainest setup: the others have its sensitivity,
    and would count it again.
    """
    distance, accuracy = metrics(tables, dataset)
    guides = plain(tables, dataset)
    found = []
    for cell in selected(tables, dataset, distance):
        if cell.setup not in guides:
            continue
        values = _sensitivity(tables, dataset, cell.setup)
        if values.sum() > 0 and tables.measure(dataset, cell, accuracy):
            found.append(Point(cell, values))
    return found if len(found) >= LEAST else []


def _sensitivity(tables: Tables, dataset: str, setup: str) -> np.ndarray:
    """Mean gradient sensitivity over t [images]; of the t at which it is finite for all of them.

    Empty where the analysis has none of that classifier, input and stabilizer.
    """
    facts = tables.facts(dataset)
    known = facts["setups"][setup]
    stabilizer = _stabilizer(known, facts["stabilizers"])
    if known["kind"] != "classifier" or OTHER_GRADIENT & set(known["variant"]) or not stabilizer:
        return np.empty(0)
    rows = tables.along(
        dataset, "grad_sensitivity", known["classifier"], known["input"], stabilizer
    )
    curves = np.array(list(rows["values"]), dtype=float)
    return curves[np.isfinite(curves).all(-1)].mean(0) if len(curves) else np.empty(0)


def _stabilizer(setup: Mapping[str, Any], analysed: Mapping[str, Mapping[str, Any]]) -> str | None:
    """What the analysis calls a setup's stabilizer; None where it has no such."""
    if setup["stabilizer"] == "none":
        return "none"
    options = {"name": setup["stabilizer"]} | setup["stabilizer_options"]
    same = (
        name
        for name, one in analysed.items()
        if all(one[key] == value for key, value in options.items() if key in one)
    )
    return next(same, None)


def of_images(compared: list[Point], chance: np.random.Generator) -> np.ndarray:
    """Sensitivities [RESAMPLES, setups] of images drawn with replacement, the same of all."""
    values = np.stack([point.sensitivity for point in compared])
    n = values.shape[1]
    return chance.multinomial(n, np.full(n, 1 / n), size=RESAMPLES) / n @ values.T


def _of_seeds(
    tables: Tables, dataset: str, compared: list[Point], metric: str, chance: np.random.Generator
) -> np.ndarray:
    """Values [RESAMPLES, setups] of a metric, moved by their jackknife errors, which are paired.

    A block of seeds, or of the reference, moves all setups by what leaving it out changes in each.
    """
    values = [tables.measure(dataset, point.cell, metric) for point in compared]
    moved = np.tile([value.value for value in values if value], (RESAMPLES, 1))
    for left_out in (tables.left_out, tables.reference_left_out):
        blocks = pd.concat([left_out(dataset, cell, metric) for cell, _ in compared], axis=1)
        replicates = blocks.dropna().to_numpy(float)
        if count := len(replicates):
            changes = (1 - 1 / count) ** 0.5 * (replicates - replicates.mean(0))
            moved += chance.normal(size=(RESAMPLES, count)) @ changes
    return moved


def correlation(tables: Tables, dataset: str, metric: str) -> Interval | None:
    """Spearman's correlation of sensitivity and a metric over the setups, with its interval.

    A bootstrap: setups are drawn with replacement, and of each draw the analysis' images, too, and
    the metric moves by its error; of the percentile and the basic bootstrap the wider end counts.
    Draws of fewer than three setups are left out. None where setups are too few or all alike.
    """
    compared = points(tables, dataset)
    values = [tables.measure(dataset, point.cell, metric) for point in compared]
    levels = np.array([value.value for value in values if value])
    if len(set(levels)) < 2:
        return None
    estimate = float(
        ranks(np.array([point.sensitivity.mean() for point in compared])) @ ranks(levels)
    )
    chance = np.random.default_rng(SEED)
    x, y = of_images(compared, chance), _of_seeds(tables, dataset, compared, metric, chance)
    setups = chance.integers(0, len(compared), x.shape)
    several = (np.diff(np.sort(setups), axis=1) > 0).sum(1) >= 2
    x, y = (np.take_along_axis(values, setups, 1)[several] for values in (x, y))
    low, high = np.quantile((ranks(x) * ranks(y)).sum(1), TAILS)
    return Interval(
        estimate, max(-1.0, min(low, 2 * estimate - high)), min(1.0, max(high, 2 * estimate - low))
    )
