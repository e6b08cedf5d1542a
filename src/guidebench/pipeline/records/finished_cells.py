"""Finished cells: beside each lies what it stands on, so that it is not computed again."""

import logging
from collections.abc import Iterator, Mapping, Set
from pathlib import Path
from typing import Any

from guidebench.pipeline.errors import UserError
from guidebench.pipeline.records import code, siblings
from guidebench.pipeline.records.artifacts import SIDECAR, read_manifest, seal, sha256
from guidebench.pipeline.records.siblings import ORIGIN

log = logging.getLogger(__name__)

# what reading a cell raises that does not stand
DAMAGE = (UserError, OSError, KeyError)


def sidecar(path: Path) -> Path:
    """The file beside a finished cell that says what it stands on and what it cost, sealed."""
    return path.with_suffix(SIDECAR)


def remember(
    path: Path, key: str, root: Path, names: Set[str], cost: Mapping[str, Any] | None = None
) -> None:
    """Write beside a finished cell, `path`, what it stands on, and what it cost.

    `key`: digest of its slice of the config and of the models that it was sampled from; `names`:
    the functions behind it.
    """
    seal(
        sidecar(path),
        {
            "key": key,
            "code": code.keep(root, names),
            "bytes": path.stat().st_size,
            "content": sha256(path),
            "cost": cost,
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
                siblings.take(cell, path, entry["content"])
                take_sidecar(cell, path, place, root)
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
    entry = read_manifest(sidecar(path))
    right = entry["key"] == key and not code.changed(root, entry["code"])
    right = right and path.stat().st_size == entry["bytes"]
    if not right or (whole and sha256(path) != entry["content"]):
        raise UserError(f"{path}: does not stand")
    return entry


def take_sidecar(cell: Path, path: Path, other: Path, root: Path) -> None:
    """Write beside a cell what is written beside the one of experiment `other` that it came from.

    UserError where that is missing or damaged.
    """
    entry = read_manifest(sidecar(cell))
    code.bring(root, other, entry["code"])
    seal(sidecar(path), entry | {ORIGIN: [*entry.get(ORIGIN, []), other.name]})
