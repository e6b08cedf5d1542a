"""Images of a path, whatever lies there, and what classes they are of."""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from guidebench.base import sources
from guidebench.data import embedded, pictures
from guidebench.data.lists import rows
from guidebench.data.pictures import Opened
from guidebench.evaluation.arrays import in_bytes, of_cell, of_npz, of_prepared
from guidebench.evaluation.found import NO_CLASS, Found, Gaussian, Shape, of_array
from guidebench.pipeline.errors import UserError

ALLOWED = (
    f"a folder of pictures ({', '.join(sources.SUFFIXES)}), a {sources.ARCHIVE} of them, "
    f"{' or '.join(sources.PACKED)} with pictures, an .npz of images, a cell or a prepared data "
    "set of guidebench"
)
GREY = ("1", "L", "LA", "La", "I;16", "I;16L", "I;16B", "I;16N")  # Pillow's modes
Source = str | Path | np.ndarray
LABEL = ("label", "labels", "class")  # names of a column of classes
Labels = str | Path | Sequence[object]


def find(source: Source, name: str, labels: Labels | None = None) -> Found | Gaussian:
    """What a path, or an array uint8 [N, C, H, W], holds; `name`: what an array is called.

    `labels`: a table of pictures' names and classes, or the classes of an array's images. UserError
    in one line where it is nothing of `ALLOWED`, or a picture's head is damaged.
    """
    table = Path(labels) if isinstance(labels, str | Path) else None
    given = None if isinstance(labels, str | Path | None) else list(labels)
    if isinstance(source, np.ndarray):
        found: Found | Gaussian = of_array(name, "array", in_bytes(source, name), given)
    elif given is not None:
        raise UserError(f"labels: found a list for {source}, allowed: a table, or for an array")
    else:
        found = _at(Path(source))
    return found if table is None else _listed(found, table)


def _at(path: Path) -> Found | Gaussian:
    if not path.exists():
        raise UserError(f"{path}: found nothing, allowed: {ALLOWED}")
    if path.suffix == ".npz":
        return of_npz(path)
    if path.suffix in sources.PACKED:
        return _packed([path], path)
    if path.suffix == sources.ARCHIVE:
        return _pictures(path, "zip", *pictures.archived(path))
    if not path.is_dir():
        kind = path.suffix or "without an ending"
        raise UserError(f"{path}: found a file {kind}, allowed: {ALLOWED}")
    if (path / "images.npy").is_file():
        return of_prepared(path)
    if (path / "train" / "images.npy").is_file():
        raise UserError(f"{path}: found a data set's splits, allowed: {path / 'train'}")
    if blocks := sorted(path.glob("*.npz")):
        return of_cell(blocks)
    place = SimpleNamespace(root=path, table=None)
    if packed := sources.packed(place):
        return _packed(packed, path)
    files = {p.relative_to(path).as_posix(): p for p in sources.below(place, sources.SUFFIXES)}
    if files:
        opened = Opened(lambda name: files[name].read_bytes(), files.__getitem__)
        return _pictures(path, "folder", list(files), opened)
    for archive in sources.zipped(place)[:1]:
        return _pictures(archive, "zip", *pictures.archived(archive))
    raise UserError(f"{path}: found no image, allowed: {ALLOWED}")


def _packed(paths: list[Path], where: Path) -> Found:
    """Pictures in the rows of files, with the classes of the first column that has such a name."""
    by_row, opened = embedded.pictures(paths, None)
    columns = (embedded.values(paths, column) for column in LABEL)
    labels = next((column for column in columns if column), None)
    return _pictures(where, "parquet", list(by_row), opened, labels)


def _pictures(
    where: Path, kind: str, names: list[str], opened: Opened, labels: list[str] | None = None
) -> Found:
    if not names:
        raise UserError(f"{where}: found no picture, allowed: {', '.join(sources.SUFFIXES)} in it")
    heads = [pictures.head(opened, name) for name in names]
    shapes = [Shape(1 if head.mode in GREY else 3, head.height, head.width) for head in heads]

    def read(number: int) -> np.ndarray:
        decoded = np.asarray(pictures.whole(opened, names[number]))
        channels: np.ndarray = decoded.transpose(2, 0, 1)[: shapes[number].channels]
        return channels

    return Found(str(where), kind, shapes, read, labels or _folders(names), names)


def _folders(names: list[str]) -> list[str]:
    """The first folder of each path, but for one that all share and that holds folders."""
    paths = [name.split("/")[:-1] for name in names]
    while all(path[1:] for path in paths) and len({path[0] for path in paths}) == 1:
        paths = [path[1:] for path in paths]
    return [path[0] if path else NO_CLASS for path in paths]


def _listed(found: Found | Gaussian, table: Path) -> Found:
    """The same with the classes of a table; UserError where it lacks a picture, or its class."""
    if isinstance(found, Gaussian) or found.kind not in ("folder", "zip"):
        allowed = "a folder or a zip of pictures, which have names"
        raise UserError(f"--labels: found {table} for {found.where}, allowed: {allowed}")
    header, listed = rows(table, found.names)
    named = [n for n, name in enumerate(header) if name.lower() in LABEL]
    if len(named) != 1 and any(len(row.values) != 1 for row in listed):
        found_columns = ", ".join(header) or f"{len(listed[0].values)} without names"
        allowed = f"one, or one called {LABEL[0]}"
        raise UserError(f"{table}: found the columns {found_columns} of values, allowed: {allowed}")
    column = named[0] if len(named) == 1 else 0
    said: dict[str, str] = defaultdict(str, {row.picture: row.values[column] for row in listed})
    if missing := [name for name in found.names if not said[name]]:
        raise UserError(
            f"{table}: found no class for {missing[0]} ({len(missing)} of {len(found.names)} "
            f"pictures), allowed: one for each picture of {found.where}"
        )
    return found._replace(labels=[said[name] for name in found.names])
