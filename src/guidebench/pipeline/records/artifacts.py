"""Files: written under a temporary name and renamed, described by manifests and provenance."""

import errno
import hashlib
import json
import os
import subprocess
from collections.abc import Iterable, Iterator, Sequence, Set
from contextlib import contextmanager, suppress
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from guidebench.pipeline.errors import UserError

MANIFEST = "manifest.json"
PROVENANCE = "provenance.json"
SIDECAR = ".cell.json"  # ends the name of what is written beside a finished cell
SEALED = (PROVENANCE, SIDECAR)  # hold their own sha256
PACKAGES = ("torch", "torchvision", "diffusers", "torch-fidelity", "numpy", "pandas", "snakemake")


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path` that replaces it when the block ends without error.

    The content is on the disk before it gets its name: a power cut leaves the old file or the new.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.tmp{path.suffix}")
    # left by a killed process of this number, it may be another name of another experiment's file
    temporary.unlink(missing_ok=True)
    try:
        yield temporary
        flush(temporary)
        os.replace(temporary, path)
        flush(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def flush(path: Path) -> None:
    """Have the system write a file, or a folder's list of names, to its disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        # EINVAL: some file systems cannot flush a folder; all else, as a full disk, is an error
        if error.errno != errno.EINVAL:
            raise
    finally:
        os.close(handle)


def canonical(value: Any) -> str:
    """JSON with sorted keys and no white space: equal values give equal text."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def digest_of(value: Any) -> str:
    """sha256 (hex) of a JSON value, whatever the order of its keys."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()


def ordered_digest(value: Any) -> str:
    """sha256 (hex) of a JSON value and of its keys' order: a world's first sampler is the shown."""
    return hashlib.sha256(json.dumps(value, separators=(",", ":")).encode()).hexdigest()


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
    except ValueError as error:  # no JSON, or no UTF-8
        raise UserError(f"{path}: not valid JSON ({error}); delete it and run again") from error


def write_manifest(
    path: Path, folder: Path, basis: dict[str, Any], names: list[str], measured: list[str]
) -> None:
    """Write a manifest: what a job's results stand on, and sha256 and size of each file.

    `names` and `measured` are paths below `folder`. `measured` files hold times, memory, versions:
    they are listed by name and size (`write_provenance` has their sums), `SEALED` ones by name.
    `basis` is a `freshness.Basis` as JSON.
    """
    names = sorted(names)
    sums = {name: sha256(folder / name) for name in names}
    for name in (*names, *measured):
        flush(folder / name)
    sized = [name for name in (*names, *measured) if not name.endswith(SEALED)]
    content = basis | {
        "files": sums,
        "measured": sorted(measured),
        "bytes": {name: (folder / name).stat().st_size for name in sized},
    }
    seal(path, content)


def seal(path: Path, content: dict[str, Any]) -> None:
    """Write JSON with its own sha256, so that damage shows."""
    write_json(path, content | {"sha256": digest_of(content)})


def read_manifest(path: Path) -> dict[str, Any]:
    """A manifest as `write_manifest` wrote it; UserError when it is missing or damaged."""
    content: dict[str, Any] = read_json(path)
    stated = content.pop("sha256", None) if isinstance(content, dict) else None
    if stated != digest_of(content):
        raise UserError(f"{path}: damaged, or of an earlier guidebench; delete it and run again")
    return content


def write_provenance(
    path: Path, folder: Path, content: dict[str, Any], measured: Sequence[str]
) -> None:
    """Write a job's provenance: `content`, the sha256 of its `measured` files, and its own."""
    sums = {name: sha256(folder / name) for name in sorted(measured)}
    seal(path, content | {"measured": sums})


def check_files(manifest: Path, folder: Path, names: Iterable[str] | None = None) -> dict[str, str]:
    """Check sha256 of the files that a manifest lists below `folder`, or of those `names` only.

    Returns name -> sha256 of all its files but the measured ones. UserError names the first file
    that is missing, not listed, or has another content.
    """
    for line in damaged(manifest, folder, names):
        raise UserError(line)
    files: dict[str, str] = read_manifest(manifest)["files"]
    return files


def damaged(manifest: Path, folder: Path, names: Iterable[str] | None = None) -> Iterator[str]:
    """A line for each file that is missing or not as the manifest lists it, with the remedy."""
    content = read_manifest(manifest)
    listed = content["files"] | _measured(content, folder)
    remedy = f"delete {manifest} and run again"
    for name in listed if names is None else names:
        path = folder / name
        if name not in listed:
            yield f"{path}: not listed in {manifest}; {remedy}"
        elif not path.is_file():
            yield f"{path}: missing, though {manifest} lists it; {remedy}"
        elif sha256(path) != listed[name]:
            stated = f", sha256 is not {listed[name][:12]}..." if listed[name] else ""
            yield f"{path}: truncated or edited{stated}; {remedy}"


def _measured(content: dict[str, Any], folder: Path) -> dict[str, str]:
    """Measured file -> its sha256, as it or the provenance among them says; "" if damaged.

    Or if it is the sidecar of another cell.
    """
    sums = dict.fromkeys(content["measured"], "")
    cells = {str(Path(name).with_suffix(SIDECAR)): cell for name, cell in content["files"].items()}
    for name in content["measured"]:
        if name.endswith(SEALED):
            with suppress(UserError):
                entry = read_manifest(folder / name)
                if cells.get(name) == entry.get("content"):
                    sums |= entry.get("measured", {}) | {name: sha256(folder / name)}
    return sums


def incomplete(content: dict[str, Any], folder: Path) -> str | None:
    """In words, the first listed file that is missing or has another size; None: there is none."""
    for name in (*content["bytes"], *content["measured"]):
        try:
            size = (folder / name).stat().st_size
        except OSError:
            return f"{folder / name} is missing"
        if size != content["bytes"].get(name, size):
            return f"{folder / name} has another size"
    return None


def tidy(folder: Path, listed: Set[Path]) -> None:
    """Remove the files in a folder that are not `listed`, and then its empty folders."""
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_dir() and not path.is_symlink():
            with suppress(OSError):  # not empty
                path.rmdir()
        elif path not in listed:
            path.unlink()


@cache
def environment() -> dict[str, Any]:
    """Package versions and git commit of this installation, for provenance."""
    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = "absent"
    describe = ["describe", "--always", "--dirty", "--abbrev=12"]
    commit = ""
    with suppress(OSError):  # a machine without git
        commit = subprocess.run(
            ["git", "-C", str(Path(__file__).parent), *describe],
            capture_output=True,
            text=True,
            check=False,
        ).stdout.strip()
    return {"versions": versions, "commit": commit or "unknown"}


def results_digest(manifests: list[Path], root: Path) -> str:
    """One sha256 over those of all files that the manifests list, but for the measured ones."""
    entries = {str(path.relative_to(root)): read_manifest(path)["files"] for path in manifests}
    return digest_of(entries)
