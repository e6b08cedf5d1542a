"""What a source of images holds, before anything of it is decoded."""

import hashlib
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from guidebench.pipeline.errors import UserError

NO_CLASS = ""


class Shape(NamedTuple):
    """Channels (1 or 3), height and width of an image."""

    channels: int
    height: int
    width: int


class Found(NamedTuple):
    """Images of one source, N of them.

    `read` gives the image of a number, uint8 of its shape. `seeds`: of a cell of ours, where each
    stands among all of its seeds [N], and how many these are; those that diverged are none of the
    N. `half`: of a prepared data set's training images, whether each is of the first half [N].
    These two have an order that means something; that of other sources' files may be by class.
    """

    where: str
    kind: str
    shapes: Sequence[Shape]
    read: Callable[[int], np.ndarray]
    labels: list[str]  # the class of each; NO_CLASS: none
    names: list[str]
    seeds: tuple[np.ndarray, int] | None = None
    diverged: int = 0
    half: np.ndarray | None = None
    manifest: str | None = None  # of a prepared data set: the digest that a judge's provenance has

    @property
    def classes(self) -> list[str]:
        """The classes that an image has, sorted."""
        return sorted({*self.labels} - {NO_CLASS})

    def of_class(self, name: str) -> "Found":
        """The images of one class."""
        rows = [row for row, label in enumerate(self.labels) if label == name]
        return self._replace(
            shapes=[self.shapes[row] for row in rows],
            read=lambda number: self.read(rows[number]),
            labels=[name] * len(rows),
            names=[self.names[row] for row in rows],
            seeds=None if self.seeds is None else (self.seeds[0][rows], self.seeds[1]),
            half=None if self.half is None else self.half[rows],
        )


class Gaussian(NamedTuple):
    """Mean [d] and covariance [d, d] of somebody's features, float64, without the images."""

    where: str
    mean: np.ndarray
    covariance: np.ndarray

    @property
    def digest(self) -> str:
        """sha256 (hex) of both."""
        return hashlib.sha256(self.mean.tobytes() + self.covariance.tobytes()).hexdigest()


def of_array(
    where: str, kind: str, images: np.ndarray, labels: Sequence[object] | None = None
) -> Found:
    """Of uint8 images [N, 1 or 3, H, W], with their N classes; UserError for another form."""
    shape, form = f"{images.dtype} {list(images.shape)}", "uint8 [N, 1 or 3, H, W]"
    if images.ndim != 4 or images.dtype != np.uint8 or images.shape[1] not in (1, 3):
        raise UserError(f"{where}: found {shape}, allowed: {form}")
    if 0 in images.shape:
        raise UserError(f"{where}: found no image ({shape}), allowed: at least one")
    said = [NO_CLASS] * len(images) if labels is None else [str(label) for label in labels]
    if len(said) != len(images):
        found = f"{len(images)} images and {len(said)} labels"
        raise UserError(f"{where}: found {found}, allowed: as many")
    names = [f"number {number}" for number in range(len(images))]
    return Found(
        where, kind, [Shape(*images.shape[1:])] * len(images), images.__getitem__, said, names
    )
