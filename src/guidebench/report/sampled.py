"""Guides that are sampled in several ways: setups that differ in sampler or steps alone."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from guidebench.base.cells import Cell
from guidebench.report.claims.verdicts import Interval, Unmeasured, difference
from guidebench.report.tables import Tables
from guidebench.report.variants import plainest_first

KEYS = ("sampler", "steps")
STABILIZER = ("stabilizer", "stabilizer_options")


class Way(NamedTuple):
    """A setup as one way of sampling with a guide, which is called like its plainest setup."""

    guide: str
    sampler: str
    steps: int
    setup: str


class Against(NamedTuple):
    """A stabilizer against none: both ways, their cells, and the paired difference of distances.

    A cell is None where its setup has no scale that counts, `gap` where it is not measured.
    """

    way: Way
    plain: Way
    cells: tuple[Cell | None, Cell | None]
    gap: Interval | None


def ways(tables: Tables, dataset: str, names: Sequence[str] | None = None) -> list[Way]:
    """Of these setups (None: the guided) those whose guide is sampled in several ways, in order."""
    facts = tables.facts(dataset)
    names = tables.guided(dataset) if names is None else names
    alike: dict[str, dict[str, Any]] = defaultdict(dict)
    for name in names:
        entry = facts["setups"][name]
        alike[_guide(entry)][name] = entry
    found: dict[str, Way] = {}
    for entries in alike.values():
        asked = {name: _asked(entry, facts) for name, entry in entries.items()}
        if len(set(asked.values())) > 1:
            guide = plainest_first(entries)[0]
            found |= {name: Way(guide, *own, name) for name, own in asked.items()}
    return [found[name] for name in names if name in found]


def plain(tables: Tables, dataset: str, names: Sequence[str] | None = None) -> list[str]:
    """Of these setups (None: the guided) each guide once, however many ways it is sampled in."""
    names = tables.guided(dataset) if names is None else names
    others = {way.setup for way in ways(tables, dataset, names) if way.setup != way.guide}
    return [name for name in names if name not in others]


def against_none(tables: Tables, dataset: str) -> list[Against]:
    """Each stabilizer against the same guide without any, by sampler and steps.

    Of the cFD, each at its scale chosen on selection seeds; the intervals hold all together.
    """
    setups, every = tables.facts(dataset)["setups"], ways(tables, dataset)
    metric = tables.distance(dataset, "cfd")
    pairs = [
        (way, other)
        for way in every
        for other in every
        if setups[way.setup]["stabilizer"] not in (None, "none")
        and setups[other.setup]["stabilizer"] == "none"
        and way[1:3] == other[1:3]
        and _guide(setups[way.setup], STABILIZER) == _guide(setups[other.setup], STABILIZER)
    ]
    found = []
    for way, other in pairs:
        cells = tables.best(dataset, way.setup, metric), tables.best(dataset, other.setup, metric)
        gap = None
        if cells[0] and cells[1]:
            with suppress(Unmeasured):
                first, second = (cells[0], metric), (cells[1], metric)
                gap = difference(tables, dataset, first, second, len(pairs))
        found.append(Against(way, other, cells, gap))
    return found


def _guide(entry: Mapping[str, Any], but: tuple[str, ...] = ()) -> str:
    """What a setup's entry of the summary says beside its scales and how it is sampled."""
    variant = {key: value for key, value in entry["variant"].items() if key not in KEYS}
    rest = {key: value for key, value in entry.items() if key not in ("scales", *but)}
    return json.dumps(rest | {"variant": variant}, sort_keys=True)


def _asked(entry: Mapping[str, Any], facts: Mapping[str, Any]) -> tuple[str, int]:
    """Its sampler and steps."""
    variant = entry["variant"]
    return variant.get("sampler", facts["sampler"]), variant.get("steps", facts["steps"])
