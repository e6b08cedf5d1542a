"""Both sides in one form: as many channels, and of one size."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image

from guidebench.base.jackknife import blocked
from guidebench.evaluation.found import Found, Shape
from guidebench.pipeline.errors import UserError

RESIZE = "a central cut, then Pillow's bicubic"


class Images(NamedTuple):
    """Images uint8 [N, C, H, W] with classes [N], and what they were.

    `pixels` [N]: a digest of each as its source has it. `block` [N]: jackknife blocks, from 0.
    `half`: as `Found`'s. `resized`: how many had another size.
    """

    found: Found
    images: np.ndarray
    labels: np.ndarray
    names: np.ndarray
    pixels: np.ndarray
    block: np.ndarray
    half: np.ndarray | None
    resized: int

    def only(self, rows: np.ndarray) -> "Images":
        """Those at `rows`, in that order."""
        return self._replace(
            images=self.images[rows],
            labels=self.labels[rows],
            names=self.names[rows],
            pixels=self.pixels[rows],
            block=self.block[rows],
            half=None if self.half is None else self.half[rows],
        )

    @property
    def digest(self) -> str:
        """sha256 (hex) of images and classes, in whatever order their source has them."""
        each = sorted(f"{p} {label}" for p, label in zip(self.pixels, self.labels, strict=True))
        return hashlib.sha256("\n".join(each).encode()).hexdigest()

    @property
    def looks(self) -> list[bytes]:
        """The pixels of each in the common form: equal where two images are."""
        return [hashlib.sha256(image.tobytes()).digest() for image in self.images]


def common(sides: Sequence[Found]) -> Shape:
    """One shape for all: grey where every image is, and the smaller of both sides' usual sizes."""
    usual = [Counter(shape[1:] for shape in found.shapes).most_common() for found in sides]
    # of sizes that are as frequent the smaller
    sizes = [min(counts, key=lambda one: (-one[1], one[0]))[0] for counts in usual]
    channels = max(shape.channels for found in sides for shape in found.shapes)
    return Shape(channels, *min(sizes, key=lambda size: (size[0] * size[1], size)))


def decoded(found: Found, shape: Shape, blocks: int) -> Images:
    """All images of a source in the common shape; UserError names one that is damaged.

    Those of a source without an order of its own are ordered by their pixels, which is at random:
    by file they may be by class, and the first ones, or a jackknife block, would lack some.
    """
    count = len(found.shapes)
    try:
        images = np.empty((count, *shape), np.uint8)
    except MemoryError as error:
        size = f"{count:,} images of {shape.height} x {shape.width}"
        allowed = "as many as fit into memory"
        raise UserError(f"{found.where}: found {size}, allowed: {allowed}") from error
    pixels, resized = [], 0
    for number in range(count):
        image = found.read(number)
        pixels.append(hashlib.sha256(repr(image.shape).encode() + image.tobytes()).hexdigest())
        resized += image.shape[1:] != shape[1:]
        images[number] = fitted(image, shape.height, shape.width)
    place, among = found.seeds or (np.arange(count), count)
    whole = Images(
        found,
        images,
        np.array(found.labels),
        np.array(found.names),
        np.array(pixels),
        blocked(among, blocks)[place],
        found.half,
        resized,
    )
    if found.seeds is not None or found.half is not None:
        return whole
    return whole.only(np.argsort(whole.pixels, kind="stable"))._replace(block=whole.block)


def fitted(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """An image uint8 [C, H, W] as [C, height, width]: cut to that shape's middle, then resized."""
    rows, columns = image.shape[1:]
    if (rows, columns) == (height, width):
        return image
    scale = min(rows / height, columns / width)
    cut = max(1, round(height * scale)), max(1, round(width * scale))
    top, left = (rows - cut[0]) // 2, (columns - cut[1]) // 2
    square = image[:, top : top + cut[0], left : left + cut[1]]
    size, filtered = (width, height), Image.Resampling.BICUBIC
    return np.stack([np.asarray(Image.fromarray(one).resize(size, filtered)) for one in square])
