"""CelebA from a local folder: unpacked or zipped, full or partial, of any stored size."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path, PureWindowsPath
from typing import Any

import numpy as np
from PIL import Image, UnidentifiedImageError

from guidebench.base import sources
from guidebench.base.choices import attribute_values
from guidebench.base.seeds import derive
from guidebench.data.dataset import DataSet, subset
from guidebench.data.lists import Row, rows
from guidebench.pipeline.errors import UserError

# what damaged, encrypted, oddly packed and enormous files make zipfile and Pillow raise
BROKEN = (
    UnidentifiedImageError,
    zipfile.BadZipFile,
    zlib.error,
    OSError,
    SyntaxError,
    ValueError,
    RuntimeError,
    EOFError,
    IndexError,
    Image.DecompressionBombError,
)


def read(options: Any, seed: int) -> tuple[DataSet, DataSet]:
    """(train, validation) partitions of the pictures that are there, cropped and resized.

    Classes are `<attribute>: false` and `<attribute>: true`; without an attribute labels are -1.
    """
    root = Path(options.root)
    if not root.is_dir():
        raise UserError(
            f"{root}: no such folder; data.root must hold {sources.PICTURES}[.zip] and "
            "the attribute files"
        )
    names, opened = pictures(options)
    partition = partitions(sources.listing(options, "partition"))
    labels, classes = attribute(options), attribute_values(options)
    parts = []
    for number, key in enumerate(("train", "validation")):
        wanted = [name for name in names if partition.get(name) == number and name in labels]
        if not wanted:
            raise UserError(
                f"{root}: found no picture of partition {number} (0 train, 1 "
                "validation) that is listed in the attribute files"
            )
        listed = DataSet(
            np.arange(len(wanted)), np.array([labels[name] for name in wanted], np.int64), classes
        )
        # chosen before they are decoded: the full set has 160,000 training pictures
        chosen = subset(listed, getattr(options, key), derive(seed, key), key)
        images = np.stack([picture(opened, wanted[row], options) for row in chosen.images])
        parts.append(DataSet(images, chosen.labels, classes))
    return parts[0], parts[1]


def partitions(path: Path) -> dict[str, int]:
    """Picture -> 0 train, 1 validation, 2 test."""
    return {row.picture: _one_of(("0", "1", "2"), path, row, 0, 1) for row in rows(path)[1]}


def attribute(options: Any) -> dict[str, int]:
    """Picture -> 0 or 1; -1 without an attribute."""
    name = options.attribute
    if name is None:
        return {row.picture: -1 for row in rows(sources.listing(options, "partition"))[1]}
    path = sources.listing(options, "attributes")
    header, listed = rows(path)
    if name not in header:
        raise UserError(
            f"data.attribute: found {name!r}, allowed: one of {path} ({', '.join(header)})"
        )
    column, values = header.index(name), ("-1", "0", "1")
    return {
        row.picture: int(_one_of(values, path, row, column, len(header)) == 1) for row in listed
    }


def _one_of(known: tuple[str, ...], path: Path, row: Row, column: int, columns: int) -> int:
    """The value in a column of a row; UserError when it is no known one, or the row is odd."""
    if len(row.values) != columns:
        raise UserError(
            f"{path}: line {row.line}: found {len(row.values)} values, allowed: "
            f"{columns}, one for each column; fetch it again"
        )
    if row.values[column] not in known:
        raise UserError(
            f"{path}: line {row.line}: found {row.values[column]!r} for {row.picture}, "
            f"allowed: {', '.join(known)}"
        )
    return int(row.values[column])


def pictures(options: Any) -> tuple[list[str], Callable[[str], bytes]]:
    """Sorted picture names and a function that reads one's bytes."""
    if found := sources.pictures(options):
        return list(found), lambda name: found[name].read_bytes()
    packed = sources.archive(options)
    if not packed.is_file():
        raise UserError(
            f"{packed}: missing, and no folder {sources.PICTURES} with pictures beside it"
        )
    try:
        archive = zipfile.ZipFile(packed)
    except BROKEN as error:
        raise UserError(f"{packed}: truncated or damaged ({error}); fetch it again") from error
    members = packed_names(packed, archive.namelist())
    return sorted(members), lambda name: archive.read(members[name])


def packed_names(packed: Path, members: list[str]) -> dict[str, str]:
    """Picture -> member of the archive: of folders `img_align_celeba`, or all where there are none.

    UserError when a name stands for two pictures.
    """
    # some archives have backslashes
    paths = {name: PureWindowsPath(name) for name in members if name.endswith(".jpg")}
    own = [name for name, path in paths.items() if path.parent.name == sources.PICTURES]
    found: dict[str, str] = {}
    for name in own or paths:
        if other := found.get(paths[name].name):
            raise UserError(f"{packed}: found {other} and {name}, allowed: one picture of a name")
        found[paths[name].name] = name
    return found


def picture(opened: Callable[[str], bytes], name: str, options: Any) -> np.ndarray:
    """One picture uint8 [3, size, size]: central square, then PIL's antialiased bicubic resize."""
    try:
        image = _coloured(Image.open(io.BytesIO(opened(name))))
    except BROKEN as error:
        raise UserError(f"{options.root}: {name} is truncated or damaged ({error})") from error
    side = options.crop or min(image.size)
    if side > min(image.size):
        raise UserError(
            f"data.crop: found {side}, allowed: at most {min(image.size)}, the shorter "
            f"side of {name}"
        )
    left, top = (image.width - side) // 2, (image.height - side) // 2
    box = (left, top, left + side, top + side)
    size = (options.size, options.size)
    return np.asarray(image.resize(size, Image.Resampling.BICUBIC, box=box)).transpose(2, 0, 1)


def _coloured(image: Image.Image) -> Image.Image:
    """RGB of 8 bits; Pillow itself would clip brighter values than 255. ValueError for others."""
    if image.mode in ("I", "F"):
        raise ValueError(f"its mode is {image.mode}; allowed: 8 or 16 bits a channel")
    if image.mode.startswith("I;16"):
        image = Image.fromarray((np.asarray(image, np.float64) / 257).round().astype(np.uint8))
    return image.convert("RGB")
