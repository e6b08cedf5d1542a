"""Prepared data sets on disk, and the one place where uint8 images become floats and back."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from guidebench.data.dataset import DataSet, per_class
from guidebench.pipeline.errors import UserError
from guidebench.pipeline.records.artifacts import atomic, read_json, write_json

if TYPE_CHECKING:
    import torch
    from torch import Tensor


class Chosen:
    """The images [N, C, H, W] at `rows` [N] of a larger array, copied when a batch is indexed."""

    def __init__(self, images: np.ndarray | Chosen | Joined, rows: np.ndarray) -> None:
        self.images, self.rows = images, rows
        self.shape: tuple[int, ...] = (len(rows), *images.shape[1:])

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: slice | np.ndarray) -> np.ndarray:
        batch: np.ndarray = self.images[self.rows[index]]
        return batch


class Joined:
    """The images [N, C, H, W] of two arrays one after the other, copied by rows [M]."""

    def __init__(self, first: np.ndarray | Chosen, second: np.ndarray | Chosen) -> None:
        self.first, self.second = first, second
        self.shape: tuple[int, ...] = (len(first) + len(second), *first.shape[1:])

    def __getitem__(self, rows: np.ndarray) -> np.ndarray:
        batch = np.empty((len(rows), *self.shape[1:]), np.uint8)
        early = rows < len(self.first)
        batch[early] = self.first[rows[early]]
        batch[~early] = self.second[rows[~early] - len(self.first)]
        return batch


class Stored(NamedTuple):
    """A prepared split: images uint8 [N, C, H, W] (memory map), labels int64 [N], class names."""

    images: np.ndarray | Chosen
    labels: np.ndarray
    classes: list[str]


def write(data: DataSet, folder: Path) -> list[str]:
    """Write one split; returns the names of its files."""
    arrays = {"images": data.images, "labels": data.labels, **data.extra}
    for name, array in arrays.items():
        with atomic(folder / f"{name}.npy") as temporary:
            np.save(temporary, array)
    meta = {"classes": data.classes, "counts": per_class(data), "shape": list(data.images.shape)}
    write_json(folder / "meta.json", meta)
    return [*(f"{name}.npy" for name in arrays), "meta.json"]


def read(folder: Path) -> Stored:
    """Open a prepared split; UserError when a file is missing or truncated."""
    meta = read_json(folder / "meta.json")
    try:
        images = np.load(folder / "images.npy", mmap_mode="r")
        labels = np.load(folder / "labels.npy")
    except (OSError, ValueError) as error:
        raise UserError(f"{folder}: broken data set ({error}); delete it and run again") from error
    return Stored(images, labels, meta["classes"])


def half(data: Stored, which: str) -> Stored:
    """Every second image of each class, in stored order.

    `which`: the `first` half is for guiding classifiers, the `second` for the judge.
    """
    by_class = np.argsort(data.labels, kind="stable")
    rows = np.sort(by_class[0 if which == "first" else 1 :: 2])
    return chosen(data, rows)


def chosen(data: Stored, rows: np.ndarray) -> Stored:
    """The images at `rows` [N], which stay on disk: half of CelebA's at 256 px are 16 GB."""
    return Stored(Chosen(data.images, rows), data.labels[rows], data.classes)


def joined(first: Stored, second: Stored) -> Stored:
    """The images of two splits, one after the other; they stay on disk."""
    labels = np.concatenate((first.labels, second.labels))
    images = Chosen(Joined(first.images, second.images), np.arange(len(labels)))
    return Stored(images, labels, first.classes)


def to_device(values: Tensor, device: torch.device | str) -> Tensor:
    """`values` on a device; a GPU copies them while the process goes on."""
    if str(device).startswith("cuda"):
        return values.pin_memory().to(device, non_blocking=True)
    return values.to(device)


def to_float(images: np.ndarray, device: torch.device | str = "cpu") -> Tensor:
    """uint8 NCHW to float32 NCHW in [-1, 1].

    >>> to_float(np.array([[[[0, 255]]]], np.uint8)).tolist()
    [[[[-1.0, 1.0]]]]
    """
    import torch  # not for stages without a network

    return to_device(torch.from_numpy(np.ascontiguousarray(images)), device).float() / 127.5 - 1


def to_uint8(images: Tensor) -> np.ndarray:
    """Float NCHW in [-1, 1] (clipped) to uint8 NCHW, rounded; non-finite values become 0."""
    import torch

    scaled = torch.nan_to_num(images.float().clamp(-1, 1), nan=-1.0).add(1).mul(127.5).round()
    array: np.ndarray = scaled.to(torch.uint8).cpu().numpy()
    return array
