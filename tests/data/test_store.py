"""Splits that are parts of others, or others together, stay on disk until a batch is indexed."""

from pathlib import Path

import numpy as np

from guidebench.data.dataset import DataSet
from guidebench.data.store import chosen, joined, read, write


def _split(folder: Path, count: int, first: int) -> DataSet:
    images = np.full((count, 1, 4, 4), 0, np.uint8)
    images += (first + np.arange(count, dtype=np.uint8))[:, None, None, None]
    data = DataSet(images, np.arange(count) % 2, ["a", "b"])
    write(data, folder)
    return data


def test_two_splits_together_are_one_after_the_other(tmp_path: Path) -> None:
    """What the denoiser of `validation_images` is trained on."""
    parts = [_split(tmp_path / name, count, 10 * count) for name, count in (("a", 5), ("b", 3))]
    found = joined(read(tmp_path / "a"), read(tmp_path / "b"))
    whole = np.concatenate([part.images for part in parts])
    assert found.images.shape == whole.shape
    assert len(found.images) == 8
    assert found.classes == ["a", "b"]
    assert found.labels.tolist() == [0, 1, 0, 1, 0, 0, 1, 0]
    for index in (np.array([7, 0, 5, 5, 4]), np.array([1]), np.array([6, 7])):
        assert np.array_equal(found.images[index], whole[index])
    assert np.array_equal(found.images[3:7], whole[3:7])
    part = chosen(found, np.array([6, 2]))
    assert np.array_equal(part.images[:], whole[[6, 2]])
