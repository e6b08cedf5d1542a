"""Which code a result came from: the functions that ran, with their digests, and packages.

A record, `.code/<digest>.json`, holds name -> digest of functions (`descriptions`; their names have
a colon) and name -> version of the installed packages that these functions use.
"""

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
LOST = "the record of its code"  # what `changed` names where a record is missing or damaged


def _now(name: str) -> str | None:
    """The present digest of a function, or version of a package; None when it is gone."""
    if ":" in name:
        function = describe(name)
        return function.digest if function else None
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def current(names: Set[str]) -> dict[str, str]:
    """Name -> digest of the functions in `names`, and version of the packages that they name."""
    record: dict[str, str] = {}
    for name in sorted(name for name in names if ":" in name):
        function = describe(name)
        if function is None:
            raise UserError(f"{name}: ran, but is not in {SOURCE}; was it edited in between?")
        record[name] = function.digest
        for package in function.packages:
            if installed := distribution(package):
                record[installed] = version(installed)
    return record


def there(name: str) -> bool:
    """Whether a recorded function, or package, still exists."""
    return _now(name) is not None


def reached(name: str) -> set[str]:
    """The names of a function and of all that it may call now, directly or through others."""
    functions: set[str] = set()
    waiting = [name] if ":" in name else []
    while waiting:
        caller = waiting.pop()
        description = describe(caller)
        if caller not in functions and description is not None:
            functions.add(caller)
            waiting += description.callees
    return functions


def keep(root: Path, names: Set[str]) -> str:
    """Write the record of `names` below an experiment's folder; returns the record's name."""
    return _write(root, current(names))


def bring(root: Path, other: Path, name: str) -> None:
    """Write a record of another experiment's folder below this one's; UserError without it."""
    _write(root, kept(other, name))


def _write(root: Path, record: dict[str, str]) -> str:
    name = digest_of(record)[:16]
    try:
        kept(root, name)
    except UserError:  # not there yet, or damaged: then jobs that run again would stay stale
        write_json(root / FOLDER / f"{name}.json", record)
        changed.cache_clear()
    return name


def kept(root: Path, name: str) -> dict[str, str]:
    """The record that `keep` wrote; UserError when it is missing or damaged."""
    path = root / FOLDER / f"{name}.json"
    record: dict[str, str] = read_json(path)
    if digest_of(record)[:16] != name:
        raise UserError(f"{path}: damaged; what it stands for runs again")
    return record


@cache
def changed(root: Path, name: str) -> tuple[str, ...]:
    """Names in a record whose digest or version is another now; (LOST,) without the record."""
    try:
        return tuple(key for key, old in kept(root, name).items() if _now(key) != old)
    except UserError:
        return (LOST,)


def forget() -> None:
    """Read sources anew, in a process that outlives an edit (tests)."""
    descriptions.forget()
    changed.cache_clear()
    source_digest.cache_clear()
