"""Finished cells: beside each lies what it stands on, so that it is not computed again."""

import logging
from collections.abc import Iterator, Set
from pathlib import Path
from typing import Any

from guidebench.pipeline.errors import UserError
from guidebench.pipeline.records import code, siblings
from guidebench.pipeline.records.artifacts import read_json, sha256, write_json
from guidebench.pipeline.records.siblings import ORIGIN

log = logging.getLogger(__name__)

# what reading a cell raises that does not stand
DAMAGE = (UserError, OSError, KeyError, TypeError, AttributeError)


def _sidecar(path: Path) -> Path:
    return path.with_suffix(".key.json")


def remember(
    path: Path, key: str, root: Path, names: Set[str], measured: Path | None = None
) -> None:
    """Write beside a finished cell, `path`, what it stands on.

    `key`: digest of its slice of the config and of the models that it was sampled from; `names`:
    the functions behind it; `measured`: a file of times beside it.
    """
    write_json(
        _sidecar(path),
        {
            "key": key,
            "code": code.keep(root, names),
            "bytes": path.stat().st_size,
            "sha256": sha256(path),
            "measured": {measured.name: sha256(measured)} if measured else {},
        },
    )


def standing(path: Path, key: str, root: Path) -> set[str] | None:
    """The functions behind a finished cell; None when it has to be computed.

    It stands while its key is `key`, its code is unchanged, and its sha256 is that of when it was
    written. Where another experiment has it, it is taken over.
    """
    for place, cell in _places(path, root):
        try:
            entry = _entry(cell, key, place, whole=place == root)  # others': as it is taken
            if place != root:
                _take(cell, path, entry, place, root)
                log.info("%s: taken from %s", path.relative_to(root), place.name)
            return set(code.kept(place, entry["code"]))
        except DAMAGE:
            continue
    return None


def where(path: Path, key: str, root: Path, whole: bool = True) -> Path | None:
    """Where a cell lies that stands, here or in another experiment, which keeps it; else None.

    `whole`: its content is known by its sha256, else by its size alone.
    """
    for place, cell in _places(path, root):
        try:
            _entry(cell, key, place, whole)
            return cell
        except DAMAGE:
            continue
    return None


def _places(path: Path, root: Path) -> Iterator[tuple[Path, Path]]:
    """Each experiment, this one first, and where it would have the cell."""
    return ((place, place / path.relative_to(root)) for place in (root, *siblings.others(root)))


def _entry(path: Path, key: str, root: Path, whole: bool) -> dict[str, Any]:
    """What is written beside a cell that stands; UserError, or what damage raises, otherwise."""
    entry: dict[str, Any] = read_json(_sidecar(path))
    right = entry["key"] == key and not code.changed(root, entry["code"])
    right = right and path.stat().st_size == entry["bytes"]
    sums = {path.name: entry["sha256"]} if whole else {}
    sums |= entry["measured"]
    if not right or any(sha256(path.with_name(name)) != sums[name] for name in sums):
        raise UserError(f"{path}: does not stand")
    return entry


def _take(cell: Path, path: Path, entry: dict[str, Any], other: Path, root: Path) -> None:
    siblings.take(cell, path, entry["sha256"])
    for name, digest in entry["measured"].items():
        siblings.take(cell.with_name(name), path.with_name(name), digest)
    _take_key(entry, path, other, root)


def take_key(cell: Path, path: Path, other: Path, root: Path) -> None:
    """Write beside a cell what is written beside the one of experiment `other` that it came from.

    UserError, OSError, KeyError or TypeError where that is missing or damaged.
    """
    _take_key(read_json(_sidecar(cell)), path, other, root)


def _take_key(entry: dict[str, Any], path: Path, other: Path, root: Path) -> None:
    code.bring(root, other, entry["code"])
    write_json(_sidecar(path), entry | {ORIGIN: [*entry.get(ORIGIN, []), other.name]})
