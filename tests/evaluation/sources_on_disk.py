"""The same pictures in every kind of source."""

import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pyarrow as pa
from data_folders import saved
from PIL import Image
from pyarrow import parquet

CLASSES = ["cat", "dog"]


def images(count: int, seed: int, channels: int = 3, size: int = 8) -> np.ndarray:
    """Noise uint8 [count, channels, size, size], around another brightness in each image."""
    chance = np.random.default_rng(seed)
    base = chance.integers(60, 190, (count, channels, 1, 1))
    return (base + chance.integers(-50, 50, (count, channels, size, size))).astype(np.uint8)


def png(image: np.ndarray) -> bytes:
    """The file of one image [C, H, W]."""
    return saved(Image.fromarray(image[0] if len(image) == 1 else image.transpose(1, 2, 0)), "PNG")


def label(number: int) -> str:
    """The class of an image."""
    return CLASSES[number % 2]


def folder(root: Path, some: np.ndarray, classes: bool = True) -> Path:
    """A folder of PNGs, by class; their names are in no order of the images."""
    for number, image in enumerate(some):
        path = root / (label(number) if classes else "") / f"{number * 7 % 101:03d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(png(image))
    return root


def zipped(path: Path, some: np.ndarray) -> Path:
    """A zip with one folder above those of the classes."""
    with zipfile.ZipFile(path, "w") as archive:
        for number, image in enumerate(some):
            archive.writestr(f"samples/{label(number)}/{number}.png", png(image))
    return path


def packed(path: Path, some: np.ndarray) -> Path:
    """A parquet as Hugging Face's: structs of bytes, and a ClassLabel."""
    features = {"label": {"names": CLASSES, "_type": "ClassLabel"}, "image": {"_type": "Image"}}
    told = {b"huggingface": json.dumps({"info": {"features": features}}).encode()}
    columns = {
        "image": [{"bytes": png(image), "path": None} for image in some],
        "label": [number % 2 for number in range(len(some))],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(pa.table(columns).replace_schema_metadata(told), path)
    return path


def npz(path: Path, some: np.ndarray) -> Path:
    """As guided-diffusion writes it: NHWC, and the classes' numbers."""
    np.savez(path, some.transpose(0, 2, 3, 1), np.arange(len(some)) % 2)
    return path


def cell(path: Path, some: np.ndarray, diverged: int = 0) -> Path:
    """A cell of two seed blocks, beside one of a selection; the last images diverged."""
    path.mkdir(parents=True)
    lost = np.arange(len(some)) >= len(some) - diverged
    for number, rows in enumerate(np.array_split(np.arange(len(some)), 2)):
        arrays = {"images": some[rows], "diverged": lost[rows], "labels": rows % 2}
        np.savez(path / f"evaluation-{number}.npz", **arrays)
    np.savez(path / "selection-0.npz", images=some[:2], diverged=lost[:2], labels=[0, 1])
    return path


def jpeg_of(image: np.ndarray) -> np.ndarray:
    """What Pillow reads of the image's JPEG, [3, H, W]."""
    file = io.BytesIO(saved(Image.fromarray(image.transpose(1, 2, 0)), "JPEG"))
    return np.asarray(Image.open(file)).transpose(2, 0, 1)
