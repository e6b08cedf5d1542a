"""Whatever order files keep their images in, prepared ones are exchangeable, and so are halves."""

import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from data_folders import write_faces, write_idx

from guidebench.data import load
from guidebench.data.dataset import DataSet
from guidebench.data.store import Stored, chosen, half, read, write
from guidebench.pipeline.experiment.sections import CelebaData, CustomData, IdxData, SportBallsData

COUNT = 240
ORDERS = {
    "sorted": lambda classes: np.sort(np.arange(COUNT) % classes),
    "alternating": lambda classes: np.arange(COUNT) % classes,
}
MODULE = """
import numpy as np
from guidebench.data.dataset import DataSet
from guidebench.pipeline.experiment.sections import CelebaData, CustomData, IdxData, SportBallsData

def listed(options, seed):
    labels = np.load(options["labels"])
    images = np.arange(len(labels), dtype=np.uint8)[:, None, None, None] + np.zeros((1, 8, 8))
    return DataSet(images.astype(np.uint8), labels, ["a", "b", "c"])
"""


def _own(order: Callable[[int], np.ndarray], root: Path) -> CustomData:
    (root / "my_listed.py").write_text(MODULE)
    np.save(root / "labels.npy", order(3))
    options = {"labels": str(root / "labels.npy")}
    named = {"source": "my_listed:listed", "options": options, "classes": ["a", "b", "c"]}
    return CustomData(**named, size=8, train=160, validation=80)


def _digits(order: Callable[[int], np.ndarray], root: Path) -> IdxData:
    write_idx(root / "MNIST" / "raw", {"train": order(10), "t10k": order(10)})
    return IdxData(source="mnist", root=str(root))


def _faces(order: Callable[[int], np.ndarray], root: Path) -> CelebaData:
    write_faces(root, np.concatenate([order(2), order(2)]), train=COUNT)
    return CelebaData(source="celeba", root=str(root), size=8)


def _balls(order: Callable[[int], np.ndarray], root: Path) -> SportBallsData:
    small = {"size": 8, "canvas": 8, "scale": (0.5, 0.8), "poses": 2}
    return SportBallsData(source="sportballs", **small, train=160, validation=80)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("source", [_own, _digits, _faces, _balls])
def test_splits_are_shuffled_and_halves_hold_each_class(
    source: Any, order: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    options = source(ORDERS[order], tmp_path)
    for part in load(options, 0):
        count = len(part.labels)
        # position and label are independent: a correlation's standard error is 1 / sqrt(count)
        assert abs(np.corrcoef(np.arange(count), part.labels)[0, 1]) < 4 / np.sqrt(count)
        repeats = np.mean(part.labels[1:] == part.labels[:-1])
        chance = ((np.bincount(part.labels) / count) ** 2).sum()
        assert abs(repeats - chance) < 5 * np.sqrt(chance * (1 - chance) / count)
        stored = Stored(part.images, part.labels, part.classes)
        first, second = (half(stored, which) for which in ("first", "second"))
        seen = [np.bincount(one.labels, minlength=len(part.classes)) for one in (first, second)]
        assert np.abs(seen[0] - seen[1]).max() <= 1
        assert len(first.labels) + len(second.labels) == count


@pytest.mark.parametrize("labels", [np.arange(60) % 2, np.arange(61) % 10, np.full(9, -1)])
def test_halves_are_disjoint_in_stored_order_and_split_every_class(labels: np.ndarray) -> None:
    """Labels that alternate put no class into one half."""
    data = Stored(np.arange(len(labels)), labels, [])
    first, second = (half(data, which) for which in ("first", "second"))
    assert sorted([*first.images[:], *second.images[:]]) == list(range(len(labels)))
    for one in (first, second):
        assert (np.diff(one.images[:]) > 0).all()
        np.testing.assert_array_equal(one.labels, labels[one.images[:]])
    for label in np.unique(labels):
        assert abs((first.labels == label).sum() - (second.labels == label).sum()) <= 1
    assert 0 <= len(first.images) - len(second.images) <= 1


def test_a_half_stays_on_disk_and_gives_its_images_by_batches(tmp_path: Path) -> None:
    """Half of CelebA at 256 pixels is 16 GB."""
    chance = np.random.default_rng(0)
    images = chance.integers(0, 256, (400, 3, 48, 48), dtype=np.uint8)
    write(DataSet(images, np.arange(400) % 5, list("abcde")), tmp_path)
    rows, index = np.arange(400) // 5 % 2 == 1, chance.integers(0, 200, 16)
    size = images.nbytes
    tracemalloc.start()
    second = half(read(tmp_path), "second")
    batches = [second.images[index], second.images[32:48], second.images[190:999]]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < size / 5  # the batches are a tenth
    assert len(second.images) == 200
    assert second.images.shape == (200, 3, 48, 48)
    expected = images[rows]
    for found, wanted in zip(
        batches, (expected[index], expected[32:48], expected[190:]), strict=True
    ):
        np.testing.assert_array_equal(found, wanted)
    # some of a half: the floor's images
    few = chosen(second, index)
    np.testing.assert_array_equal(few.images[:], expected[index])
    np.testing.assert_array_equal(few.labels, second.labels[index])
