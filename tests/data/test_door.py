"""What is no data set is refused in one line, whatever its source."""

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from data_folders import idx, refused, write_idx

from guidebench.data import load
from guidebench.data.dataset import DataSet
from guidebench.data.door import pair
from guidebench.pipeline.errors import UserError
from guidebench.pipeline.experiment.sections import CustomData, IdxData

COUNT, SIZE = 24, 8
LABELS = np.arange(COUNT) % 3
IMAGES = np.random.default_rng(0).integers(0, 256, (COUNT, 3, SIZE, SIZE), dtype=np.uint8)
ALLOWED = f"allowed: uint8 images [N, 1 or 3, {SIZE}, {SIZE}]"
# made of a good set's images, labels, classes and extras -> what is said of it
ODD: dict[str, tuple[Callable[[], Any], str]] = {
    "flat": (
        lambda: DataSet(IMAGES.reshape(COUNT, -1), LABELS, ["a", "b", "c"]),
        "[24, 192], " + ALLOWED,
    ),
    "no channel": (
        lambda: DataSet(IMAGES[:, 0], LABELS, ["a", "b", "c"]),
        "[24, 8, 8], " + ALLOWED,
    ),
    "channels last": (
        lambda: DataSet(IMAGES.transpose(0, 2, 3, 1), LABELS, ["a", "b", "c"]),
        "[24, 8, 8, 3], " + ALLOWED,
    ),
    "two channels": (
        lambda: DataSet(IMAGES[:, :2], LABELS, ["a", "b", "c"]),
        "[24, 2, 8, 8], " + ALLOWED,
    ),
    "four channels": (
        lambda: DataSet(np.concatenate([IMAGES, IMAGES[:, :1]], 1), LABELS, ["a", "b", "c"]),
        "[24, 4, 8, 8], " + ALLOWED,
    ),
    "not square": (
        lambda: DataSet(IMAGES[:, :, :6], LABELS, ["a", "b", "c"]),
        "[24, 3, 6, 8], " + ALLOWED,
    ),
    "another size": (
        lambda: DataSet(np.repeat(IMAGES, 2, 2).repeat(2, 3), LABELS, ["a", "b", "c"]),
        "[24, 3, 16, 16], " + ALLOWED,
    ),
    "floats": (lambda: DataSet(IMAGES / 255, LABELS, ["a", "b", "c"]), "float64 images"),
    "signed": (lambda: DataSet(IMAGES.astype(np.int64), LABELS, ["a", "b", "c"]), "int64 images"),
    "objects": (
        lambda: DataSet(np.array([None] * COUNT), LABELS, ["a", "b", "c"]),
        "object images [24]",
    ),
    "zeros and ones": (
        lambda: DataSet((IMAGES / 255).astype(np.uint8), LABELS, ["a", "b", "c"]),
        "pixels from 0 to 1, allowed: 0 to 255",
    ),
    "no image": (lambda: DataSet(IMAGES[:0], LABELS[:0], ["a", "b", "c"]), "no image"),
    "a list": (lambda: DataSet(IMAGES.tolist(), LABELS, ["a", "b", "c"]), "images of type list"),
    "labels from 1": (
        lambda: DataSet(IMAGES, LABELS + 1, ["a", "b", "c"]),
        "labels from 1 to 3, allowed: 0 to 2, numbers of 3 classes",
    ),
    "a negative label": (lambda: DataSet(IMAGES, LABELS - 1, ["a", "b", "c"]), "labels from -1 to"),
    "an enormous label": (
        lambda: DataSet(IMAGES, np.full(COUNT, 2**64 - 1, np.uint64), ["a", "b", "c"]),
        "labels from 18446744073709551615 to",
    ),
    "no labels": (lambda: DataSet(IMAGES, np.full(COUNT, -1), ["a", "b", "c"]), "labels from -1"),
    "labels of floats": (lambda: DataSet(IMAGES, LABELS / 1.0, ["a", "b", "c"]), "float64 labels"),
    "labels of text": (lambda: DataSet(IMAGES, LABELS.astype(str), ["a", "b", "c"]), "<U21 labels"),
    "labels of truth": (lambda: DataSet(IMAGES, LABELS > 0, ["a", "b", "c"]), "bool labels"),
    "one-hot labels": (
        lambda: DataSet(IMAGES, np.eye(3, dtype=np.int64)[LABELS], ["a", "b", "c"]),
        "int64 labels [24, 3]",
    ),
    "labels too few": (lambda: DataSet(IMAGES, LABELS[1:], ["a", "b", "c"]), "24 images and 23 l"),
    "labels too many": (lambda: DataSet(IMAGES[1:], LABELS, ["a", "b", "c"]), "23 images and 24 l"),
    "swapped": (lambda: DataSet(LABELS, IMAGES, ["a", "b", "c"]), "int64 images [24], " + ALLOWED),
    "other classes": (
        lambda: DataSet(IMAGES, LABELS, ["a", "c", "b"]),
        "classes ['a', 'c', 'b'], allowed: ['a', 'b', 'c'], as in data.classes",
    ),
    "classes of no kind": (lambda: DataSet(IMAGES, LABELS, None), "classes None"),
    "extras too few": (
        lambda: DataSet(IMAGES, LABELS, ["a", "b", "c"], {"pose": LABELS[1:]}),
        "24 images and 23 pose",
    ),
    "one extra number": (
        lambda: DataSet(IMAGES, LABELS, ["a", "b", "c"], {"pose": np.array(3)}),
        "24 images and one pose",
    ),
    "extras of no kind": (lambda: DataSet(IMAGES, LABELS, ["a", "b", "c"], [1]), "extra of type"),
    "extras named images": (
        lambda: DataSet(IMAGES, LABELS, ["a", "b", "c"], {"images": LABELS}),
        "extra named 'images', allowed: other names than images and labels",
    ),
    "extras named labels": (
        lambda: DataSet(IMAGES, LABELS, ["a", "b", "c"], {"labels": LABELS}),
        "extra named 'labels', allowed: other names",
    ),
    "extras named meta": (
        lambda: DataSet(IMAGES, LABELS, ["a", "b", "c"], {"meta": LABELS}),
        "extra named 'meta', allowed: other names",
    ),
    "extras named a path": (
        lambda: DataSet(IMAGES, LABELS, ["a", "b", "c"], {"../x": LABELS}),
        "extra named '../x', allowed: other names",
    ),
    "extras without a name": (
        lambda: DataSet(IMAGES, LABELS, ["a", "b", "c"], {"": LABELS}),
        "extra named '', allowed: other names",
    ),
    "numpy's other classes": (
        lambda: DataSet(IMAGES, LABELS, np.array(["a", "c", "b"])),
        "classes ['a', 'c', 'b'], allowed: ['a', 'b', 'c']",
    ),
    "a class named each": (
        lambda: DataSet(IMAGES, LABELS, ["a", "b", "each"]),
        "classes ['a', 'b', 'each'], allowed: ['a', 'b', 'c']",
    ),
    "no data set": (lambda: (IMAGES, LABELS), "gave tuple, allowed: a DataSet"),
}
MODULE = "made = None\n\ndef given(options, seed):\n    return made()\n"


