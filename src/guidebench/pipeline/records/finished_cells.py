"""Finished cells: beside each lies what it stands on, so that it is not computed again."""

from collections.abc import Set
from pathlib import Path

from guidebench.pipeline.errors import UserError
from guidebench.pipeline.records import code
from guidebench.pipeline.records.artifacts import read_json, sha256, write_json


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


def standing(path: Path, key: str, root: Path, whole: bool = True) -> set[str] | None:
    """The functions behind a finished cell; None when it has to be computed.

    It stands while its key is `key`, its code is unchanged, and its content is that of when it was
    written (`whole`: by its sha256, else by its size alone).
    """
    try:
        entry = read_json(_sidecar(path))
        if entry["key"] != key or code.changed(root, entry["code"]):
            return None
        if path.stat().st_size != entry["bytes"] or (whole and sha256(path) != entry["sha256"]):
            return None
        measured = entry["measured"].items()
        if any(sha256(path.with_name(name)) != digest for name, digest in measured):
            return None
        return set(code.kept(root, entry["code"]))
    except (UserError, OSError, KeyError, TypeError, AttributeError):
        return None
