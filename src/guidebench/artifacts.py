"""Files: written under a temporary name and renamed, described by manifests and provenance."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from guidebench.errors import UserError

MANIFEST = "manifest.json"
PROVENANCE = "provenance.json"
PACKAGES = ("torch", "torchvision", "diffusers", "torch-fidelity", "numpy", "pandas", "snakemake")


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path` that replaces it when the block ends without error."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.tmp{path.suffix}")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def canonical(value: Any) -> str:
    """JSON with sorted keys and no white space: equal values give equal text."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def digest_of(value: Any) -> str:
    """sha256 (hex) of a JSON value."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()


def sha256(path: Path) -> str:
    """sha256 (hex) of a file's bytes."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented JSON, atomically."""
    with atomic(path) as temporary:
        temporary.write_text(json.dumps(value, indent=1, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:
    """Read a JSON file; a missing or broken one is a UserError that names it."""
    try:
        return json.loads(Path(path).read_text())
    except FileNotFoundError as error:
        raise UserError(f"{path}: missing; run the stage that writes it first") from error
    except json.JSONDecodeError as error:
        raise UserError(f"{path}: not valid JSON ({error}); delete it and run again") from error


def write_manifest(
    folder: Path, names: list[str], manifest: Path | None = None, measured: list[str] | None = None
) -> None:
    """Write `folder/manifest.json` (or `manifest`): sha256 of each named file, below `folder`.

    A stage's declared output: small, and without times, so that Snakemake compares contents.
    `measured` files hold times or memory: they are listed by name alone and left out of digests.
    """
    files = {name: sha256(folder / name) for name in sorted(names)}
    write_json(manifest or folder / MANIFEST, {"files": files, "measured": sorted(measured or [])})


def check_manifest(manifest: Path, folder: Path | None = None) -> dict[str, str]:
    """Return name -> sha256 of a manifest's files; raise UserError if one is missing or differs."""
    folder = folder or manifest.parent
    files: dict[str, str] = read_json(manifest)["files"]
    for name, expected in files.items():
        path = folder / name
        remedy = f"delete {manifest} and run again"
        if not path.is_file():
            raise UserError(f"{path}: missing, though {manifest} lists it; {remedy}")
        if sha256(path) != expected:
            raise UserError(
                f"{path}: truncated or edited, sha256 is not {expected[:12]}...; {remedy}"
            )
    return files


@cache
def environment() -> dict[str, Any]:
    """Package versions and git commit of this installation, for provenance."""
    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = "absent"
    git = subprocess.run(
        ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty", "--abbrev=12"],
        capture_output=True,
        text=True,
        check=False,
    )
    return {"versions": versions, "commit": git.stdout.strip() or "unknown"}


def results_digest(manifests: list[Path], root: Path) -> str:
    """One sha256 over the sha256 of all files that the manifests list: no times, no memory."""
    entries = {str(path.relative_to(root)): read_json(path)["files"] for path in manifests}
    return digest_of(entries)
