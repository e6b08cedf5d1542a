"""What the report says of a world: which guidance is biased, and by how much."""

import math
from typing import Any

import pandas as pd

from guidebench.report.figures.truth_errors import DISTANCE
from guidebench.report.tables import Measure, Tables
from guidebench.report.words import MISSING, measure, number, table

CLEAR = 3.0
ROUNDING = 1e-9  # of a rotation in float64
# beside the distance: shown as errors
CHECKS = {
    "class_frequency": "class frequencies",
    "mean_error": "mean",
    "covariance_error": "covariance",
}
ABOUT = ["setup", "scale", "s"]


def bias(tables: Tables, world: str) -> dict[str, Any]:
    """Head and rows: each setup and scale against its tilted density, with the first sampler."""
    first = next(iter(tables.summary["worlds"][world]["samplers"]))
    distances = _first(tables, world, DISTANCE, first)
    checks = [_first(tables, world, metric, first) for metric in CHECKS]
    floors = _floors(tables, world)
    biases = {
        (row.setup, str(row.scale)): row
        for _, row in _first(tables, world, "bias", first).iterrows()
    }
    rows = []
    for position, (_, row) in enumerate(distances.iterrows()):
        bias = biases.get((row.setup, str(row.scale)))
        cells = [
            *_about(row),
            measure(_measure(row)),
            measure(floors[row.exponent]),
            "–" if bias is None else verdict(bias),
            *(measure(_measure(check.iloc[position])) for check in checks),
        ]
        rows.append(cells)
    head = [
        *ABOUT,
        "distance from p(x) p(y|x)^s",
        "floor",
        "verdict",
        *(f"error: {title}" for title in CHECKS.values()),
    ]
    return table(head, rows)


def every_sampler(tables: Tables, world: str) -> dict[str, Any]:
    """Head and rows: the distance from the tilted density by setup and scale, and sampler."""
    samplers = list(tables.summary["worlds"][world]["samplers"])
    floors = _floors(tables, world)
    rows = []
    distances = tables.errors(world, DISTANCE, "tilted")
    for _, group in distances.groupby(["setup", "scale"], sort=False, dropna=False):
        by_sampler = {row.sampler: measure(_measure(row)) for _, row in group.iterrows()}
        cells = [
            *_about(group.iloc[0]),
            measure(floors[group.exponent.iloc[0]]),
            *(by_sampler.get(sampler, "–") for sampler in samplers),
        ]
        rows.append(cells)
    return table([*ABOUT, "floor", *samplers], rows)


# of a field's rotation, by reference: which networks, and which part of the field
FIELDS = {
    "exact": "exact networks",
    "learned": "trained networks",
    "guidance": "trained networks, guidance alone",
}


def gradients(tables: Tables, world: str) -> dict[str, Any]:
    """Head and rows: how far each setup's guided field is from a gradient."""
    found = {name: tables.errors(world, "rotation", name) for name in FIELDS}
    shown = [name for name, rows in found.items() if len(rows)]
    by_cell = {
        name: {(row.setup, str(row.scale)): row for _, row in rows.iterrows()}
        for name, rows in found.items()
    }
    rows = []
    for _, row in found["exact"].iterrows():
        of_cell = [by_cell[name].get((row.setup, str(row.scale))) for name in shown]
        rows.append([*_about(row), *map(_rotation, of_cell)])
    return table([*ABOUT, *(FIELDS[name] for name in shown)], rows)


def _rotation(row: Any) -> str:
    """A share, or a number at rounding without an error that would say nothing."""
    if row is None:
        return MISSING
    return number(row.value) if row.value < ROUNDING else measure(_measure(row))


def verdict(row: Any) -> str:
    """`biased by` what guidance adds to the distance, or that it is not clear from none."""
    value = _measure(row)
    if not (math.isfinite(value.value) and math.isfinite(value.se)):
        return "not finite"
    if value.value > CLEAR * value.se:
        return f"biased by {measure(value)}"
    return f"no bias seen: {measure(value)}"


def _first(tables: Tables, world: str, metric: str, sampler: str) -> pd.DataFrame:
    rows = tables.errors(world, metric, "tilted")
    return rows[rows.sampler == sampler].reset_index(drop=True)


def _floors(tables: Tables, world: str) -> dict[float, Measure]:
    rows = tables.errors(world, DISTANCE, "floor")
    return {row.exponent: _measure(row) for _, row in rows.iterrows()}


def _about(row: Any) -> list[str]:
    return [row.setup, "" if math.isnan(row.scale) else f"{row.scale:g}", number(row.exponent)]


def _measure(row: Any) -> Measure:
    return Measure(float(row.value), float(row.se), int(row.n))
