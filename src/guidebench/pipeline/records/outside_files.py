"""The user's own files that a data set is made from, and one digest of their contents."""

from __future__ import annotations

import json
import os
from contextlib import suppress
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

    It is kept in `results`, and computed anew when the path, size, time or inode of a file changed.
    UserError for a folder that cannot be read to its end.
    """
    paths = files(data, results)
    if not paths:
        return None
    stats = [path.stat() for path in paths]
    places = [str(path.resolve()) for path in paths]
    times = [[stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino] for stat in stats]
    key = digest_of([places, times])
    cache: dict[str, str] = {}
    with suppress(OSError, ValueError, TypeError):
        cache = dict(json.loads((results / CACHE).read_text()))
    if key not in cache:
        # paths count from the files' common folder on: it may be moved
        absolute = [path.absolute() for path in paths]
        above = Path(os.path.commonpath([path.parent for path in absolute]))
        names = [path.relative_to(above).as_posix() for path in absolute]
        cache[key] = digest_of([[n, sha256(p)] for n, p in zip(names, paths, strict=True)])
        if results.is_dir():
            with suppress(OSError):  # a folder that may not be written to
                write_json(results / CACHE, cache)
    return cache[key]
