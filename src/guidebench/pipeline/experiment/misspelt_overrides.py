"""Entries that an experiment overrides though its base has none of that name: it is misspelt.

An entry with the keys of a whole new one is no mistake.
"""

import difflib
from collections.abc import Iterator
from typing import Any, NamedTuple

# sections of named entries: what an entry is called, and the keys that a whole new one begins with
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
    base_names: list[str]

    def line(self, base: str) -> str:
        """Says that `base`, a path, has no such entry."""
        near = difflib.get_close_matches(self.name, self.base_names, 1)
        hint = f" (did you mean {near[0]}?)" if near else ""
        return (
            f"{self.path}: found no such {self.kind} in {base}{hint}, allowed: "
            f"{', '.join([*self.base_names, 'or a whole new one'])}"
        )


def strangers(below: Any, above: Any, path: str = "", section: str = "") -> Iterator[Stranger]:
    """The entries of `above`, laid over `below`, that are not in `below` and no whole new ones."""
    for key, value in above.items() if isinstance(below, dict) and isinstance(above, dict) else ():
        here = f"{path}.{key}".lstrip(".")
        if section in ENTRIES and key not in below:
            kind, whole = ENTRIES[section]
            if isinstance(value, dict) and not whole & set(value):
                yield Stranger(here, key, kind, list(below))
        else:
            yield from strangers(below.get(key), value, here, "" if section in ENTRIES else key)


def explained(lines: list[str], below: Any, above: Any, base: str) -> list[str]:
    """Lines about mistakes; those in a stranger come after a line that says that it is one."""
    entries = list(strangers(below, above))
    each_once: dict[str, None] = {}
    for line in lines:
        for stranger in entries:
            if line.startswith((f"{stranger.path}.", f"{stranger.path}: ")):
                each_once[stranger.line(base)] = None
        each_once[line] = None
    return list(each_once)
