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
    """(train, validation) partitions of the pictures in the folder, cropped and resized.

    Classes are `<attribute>: false` and `<attribute>: true`; without an attribute labels are -1.
    UserError where the folder, its lists or its pictures are missing or damaged.
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
    splits = []
    for number, key in enumerate(("train", "validation")):
        listed = [name for name in names if partition.get(name) == number and name in labels]
        if not listed:
            raise UserError(
                f"{root}: found no picture of partition {number} (0 train, 1 "
                "validation) that is listed in the attribute files"
            )
        numbers = DataSet(
            np.arange(len(listed)), np.array([labels[name] for name in listed], np.int64), classes
        )
        # chosen before they are decoded: the full set has 160,000 training pictures
        chosen = subset(numbers, getattr(options, key), derive(seed, key), key)
        images = np.stack([picture(opened, listed[row], options) for row in chosen.images])
        splits.append(DataSet(images, chosen.labels, classes))
    return splits[0], splits[1]


def partitions(path: Path) -> dict[str, int]:
    """Picture -> 0 train, 1 validation, 2 test."""
    return {row.picture: _one_of(("0", "1", "2"), path, row, 0, 1) for row in rows(path)[1]}


def attribute(options: Any) -> dict[str, int]:
    """Picture -> 0 or 1, whether it has the attribute; -1 without an attribute in the config."""
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


def _one_of(values: tuple[str, ...], path: Path, row: Row, column: int, columns: int) -> int:
    """The number in a column of a row; UserError for another value, or number of columns."""
    if len(row.values) != columns:
        raise UserError(
            f"{path}: line {row.line}: found {len(row.values)} values, allowed: "
            f"{columns}, one for each column; fetch it again"
        )
    if row.values[column] not in values:
        raise UserError(
            f"{path}: line {row.line}: found {row.values[column]!r} for {row.picture}, "
            f"allowed: {', '.join(values)}"
        )
    return int(row.values[column])


def pictures(options: Any) -> tuple[list[str], Callable[[str], bytes]]:
    """Sorted names of the pictures, and a function that reads the bytes of a name."""
    if paths := sources.pictures(options):
        return list(paths), lambda name: paths[name].read_bytes()
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
    """Name of a picture -> member of the archive.

    Of folders `img_align_celeba` alone, where there are any. UserError for two pictures of a name.
    """
    # some archives have backslashes
    paths = {name: PureWindowsPath(name) for name in members if name.endswith(".jpg")}
    own = [name for name, path in paths.items() if path.parent.name == sources.PICTURES]
    by_name: dict[str, str] = {}
    for member in own or paths:
        if other := by_name.get(paths[member].name):
            raise UserError(f"{packed}: found {other} and {member}, allowed: one picture of a name")
        by_name[paths[member].name] = member
    return by_name


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
    """The picture in RGB of 8 bits; ValueError for 32-bit integers and floats.

    16 bits are scaled: Pillow itself would clip what is brighter than 255.
    """
    if image.mode in ("I", "F"):
        raise ValueError(f"its mode is {image.mode}; allowed: 8 or 16 bits a channel")
    if image.mode.startswith("I;16"):
        image = Image.fromarray((np.asarray(image, np.float64) / 257).round().astype(np.uint8))
    return image.convert("RGB")