def _own(**changes: Any) -> CustomData:
    values = {"source": "my_given:given", "classes": ["a", "b", "c"], "size": SIZE}
    return CustomData(**values | {"train": 12, "validation": 6} | changes)


def _refused(options: Any) -> str:
    said = refused(options)
    assert "allowed: " in said
    return said


@pytest.fixture
def given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The module of a user, whose data set is what `made` makes."""
    (tmp_path / "my_given.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(__import__("sys").modules, "my_given", raising=False)
    return __import__("my_given")


@pytest.mark.parametrize("name", ODD)
def test_an_odd_set_of_a_users_own_is_one_line(name: str, given: Any) -> None:
    given.made, said = ODD[name]
    line = _refused(_own())
    assert line.startswith("data.source: my_given:given")
    assert said in line


@pytest.mark.parametrize("kind", [np.int8, np.uint8, np.int32, ">i8", np.uint64])
def test_labels_of_any_integers_become_int64(kind: Any, given: Any) -> None:
    given.made = lambda: DataSet(IMAGES, LABELS.astype(kind), ["a", "b", "c"])
    for part in load(_own(), 0):
        assert part.labels.dtype == np.int64
        assert part.labels.dtype.isnative
        assert part.classes == ["a", "b", "c"]


@pytest.mark.parametrize("kind", [np.array, tuple, list])
def test_class_names_are_a_list_whatever_held_them(kind: Any, given: Any) -> None:
    given.made = lambda: DataSet(IMAGES, LABELS, kind(["a", "b", "c"]), {"pose": LABELS})
    for part in load(_own(), 0):
        assert part.classes == ["a", "b", "c"]
        assert type(part.classes) is list
        assert [type(name) for name in part.classes] == [str] * 3
        np.testing.assert_array_equal(part.extra["pose"], part.labels)


def test_a_set_without_classes_has_labels_of_minus_one(given: Any) -> None:
    given.made = lambda: DataSet(IMAGES, np.full(COUNT, -1), [])
    assert (load(_own(classes=[]), 0)[0].labels == -1).all()
    given.made = lambda: DataSet(IMAGES, np.arange(COUNT) % 1, [])
    assert "labels from 0 to 0, allowed: -1: no classes" in _refused(_own(classes=[]))


def test_both_splits_have_one_shape() -> None:
    """Sizes that differ changed the floor's distance from 0.034 to 0.072, and nobody said so."""
    gray = DataSet(IMAGES[:, :1], LABELS, ["a", "b", "c"])
    options = _own()
    assert len(pair(gray, gray, options)) == 2
    with pytest.raises(UserError, match=r"training images \[3, 8, 8\] and validation images \[1, "):
        pair(DataSet(IMAGES, LABELS, ["a", "b", "c"]), gray, options)


