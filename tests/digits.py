"""Files like the official MNIST ones, of noise."""

import struct
from pathlib import Path

import numpy as np


def write_digits(root: Path, seed: int = 0) -> None:
    """Official-looking MNIST files of noise: 100 images each for training and test."""
    folder = root / "MNIST" / "raw"
    folder.mkdir(parents=True, exist_ok=True)
    chance = np.random.default_rng(seed)
    for prefix in ("train", "t10k"):
        images = chance.integers(0, 256, (100, 28, 28), dtype=np.uint8)
        labels = (np.arange(100) % 10).astype(np.uint8)
        for kind, array in (("images-idx3", images), ("labels-idx1", labels)):
            head = struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
            (folder / f"{prefix}-{kind}-ubyte").write_bytes(head + array.tobytes())
