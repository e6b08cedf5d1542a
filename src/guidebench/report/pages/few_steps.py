"""The table of stabilizers by sampler and steps: does stabilisation survive fewer steps?"""

from __future__ import annotations

from collections import Counter
from typing import Any

from guidebench.base.cells import Cell
from guidebench.report.claims.verdicts import Interval
from guidebench.report.figures import theme
from guidebench.report.sampled import Against, against_none, ways
from guidebench.report.tables import Tables
from guidebench.report.words import MISSING, distance, number, plural

LOWER, HIGHER, EQUAL, UNMEASURED = "lower", "higher", "not distinguishable", "not measured"


def table(tables: Tables, dataset: str) -> dict[str, Any]:
    """Head and rows, and a sentence for each stabilizer: its cFD against that of no stabilizer.

    `count`: the ways of sampling that are in no figure against the scale.
    """
    found, metric = against_none(tables, dataset), tables.distance(dataset, "cfd")
    rows = [{"cells": _cells(tables, dataset, metric, one), "best": False} for one in found]
    head = ["sampler", "steps", "evaluations an image", "stabilized", "scale", metric]
    head += ["not stabilized", "scale", metric, "difference", "stabilized is"]
    others = [way for way in ways(tables, dataset) if way.setup != way.guide]
    return {"head": head, "rows": rows, "said": _said(found, metric), "count": len(others)}


def _cells(tables: Tables, dataset: str, metric: str, one: Against) -> list[str]:
    cost = one.cells[0] and tables.measure(dataset, one.cells[0], "denoiser_evaluations")
    row = [one.way.sampler, str(one.way.steps), number(cost.value if cost else None)]
    for way, cell in zip((one.way, one.plain), one.cells, strict=True):
        row += [theme.title(way.guide), *_value(tables, dataset, metric, cell)]
    return [*row, str(one.gap) if one.gap else MISSING, _verdict(one.gap)]


def _value(tables: Tables, dataset: str, metric: str, cell: Cell | None) -> tuple[str, str]:
    if cell is None:
        return MISSING, MISSING
    return f"{cell.scale:g}", distance(tables.measure(dataset, cell, metric))


def _verdict(gap: Interval | None) -> str:
    if gap is None:
        return UNMEASURED
    return LOWER if gap.negative else HIGHER if gap.positive else EQUAL


def _said(found: list[Against], metric: str) -> list[str]:
    """Of each stabilized guide, in how many of its ways the distance is lower than without."""
    sentences = []
    for guide, plain in dict.fromkeys((one.way.guide, one.plain.guide) for one in found):
        own = [one for one in found if (one.way.guide, one.plain.guide) == (guide, plain)]
        counts = Counter(_verdict(one.gap) for one in own)
        lower = [one.way for one in own if _verdict(one.gap) == LOWER]
        where = ", ".join(f"{way.sampler} in {way.steps}" for way in lower)
        sentences.append(
            f"{theme.title(guide)} against {theme.title(plain)}: of {plural(len(own), 'pair')} of "
            f"sampler and steps its {metric} is lower for certain in {len(lower)}"
            + (f" ({where})" if where else "")
            + f", higher in {counts[HIGHER]}, and not distinguishable in {counts[EQUAL]}"
            + (f"; {counts[UNMEASURED]} not measured." if counts[UNMEASURED] else ".")
        )
    return sentences
