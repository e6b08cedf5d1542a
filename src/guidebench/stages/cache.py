"""Finished cells: a file with its key and sha256 beside it is not computed again."""

from __future__ import annotations

from pathlib import Path

from guidebench.artifacts import read_json, sha256, write_json
from guidebench.errors import UserError


def _sidecar(path: Path) -> Path:
    return path.with_suffix(".key.json")


def remember(path: Path, key: str) -> None:
    """Note that `path` holds what `key` asks for."""
    write_json(_sidecar(path), {"key": key, "sha256": sha256(path)})


def fresh(path: Path, key: str) -> bool:
    """Whether `path` is whole and holds what `key` asks for."""
    if not (path.is_file() and _sidecar(path).is_file()):
        return False
    try:
        return bool(read_json(_sidecar(path)) == {"key": key, "sha256": sha256(path)})
    except UserError:
        return False
