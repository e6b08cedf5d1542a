"""What the report says of a world: which guidance is biased, and by how much."""

from __future__ import annotations

import math
from typing import Any

from guidebench.report.plots_truth import DISTANCE
from guidebench.report.tables import Measure, Tables
from guidebench.report.words import measure, number

CLEAR = 3.0
# beside the distance: shown as errors
CHECKS = {"class_frequency": "class frequencies", "mean_error": "mean",
          "covariance_error": "covariance"}  # fmt: skip


def bias(tables: Tables, world: str) -> dict[str, Any]:
    """Head and rows: each setup and scale against its tilted density, with the first sampler.

    The bias is what the distance exceeds the sampler's own error by: the distance of the
    conditional denoiser's samples, which no guidance bends, from p(x | y).
    """
    first = next(iter(tables.summary["worlds"][world]["samplers"]))

    def records(metric: str, reference: str) -> list[dict[str, Any]]:
        rows = tables.errors(world, metric, reference)
        kept = rows[rows.sampler == first] if reference != "floor" else rows
        return [{str(key): value for key, value in row.items()} for row in kept.to_dict("records")]

    distances = records(DISTANCE, "tilted")
    checks = [records(metric, "tilted") for metric in CHECKS]
    floors = {row["exponent"]: _measure(row) for row in records(DISTANCE, "floor")}
    own = next((_measure(row) for row in records(DISTANCE, "conditional")
                if row["setup"] == "conditional"), None)  # fmt: skip
    rows = []
    for row, *others in zip(distances, *checks, strict=True):
        scale = "" if math.isnan(row["scale"]) else f"{row['scale']:g}"
        found = _measure(row)
        cells = [row["setup"], scale, number(row["exponent"]), measure(found),
                 measure(floors[row["exponent"]]), verdict(found, own),
                 *(measure(_measure(other)) for other in others)]  # fmt: skip
        rows.append({"cells": cells, "best": False})
    head = ["setup", "scale", "s", "distance from p(x) p(y|x)^s", "floor", "verdict",
            *(f"error: {title}" for title in CHECKS.values())]  # fmt: skip
    return {"head": head, "rows": rows}


def verdict(found: Measure, own: Measure | None) -> str:
    """`biased by 0.12`, or `no bias seen`, against the sampler's own error."""
    if own is None:
        return "–"
    error, excess = math.hypot(found.se, own.se), found.value - own.value
    if excess > CLEAR * error:
        return f"biased by {measure(Measure(excess, error, found.n))}"
    return "no bias seen"


def _measure(row: dict[str, Any]) -> Measure:
    return Measure(float(row["value"]), float(row["se"]), int(row["n"]))
