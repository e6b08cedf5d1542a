"""Which code a result came from: the functions that ran, with their digests, and packages.

In a record a name with a colon is a function (`descriptions`), and one without is an installed
package, whose version counts.
"""

from __future__ import annotations

from collections.abc import Set
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from guidebench.pipeline.errors import UserError
from guidebench.pipeline.records import descriptions
from guidebench.pipeline.records.artifacts import digest_of, read_json, write_json
from guidebench.pipeline.records.descriptions import describe
from guidebench.pipeline.records.packages import distribution
from guidebench.pipeline.records.syntax import SOURCE
from guidebench.pipeline.records.user_code import source_digest

FOLDER = ".code"
LOST = "the record of its code"


def _now(name: str) -> str | None:
    """The present digest of a function, or version of a package; None when it is gone."""
    if ":" in name:
        found = describe(name)
        return found.digest if found else None
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def current(names: Set[str]) -> dict[str, str]:
    """Name -> digest of functions, and version of the packages that they name."""
    found: dict[str, str] = {}
    for name in sorted(name for name in names if ":" in name):
        function = describe(name)
        if function is None:
            raise UserError(f"{name}: ran, but is not in {SOURCE}; was it edited in between?")
        found[name] = function.digest
        for package in function.packages:
            if named := distribution(package):
                found[named] = version(named)
    return found


def there(name: str) -> bool:
    """Whether a recorded function, or package, still exists."""
    return _now(name) is not None


def reached(name: str) -> set[str]:
    """The functions that a function may call now, itself and those below them, by their names."""
    found: set[str] = set()
    waiting = [name] if ":" in name else []
    while waiting:
        here = waiting.pop()
        function = describe(here)
        if here not in found and function is not None:
            found.add(here)
            waiting += function.functions
    return found


def keep(root: Path, names: Set[str]) -> str:
    """Write the present digests of `names` below an experiment's folder; returns their digest."""
    found = current(names)
    name = digest_of(found)[:16]
    try:
        kept(root, name)
    except UserError:  # not there yet, or damaged: then jobs that run again would stay stale
        write_json(root / FOLDER / f"{name}.json", found)
        changed.cache_clear()
    return name


def kept(root: Path, name: str) -> dict[str, str]:
    """What `keep` wrote; UserError when it is missing or damaged."""
    path = root / FOLDER / f"{name}.json"
    found: dict[str, str] = read_json(path)
    if digest_of(found)[:16] != name:
        raise UserError(f"{path}: damaged; what it stands for runs again")
    return found


@cache
def changed(root: Path, name: str) -> tuple[str, ...]:
    """Names whose digest or version is another than when `keep` wrote them; empty: none."""
    try:
        return tuple(key for key, old in kept(root, name).items() if _now(key) != old)
    except UserError:
        return (LOST,)


def forget() -> None:
    """Read sources anew, in a process that outlives an edit (tests)."""
    descriptions.forget()
    changed.cache_clear()
    source_digest.cache_clear()
