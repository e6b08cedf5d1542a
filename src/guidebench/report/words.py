"""Numbers and durations as a reader wants them: a value never shows more digits than its error."""

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from guidebench.report.tables import Measure

MISSING = "–"
PLUS_MINUS = "\u00a0±\u00a0"  # no line break inside a number


def number(value: float | None) -> str:
    """Three significant digits; large values without an exponent."""
    if value is None or not math.isfinite(value):
        return MISSING
    if value == 0 or 1e-3 <= abs(value) < 1000:
        return f"{value:.3g}"
    return f"{value:,.0f}" if 1000 <= abs(value) < 1e7 else f"{value:.2e}"


def decimals(error: float) -> int:
    """Decimal places of an error: for two of its digits where the first is 1 or 2, else for one."""
    place = math.floor(math.log10(error))
    return max(0, -place + int(error / 10**place < 2.95))


def measure(value: Measure | None) -> str:
    """`12.3 ± 0.4`: value and standard error, to the same decimals."""
    if value is None:
        return MISSING
    if not math.isfinite(value.se):
        return number(value.value)
    places = decimals(value.se) if value.se else 3
    return f"{value.value:.{places}f}{PLUS_MINUS}{value.se:.{places}f}"


def distance(value: Measure | None) -> str:
    """`12.3 ± 0.4 (raw 14.1)`: beside what it is without a correction; † with n < features."""
    if value is None or not math.isfinite(value.raw) or value.raw == value.value:
        return measure(value)
    return f"{measure(value)} (raw {number(value.raw)}){' †' if value.few else ''}"


def lines(values: Mapping[str, float | None]) -> dict[str, str]:
    """A finding's values for the page: an estimate and its interval share a line."""
    shown = {}
    for key, value in values.items():
        base, _, end = key.rpartition(", ")
        if base in values and end in ("low", "high"):
            continue
        bounds = [
            number(values[f"{key}, {name}"])
            for name in ("low", "high")
            if f"{key}, {name}" in values
        ]
        shown[key] = f"{number(value)} [{', '.join(bounds)}]" if bounds else number(value)
    return shown


def table(
    head: list[str], rows: Collection[Sequence[str]], best: Sequence[bool] = ()
) -> dict[str, Any]:
    """A table of the page; `best` says which rows are set off, none where it is empty."""
    pairs = zip(rows, best or [False] * len(rows), strict=True)
    return {"head": head, "rows": [{"cells": list(row), "best": chosen} for row, chosen in pairs]}


def plural(count: int, word: str) -> str:
    """`1 claim`, `3 claims`."""
    return f"{count} {word}" if count == 1 else f"{count} {word}s"
