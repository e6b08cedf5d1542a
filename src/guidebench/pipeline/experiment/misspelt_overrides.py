"""Entries that an experiment overrides and its base lacks: a name with a slip of the finger."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from typing import Any, NamedTuple

# sections of named entries: what one entry is called, and keys that only a new one is given
ENTRIES = {
    "datasets": ("data set", {"data"}),
    "worlds": ("world", {"components", "drawn"}),
    "setups": ("setup", {"guidance"}),
    "classifiers": ("classifier", {"architecture"}),
    "samplers": ("sampler", {"sampler"}),
    "stabilizers": ("stabilizer", {"name"}),
}


class Stranger(NamedTuple):
    """A named entry that the base lacks: key path, name, what it is, and the base's names."""

    path: str
    name: str
    kind: str
    known: list[str]

    def line(self, base: str) -> str:
        """That the base has no such entry."""
        near = difflib.get_close_matches(self.name, self.known, 1)
        hint = f" (did you mean {near[0]}?)" if near else ""
        return (
            f"{self.path}: found no such {self.kind} in {base}{hint}, allowed: "
            f"{', '.join([*self.known, 'or a whole new one'])}"
        )


def strangers(below: Any, above: Any, path: str = "", section: str = "") -> Iterator[Stranger]:
    """The entries of `above` that `below` lacks and that are no whole ones."""
    for key, value in above.items() if isinstance(below, dict) and isinstance(above, dict) else ():
        here = f"{path}.{key}".lstrip(".")
        if section in ENTRIES and key not in below:
            kind, whole = ENTRIES[section]
            if isinstance(value, dict) and not whole & set(value):
                yield Stranger(here, key, kind, list(below))
        else:
            yield from strangers(below.get(key), value, here, "" if section in ENTRIES else key)


def named(lines: list[str], below: Any, above: Any, base: str) -> list[str]:
    """Lines about mistakes; the first one in a stranger comes after one that says that it is."""
    found = list(strangers(below, above))
    said: dict[str, None] = {}
    for line in lines:
        for one in found:
            if line.startswith((f"{one.path}.", f"{one.path}: ")):
                said[one.line(base)] = None
        said[line] = None
    return list(said)
