"""A folder with CelebA's files, of noise."""

from pathlib import Path

import numpy as np
from PIL import Image

COUNT = 400


def write_faces(folder: Path) -> None:
    """Odd pictures are Male, every third smiles; the first half trains, the rest validates."""
    (folder / "img_align_celeba").mkdir(parents=True)
    chance = np.random.default_rng(0)
    attributes, parts = [str(COUNT), "Male Smiling"], []
    for number in range(1, COUNT + 1):
        name = f"{number:06d}.jpg"
        pixels = chance.integers(0, 255, (109, 89, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / "img_align_celeba" / name)
        attributes.append(f"{name} {1 if number % 2 else -1:2d} {-1 if number % 3 else 1:2d}")
        parts.append(f"{name} {0 if number <= COUNT // 2 else 1}")
    (folder / "list_attr_celeba.txt").write_text("\n".join(attributes) + "\n")
    (folder / "list_eval_partition.txt").write_text("\n".join(parts) + "\n")
