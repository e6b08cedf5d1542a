"""Small data sets in the layouts of the official ones."""

import io
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from guidebench.data import load
from guidebench.pipeline.errors import UserError


def idx(array: np.ndarray) -> bytes:
    """An idx file of bytes."""
    head = struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
    return head + array.astype(np.uint8).tobytes()


def write_idx(folder: Path, labels: Mapping[str, np.ndarray]) -> None:
    """Images 28 x 28 of noise with these labels, for `train` and `t10k`."""
    folder.mkdir(parents=True, exist_ok=True)
    chance = np.random.default_rng(0)
    for prefix, numbers in labels.items():
        images = chance.integers(0, 256, (len(numbers), 28, 28), dtype=np.uint8)
        (folder / f"{prefix}-images-idx3-ubyte").write_bytes(idx(images))
        (folder / f"{prefix}-labels-idx1-ubyte").write_bytes(idx(numbers))


def saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    """A picture's file of that kind."""
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def jpeg(brightness: int, size: tuple[int, int] = (12, 16)) -> bytes:
    """A flat grey picture."""
    return saved(Image.new("RGB", size, (brightness,) * 3), "JPEG", quality=95)


def refused(options: Any) -> str:
    """What is said, in one line, of a data section whose images cannot be loaded."""
    with pytest.raises(UserError) as error:
        load(options, 0)
    assert "\n" not in str(error.value)
    return str(error.value)


def write_faces(root: Path, male: np.ndarray, train: int) -> None:
    """A zipped CelebA: the value of Male of each picture, of which the first `train` train."""
    root.mkdir(parents=True, exist_ok=True)
    names = [f"{number:06d}.jpg" for number in range(1, len(male) + 1)]
    with zipfile.ZipFile(root / "img_align_celeba.zip", "w") as archive:
        for number, name in enumerate(names):
            archive.writestr(f"img_align_celeba/{name}", jpeg(number % 200 + 20))
    lines = [f"{name} {1 if value else -1}" for name, value in zip(names, male, strict=True)]
    (root / "list_attr_celeba.txt").write_text("\n".join([str(len(male)), "Male", *lines]) + "\n")
    parts = [f"{name} {int(number >= train)}" for number, name in enumerate(names)]
    (root / "list_eval_partition.txt").write_text("\n".join(parts) + "\n")
