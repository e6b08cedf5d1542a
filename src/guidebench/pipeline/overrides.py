"""Entries that an experiment overrides and its base lacks: a name with a slip of the finger."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from typing import Any, NamedTuple

# sections of named entries, and what one entry is called
ENTRIES = {"datasets": "data set", "worlds": "world", "setups": "setup",
           "classifiers": "classifier", "samplers": "sampler",
           "stabilizers": "stabilizer"}  # fmt: skip
WHOLE = {"guidance", "data"}  # who writes these means a new entry


class Stranger(NamedTuple):
    """A named entry that the base lacks: key path, name, what it is, and the base's names."""

    path: str
    name: str
    kind: str
    known: list[str]

    def line(self, line: str, base: str) -> str:
        """A mistake in the entry, said as what it is."""
        near = difflib.get_close_matches(self.name, self.known, 1)
        hint = f" (did you mean {near[0]}?)" if near else ""
        rest = line.removeprefix(self.path).removeprefix(".").removeprefix(": ")
        return (f"{self.path}: found no such {self.kind} in {base}{hint}, allowed: "
                f"{', '.join([*self.known, 'or a whole new one'])} ({rest})")  # fmt: skip


def strangers(below: Any, above: Any, path: str = "", section: str = "") -> Iterator[Stranger]:
    """The entries of `above` that `below` lacks and that are no whole ones."""
    for key, value in above.items() if isinstance(below, dict) and isinstance(above, dict) else ():
        here = f"{path}.{key}".lstrip(".")
        if section in ENTRIES and key not in below:
            if isinstance(value, dict) and not WHOLE & set(value):
                yield Stranger(here, key, ENTRIES[section], list(below))
        else:
            yield from strangers(below.get(key), value, here, "" if section in ENTRIES else key)


def named(lines: list[str], below: Any, above: Any, base: str) -> list[str]:
    """Lines about mistakes; those in a stranger say that it is one."""
    found = list(strangers(below, above))
    said: dict[str, str] = {}
    for line in lines:
        within = [one for one in found if line.startswith((f"{one.path}.", f"{one.path}: "))]
        said.setdefault(within[0].path if within else line,
                        within[0].line(line, base) if within else line)  # fmt: skip
    return list(said.values())
