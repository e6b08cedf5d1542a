"""MNIST and Fashion-MNIST: the package's digits, official files packed or not, damaged files."""

import gzip
import importlib.util
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from data_folders import idx, refused, write_idx

from guidebench.base import sources
from guidebench.data import load
from guidebench.data.idx import package_digits, read
from guidebench.pipeline.experiment.sections import IdxData

IMAGES = "train-images-idx3-ubyte"


def _options(root: Path | None, **changes: Any) -> IdxData:
    return IdxData(**{"source": "mnist", "root": root and str(root)} | changes)


@pytest.fixture(params=["", ".gz"], ids=["unpacked", "packed"])
def folder(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A small set in the official layout: 40 training and 20 test images, two of each digit."""
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for prefix, count in (("train", 40), ("t10k", 20)):
        labels = np.arange(count, dtype=np.uint8) % 10
        images = labels[:, None, None] * 20 + np.zeros((1, 28, 28), np.uint8)
        for name, array in (("images-idx3", images), ("labels-idx1", labels)):
            data = idx(array)
            data = gzip.compress(data) if request.param else data
            (raw / f"{prefix}-{name}-ubyte{request.param}").write_bytes(data)
    return tmp_path


def test_the_package_holds_500_of_each_digit() -> None:
    data = package_digits()
    assert data.images.shape == (5000, 1, 28, 28)
    assert data.images.dtype == np.uint8
    assert np.bincount(data.labels).tolist() == [500] * 10
    assert data.classes == [str(digit) for digit in range(10)]
    # white ink on black, centred: the border is empty, the digits are not
    assert data.images[:, :, [0, -1]].mean() < 0.5
    assert data.images[:, :, 8:20, 8:20].mean() > 60
    # a zero has a hole in its middle, a one has ink there
    zero, one = (data.images[data.labels == digit, 0, 13:15, 13:15].mean() for digit in (0, 1))
    assert zero < 20 < 120 < one
    assert int(data.images[0].sum()) == 31095
    assert data.images[0, 0, 14, 4:10].tolist() == [0, 0, 0, 198, 253, 190]


def test_the_packages_digits_are_digits_of_the_official_set(data_root: Path) -> None:
    ours = package_digits()
    official, _ = load(_options(data_root), 0)
    known = {i.tobytes(): n for i, n in zip(official.images, official.labels, strict=True)}
    assert [known.get(image.tobytes()) for image in ours.images] == ours.labels.tolist()


def test_the_package_stands_in_for_a_folder_that_is_not_there(tmp_path: Path) -> None:
    train, validation = load(_options(tmp_path / "nowhere", otherwise="package"), 0)
    assert (len(train.images), len(validation.images)) == (3600, 1400)
    assert np.bincount(train.labels).tolist() == [360] * 10
    few = _options(tmp_path / "nowhere", otherwise="package", train=50, validation=20)
    assert [len(part.images) for part in load(few, 0)] == [50, 20]


@pytest.mark.parametrize("name", ["", "train-images.idx3", "raw/MNIST/train-images-idx3-ubyte"])
def test_the_package_stands_in_for_no_folder_that_is_there(name: str, tmp_path: Path) -> None:
    """It once gave 5,000 digits in place of the 60,000 in files that it did not find."""
    if name:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"digits")
    assert not sources.from_package(_options(tmp_path, otherwise="package"))
    assert "missing" in refused(_options(tmp_path, otherwise="package"))


def test_a_damaged_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = SimpleNamespace(origin=str(tmp_path / "__init__.py"))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: found)
    path = tmp_path / "data" / "data" / "mnist_5k.csv.gz"
    options = _options(None, train=2, validation=1)
    assert f"{path}: truncated or damaged" in refused(options)
    path.parent.mkdir(parents=True)
    path.write_bytes(gzip.compress(b"1,2,3\n" * 40)[:-9])
    assert f"{path}: truncated or damaged" in refused(options)


def test_package_digits_split_in_proportion() -> None:
    train, validation = load(_options(None, train=2400, validation=2600), 0)
    assert np.bincount(train.labels).tolist() == [240] * 10
    assert np.bincount(validation.labels).tolist() == [260] * 10
    said = refused(_options(None, train=4000, validation=2000))
    assert "found 6000, allowed: at most 5000" in said


def test_official_files_keep_their_split(folder: Path) -> None:
    train, test = load(_options(folder), 0)
    assert train.images.shape == (40, 1, 28, 28)
    assert test.images.shape == (20, 1, 28, 28)
    np.testing.assert_array_equal(train.images[:, 0, 5, 5], train.labels * 20)
    assert train.labels.dtype == np.int64


def test_numbers_take_a_stratified_subset(folder: Path) -> None:
    train, test = load(_options(folder, train=20, validation=10), 0)
    assert np.bincount(train.labels).tolist() == [2] * 10
    assert np.bincount(test.labels).tolist() == [1] * 10
    said = refused(_options(folder, train=41))
    assert said.startswith("data.train: found 41, allowed: at most 40")


@pytest.mark.parametrize("place", ["MNIST/raw", "MNIST", ""])
@pytest.mark.parametrize("packed", ["", ".gz"])
@pytest.mark.parametrize("joint", ["-", "."])
def test_the_ways_in_which_people_have_the_files(
    place: str, packed: str, joint: str, tmp_path: Path
) -> None:
    """`train-images.idx3-ubyte` beside a folder `train-images-idx3-ubyte` is Kaggle's."""
    folder = tmp_path / place
    folder.mkdir(parents=True, exist_ok=True)
    wanted = []
    for prefix, count in (("train", 40), ("t10k", 20)):
        labels = np.arange(count, dtype=np.uint8) % 10
        images = labels[:, None, None] * 20 + np.zeros((1, 28, 28), np.uint8)
        for kind, array in (("images{}idx3", images), ("labels{}idx1", labels)):
            path = folder / f"{prefix}-{kind.format(joint)}-ubyte{packed}"
            path.write_bytes(gzip.compress(idx(array)) if packed else idx(array))
            wanted.append(path)
        if joint == ".":
            (folder / f"{prefix}-images-idx3-ubyte").mkdir()
    train, test = load(_options(tmp_path), 0)
    assert np.bincount(train.labels).tolist() == [4] * 10
    assert np.bincount(test.labels).tolist() == [2] * 10
    np.testing.assert_array_equal(train.images[:, 0, 5, 5], train.labels * 20)
    assert sources.files(_options(tmp_path), tmp_path) == wanted
    assert not sources.from_package(_options(tmp_path, otherwise="package"))


def test_files_of_two_folders_are_not_mixed(tmp_path: Path) -> None:
    write_idx(tmp_path, {"train": np.arange(40) % 10, "t10k": np.arange(40) % 10})
    (tmp_path / "MNIST").mkdir()
    name = "train-images-idx3-ubyte"
    (tmp_path / name).rename(tmp_path / "MNIST" / name)
    assert f"{tmp_path / 'MNIST' / 'train-labels-idx1-ubyte'}[.gz]: missing" in refused(
        _options(tmp_path)
    )


def test_reading_writes_nothing(folder: Path) -> None:
    before = sorted(folder.rglob("*"))
    load(_options(folder), 0)
    assert sorted(folder.rglob("*")) == before


Edit = Callable[[bytes], bytes]


def _edit(folder: Path, name: str, edit: Edit) -> Path:
    path = next((folder / "MNIST" / "raw").glob(f"{name}*"))
    path.write_bytes(edit(path.read_bytes()))
    return path


def _damage_middle(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + bytes(255 - b for b in data[middle : middle + 40]) + data[middle + 40 :]


def test_a_truncated_file_is_named(folder: Path) -> None:
    path = _edit(folder, IMAGES, lambda data: data[:-7])
    said = refused(_options(folder))
    assert str(path) in said
    if path.suffix != ".gz":
        assert "found 31369 bytes, allowed: 31376" in said


def test_a_damaged_archive_is_named(tmp_path: Path) -> None:
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    path = raw / f"{IMAGES}.gz"
    chance = np.random.default_rng(0)
    path.write_bytes(gzip.compress(idx(chance.integers(0, 256, (9, 28, 28), dtype=np.uint8))))
    _edit(tmp_path, IMAGES, _damage_middle)
    assert f"{path}: truncated or damaged" in refused(_options(tmp_path))


@pytest.mark.parametrize("content", [b"", b"\0\0", b"<html>no such file</html>", b"\0\0\x08\x03\0"])
def test_what_is_no_idx_file_is_named(content: bytes, folder: Path) -> None:
    path = next((folder / "MNIST" / "raw").glob(f"{IMAGES}*"))
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    assert f"{path}: found no idx header" in refused(_options(folder))


def test_a_page_saved_as_an_archive_is_named(folder: Path) -> None:
    path = _edit(folder, IMAGES, lambda data: b"<html>no such file</html>")
    assert str(path) in refused(_options(folder))


def test_labels_of_another_number_are_refused(folder: Path) -> None:
    path = next((folder / "MNIST" / "raw").glob("train-labels*"))
    data = idx(np.zeros(39, np.uint8))
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    assert "found 40 images and 39 labels" in refused(_options(folder))


def test_a_missing_file_says_what_to_do(folder: Path) -> None:
    path = next((folder / "MNIST" / "raw").glob("t10k-labels*"))
    path.unlink()
    said = refused(_options(folder))
    assert "t10k-labels-idx1-ubyte" in said
    assert "missing" in said
    assert "download" in said


def test_a_missing_root_says_what_to_do(tmp_path: Path) -> None:
    assert "missing" in refused(_options(tmp_path / "nowhere"))


@pytest.mark.parametrize("source", ["mnist", "fashion_mnist"])
def test_the_official_sets(source: str, data_root: Path) -> None:
    train, test = load(_options(data_root, source=source), 0)
    assert train.images.shape == (60000, 1, 28, 28)
    assert test.images.shape == (10000, 1, 28, 28)
    if source == "mnist":
        assert np.bincount(train.labels)[:3].tolist() == [5923, 6742, 5958]
        assert read(_options(data_root))[0].labels[:5].tolist() == [5, 0, 4, 1, 9]
        assert round(train.images.mean() / 255, 4) == 0.1307
    else:
        assert np.bincount(test.labels).tolist() == [1000] * 10
        assert train.classes[9] == "Ankle boot"
        assert read(_options(data_root, source=source))[0].labels[0] == 9
        assert round(train.images.mean() / 255, 4) == 0.2860
