"""The user's own files that a data set or a network is made from: known by their content."""

import json
import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from guidebench.base import sources
from guidebench.pipeline.records.artifacts import digest_of, sha256, write_json

CACHE = ".external.json"  # in results/: digests of contents, valid while sizes and times stand


def files(data: Any, results: Path) -> list[Path]:
    """The files that are there of those that a data section names; KeyError: no such source."""
    return [path for path in sources.files(data, results) if path.is_file()]


def content(data: Any, results: Path) -> str | None:
    """One digest of the contents of a data section's files; None when it has none.

    UserError for a folder that cannot be read to its end.
    """
    paths = files(data, results)

    def digest() -> str:
        # a name counts, and the folder that it is in, but not where all of it lies
        whole = [path.absolute() for path in paths]
        above = Path(os.path.commonpath([path.parent for path in whole]))
        names = [path.relative_to(above).as_posix() for path in whole]
        return digest_of([[n, sha256(p)] for n, p in zip(names, paths, strict=True)])

    return _kept(paths, results, digest) if paths else None


def sums(paths: Iterable[Path], results: Path) -> dict[Path, str]:
    """The sha256 of each file that is there."""
    present = [path for path in paths if path.is_file()]
    return {path: _kept([path], results, partial(sha256, path), "sha256") for path in present}


def _kept(paths: list[Path], results: Path, compute: Callable[[], str], *kind: str) -> str:
    """What `compute` makes of files, one of several `kind`s.

    It is kept in `results`, and computed anew when the path, size, time or inode of a file changed.
    """
    stats = [path.stat() for path in paths]
    places = [str(path.resolve()) for path in paths]
    times = [[stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino] for stat in stats]
    key = digest_of([places, times, *kind])
    cache: dict[str, str] = {}
    with suppress(OSError, ValueError, TypeError):
        cache = dict(json.loads((results / CACHE).read_text()))
    if key not in cache:
        cache[key] = compute()
        if results.is_dir():
            with suppress(OSError):  # a folder that may not be written to
                write_json(results / CACHE, cache)
    return cache[key]
