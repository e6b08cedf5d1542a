"""CelebA from a local folder: unpacked or zipped, full or partial, of any stored size."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, UnidentifiedImageError

from guidebench.data.dataset import DataSet, subset
from guidebench.pipeline.errors import UserError
from guidebench.seeds import derive

IMAGES = "img_align_celeba"


def read(options: Any, seed: int) -> tuple[DataSet, DataSet]:
    """(train, validation) partitions of the pictures that are there, cropped and resized.

    Classes are `<attribute>: false` and `<attribute>: true`; without an attribute labels are -1.
    """
    root = Path(options.root)
    if not root.is_dir():
        raise UserError(f"{root}: no such folder; data.root must hold {IMAGES}[.zip] and the "
                        "attribute files")  # fmt: skip
    names, opened = pictures(root)
    partition = partitions(root / "list_eval_partition.txt")
    labels, classes = attribute(root, options.attribute)
    parts = []
    for number, key in enumerate(("train", "validation")):
        wanted = [name for name in names if partition.get(name) == number and name in labels]
        if not wanted:
            raise UserError(f"{root}: found no picture of partition {number} (0 train, 1 "
                            "validation) that is listed in the attribute files")  # fmt: skip
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
    found = {}
    for name, values in rows(path):
        if values[0] not in ("0", "1", "2"):
            raise UserError(f"{path}: found {values[0]!r} for {name}, allowed: 0, 1 or 2")
        found[name] = int(values[0])
    return found


def pictures(root: Path) -> tuple[list[str], Callable[[str], bytes]]:
    """Sorted picture names and a function that reads one's bytes."""
    folder, packed = root / IMAGES, root / f"{IMAGES}.zip"
    if folder.is_dir():
        return sorted(p.name for p in folder.glob("*.jpg")), lambda n: (folder / n).read_bytes()
    if not packed.is_file():
        raise UserError(f"{packed}: missing, and no folder {IMAGES} beside it")
    try:
        archive = zipfile.ZipFile(packed)
    except (zipfile.BadZipFile, OSError) as error:
        raise UserError(f"{packed}: truncated or damaged ({error}); fetch it again") from error
    members = {Path(name).name: name for name in archive.namelist() if name.endswith(".jpg")}
    return sorted(members), lambda name: archive.read(members[name])


def rows(path: Path) -> list[tuple[str, list[str]]]:
    """(picture, values) of each line that names a picture; UserError when the file is missing."""
    try:
        lines = [line.split() for line in path.read_text().splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read ({error})") from error
    found = [
        (parts[0], parts[1:]) for parts in lines if len(parts) > 1 and parts[0].endswith(".jpg")
    ]
    if not found:
        raise UserError(f"{path}: found no line that names a picture; fetch it again")
    return found


def attribute(root: Path, name: str | None) -> tuple[dict[str, int], list[str]]:
    """(picture -> 0 or 1, class names); -1 and no names without an attribute."""
    path = root / "list_attr_celeba.txt"
    if name is None:
        return {picture: -1 for picture, _ in rows(root / "list_eval_partition.txt")}, []
    listed = rows(path)
    header = path.read_text().split("\n", 2)[1].split()
    if name not in header:
        raise UserError(f"data.attribute: found {name!r}, allowed: one of {path} "
                        f"({', '.join(header)})")  # fmt: skip
    column = header.index(name)
    try:
        labels = {picture: int(values[column] == "1") for picture, values in listed}
    except IndexError as error:
        raise UserError(
            f"{path}: a line has fewer than {len(header)} values; fetch it again"
        ) from error
    return labels, [f"{name}: false", f"{name}: true"]


def picture(opened: Callable[[str], bytes], name: str, options: Any) -> np.ndarray:
    """One picture uint8 [3, size, size]: central square, then PIL's antialiased bicubic resize."""
    try:
        image = Image.open(io.BytesIO(opened(name))).convert("RGB")
    except (UnidentifiedImageError, zipfile.BadZipFile, zlib.error, OSError, SyntaxError) as error:
        raise UserError(f"{options.root}: {name} is truncated or damaged ({error})") from error
    side = options.crop or min(image.size)
    if side > min(image.size):
        raise UserError(f"data.crop: found {side}, allowed: at most {min(image.size)}, the shorter "
                        f"side of {name}")  # fmt: skip
    left, top = (image.width - side) // 2, (image.height - side) // 2
    box = (left, top, left + side, top + side)
    size = (options.size, options.size)
    return np.asarray(image.resize(size, Image.Resampling.BICUBIC, box=box)).transpose(2, 0, 1)