NAMES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
PIXELS = np.random.default_rng(1).integers(0, 256, (40, 28, 28), dtype=np.uint8)
DIGITS = np.arange(40) % 10
# file -> array -> what is said
ODD_IDX: dict[str, tuple[int, np.ndarray, str]] = {
    "no square": (0, PIXELS[:, :, :20], "[40, 1, 28, 20], allowed: uint8 images [N, 1 or 3, 28, 2"),
    "test of another size": (2, PIXELS[:, 2:26, 2:26], "[40, 1, 24, 24], allowed: uint8 images"),
    "flat": (0, PIXELS.reshape(40, -1), "found 2 dimensions, allowed: images"),
    "coloured": (0, PIXELS[:, None].repeat(3, 1), "found 4 dimensions, allowed: images"),
    "no image": (0, PIXELS[:0], "found 0 images and 40 labels"),
    "labels for images": (0, DIGITS, "found labels, allowed: images; are the files swapped?"),
    "images for labels": (1, PIXELS, "found images, allowed: labels; are the files swapped?"),
    "labels from 1": (1, DIGITS + 1, "labels from 1 to 10, allowed: 0 to 9"),
    "letters": (3, DIGITS + 36, "labels from 36 to 45, allowed: 0 to 9"),
    "labels too few": (3, DIGITS[:7], "found 40 images and 7 labels"),
    "zeros and ones": (0, PIXELS // 128, "pixels from 0 to 1, allowed: 0 to 255"),
}


@pytest.mark.parametrize("source", ["mnist", "fashion_mnist"])
@pytest.mark.parametrize("name", ODD_IDX)
def test_odd_idx_files_are_named(name: str, source: str, tmp_path: Path) -> None:
    write_idx(tmp_path, {"train": DIGITS, "t10k": DIGITS})
    number, array, said = ODD_IDX[name]
    path = tmp_path / NAMES[number]
    path.write_bytes(idx(array))
    options = IdxData(source=source, root=str(tmp_path))
    line = _refused(options)
    assert line.startswith(str(tmp_path / NAMES[number].partition("-")[0]))
    assert said in line
    path.unlink()
    path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(idx(array)))
    assert said in _refused(options)


@pytest.mark.parametrize("name", ["both", "no image at all"])
def test_empty_idx_files_are_named(name: str, tmp_path: Path) -> None:
    write_idx(tmp_path, {"train": DIGITS, "t10k": DIGITS[: 0 if name == "both" else 40]})
    if name != "both":
        for file, array in ((NAMES[0], PIXELS[:0]), (NAMES[1], DIGITS[:0])):
            (tmp_path / file).write_bytes(idx(array))
    options = IdxData(source="mnist", root=str(tmp_path))
    assert "found no image, allowed: at least one" in _refused(options)
