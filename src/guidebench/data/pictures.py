"""Picture files as square images: cut, resized, and decoded only where they are asked for."""

import io
import warnings
import zipfile
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path, PureWindowsPath
from typing import Any, NamedTuple

import numpy as np
from PIL import Image, UnidentifiedImageError

from guidebench.base import sources
from guidebench.data.dataset import DataSet
from guidebench.pipeline.errors import UserError

# what damaged, encrypted, oddly packed and enormous files make zipfile, Arrow and Pillow raise
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
LARGEST = 2**26  # pixels of a picture of somebody else's: 200 MB in RGB


class Opened(NamedTuple):
    """Pictures by name."""

    read: Callable[[str], bytes]  # the bytes of a file
    where: Callable[[str], object]  # that file, or the row, for whoever looks for it


Part = tuple[DataSet, Sequence[str]]  # its images are still numbers of these names


class Chosen(NamedTuple):
    """Pictures that will be decoded."""

    train: Part
    validation: Part
    opened: Opened


def archived(packed: Path) -> tuple[list[str], Opened]:
    """Sorted paths of the pictures in a zip archive, and what reads the bytes of a path.

    UserError for a damaged one.
    """
    try:
        archive = zipfile.ZipFile(packed)
    except BROKEN as error:
        raise UserError(f"{packed}: truncated or damaged ({error}); fetch it again") from error
    members = _members(archive.namelist())
    opened = Opened(
        lambda name: archive.read(members[name]), lambda name: f"{packed}: {members[name]}"
    )
    return sorted(members), opened


def _members(members: list[str]) -> dict[str, str]:
    """Path of a picture -> member of the archive: of folders of CelebA's name, if there are any."""
    # some archives have backslashes
    paths = {name: PureWindowsPath(name) for name in members}
    paths = {
        name: path
        for name, path in paths.items()
        if path.suffix.lower() in sources.SUFFIXES and not sources.hidden(path)
    }
    own = [name for name, path in paths.items() if path.parent.name == sources.PICTURES]
    return {paths[member].as_posix(): member for member in own or paths}


def decoded(chosen: Chosen, options: Any) -> tuple[DataSet, DataSet]:
    """(train, validation) with these pictures.

    In the order of their names, as files that hold many are read, and into one array: the full
    CelebA is 2 GB at 64 pixels, CelebA-HQ 6 GB at 256.
    """
    train, validation = (
        _decoded(part, names, chosen.opened, options)
        for part, names in (chosen.train, chosen.validation)
    )
    return train, validation


def _decoded(part: DataSet, names: Sequence[str], opened: Opened, options: Any) -> DataSet:
    images = np.empty((len(part.images), 3, options.size, options.size), np.uint8)
    for place in np.argsort(part.images, kind="stable"):
        images[place] = picture(opened, names[part.images[place]], options)
    return DataSet(images, part.labels, part.classes)


def numbered(names: Sequence[str], labels: dict[str, int], classes: list[str]) -> DataSet:
    """A data set whose images are the numbers of the pictures: splits are drawn before decoding."""
    return DataSet(
        np.arange(len(names)), np.array([labels[name] for name in names], np.int64), classes
    )


class Head(NamedTuple):
    """What a picture is before it is decoded."""

    height: int
    width: int
    mode: str  # as Pillow names it


def head(opened: Opened, name: str) -> Head:
    """The head of a picture; UserError where it is none, or says that it is enormous."""
    content = b""
    try:
        content = opened.read(name)
        with warnings.catch_warnings():  # of what is refused below
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            image = Image.open(io.BytesIO(content))
        if image.width * image.height > LARGEST:
            raise Image.DecompressionBombError(f"{image.width} x {image.height} pixels")
    except Image.DecompressionBombError as error:
        where, allowed = opened.where(name), f"at most {LARGEST:,} pixels"
        raise UserError(f"{where}: found {error}, allowed: {allowed}") from error
    except BROKEN as error:
        raise _no_picture(opened.where(name), content, error) from error
    return Head(image.height, image.width, image.mode)


def whole(opened: Opened, name: str) -> Image.Image:
    """One picture in RGB of 8 bits, decoded; UserError where it is none, or damaged."""
    content = b""
    try:
        content = opened.read(name)
        return _coloured(Image.open(io.BytesIO(content)))
    except BROKEN as error:
        raise _no_picture(opened.where(name), content, error) from error


def _no_picture(where: object, content: bytes, error: Exception) -> UserError:
    why = f"{len(content)} bytes" if isinstance(error, UnidentifiedImageError) else error
    return UserError(f"{where}: found no whole picture ({why}), allowed: one that Pillow reads")


def picture(opened: Opened, name: str, options: Any) -> np.ndarray:
    """One picture uint8 [3, size, size]: a central square (`crop`), then Pillow's `resize`."""
    image = whole(opened, name)
    width, height = image.size
    if options.crop != "squash":
        width = height = options.crop or min(image.size)
    if width > image.width or height > image.height:
        raise UserError(
            f"data.crop: found {options.crop}, allowed: at most {min(image.size)}, the shorter "
            f"side of {opened.where(name)}"
        )
    left, top = (image.width - width) // 2, (image.height - height) // 2
    # cut first, as everybody does: a filter would look beyond the square's edge
    square = image.crop((left, top, left + width, top + height))
    chosen = Image.Resampling[options.resize.upper()]
    return np.asarray(square.resize((options.size, options.size), chosen)).transpose(2, 0, 1)


def _coloured(image: Image.Image) -> Image.Image:
    """The picture in RGB of 8 bits; ValueError for 32-bit integers and floats.

    16 bits are scaled: Pillow itself would clip what is brighter than 255.
    """
    if image.mode in ("I", "F"):
        raise ValueError(f"its mode is {image.mode}; allowed: 8 or 16 bits a channel")
    if image.mode.startswith("I;16"):
        image = Image.fromarray((np.asarray(image, np.float64) / 257).round().astype(np.uint8))
    return image.convert("RGB")
