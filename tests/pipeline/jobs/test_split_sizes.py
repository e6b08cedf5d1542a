"""How many images there will be, before they are prepared."""

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import REPOSITORY
from data_folders import write_faces, write_idx

from guidebench.data import load as load_data
from guidebench.data.celeba import HELD_OUT
from guidebench.pipeline.experiment.reading import load
from guidebench.pipeline.experiment.sections import CelebaData, IdxData
from guidebench.pipeline.jobs import cost_model, demands, split_sizes
from guidebench.pipeline.jobs.layout import Job
from guidebench.pipeline.plan import forecast

CELEBA64 = REPOSITORY / "workflow/config/celeba64.yaml"
MALE = np.arange(40) % 2
LABELS = {"train": np.arange(50) % 10, "t10k": np.arange(20) % 10}


def _loaded(data: Any) -> tuple[int, ...]:
    return tuple(len(split.images) for split in load_data(data, 0))


@pytest.mark.parametrize("packed", [False, True])
def test_a_partial_copy_of_grey_images_is_counted(packed: bool, tmp_path: Path) -> None:
    write_idx(tmp_path, LABELS)
    for path in list(tmp_path.iterdir()) if packed else []:
        (tmp_path / f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
    for keys in ({}, {"validation": 10}, {"train": 20}):
        data = IdxData(source="mnist", root=str(tmp_path), **keys)
        assert split_sizes.split_sizes(data) == _loaded(data)


@pytest.mark.parametrize("unpacked", [False, True])
def test_a_partial_copy_of_celeba_is_counted(unpacked: bool, tmp_path: Path) -> None:
    """Its list names more pictures than there are, and some for the test."""
    write_faces(tmp_path, MALE, train=30)
    partition = tmp_path / "list_eval_partition.txt"
    more = "".join(f"{number:06d}.jpg {number % 3}\n" for number in range(41, 90))
    partition.write_text(partition.read_text().replace("000040.jpg 1", "000040.jpg 2") + more)
    if unpacked:
        folder = tmp_path / "img_align_celeba"
        folder.mkdir()
        for number in range(1, 39):
            (folder / f"{number:06d}.jpg").touch()
    data = CelebaData(source="celeba", root=str(tmp_path), size=16)
    sizes = split_sizes.split_sizes(data)
    assert sizes == ((30, 8) if unpacked else _loaded(data))
    only = data.model_copy(update={"validation": 5})
    assert split_sizes.split_sizes(only) == (30, 5)


TABLES = {
    "kaggle's": lambda n, name, value: f"{name},{value}",
    "semicolons": lambda n, name, value: f"{name};{value}",
    "rows counted": lambda n, name, value: f"{n},{name},{value}",
    "no endings": lambda n, name, value: f"{name.removesuffix('.jpg')},{value}",
}


@pytest.mark.parametrize("form", TABLES)
def test_a_table_is_counted(form: str, tmp_path: Path) -> None:
    write_faces(tmp_path, MALE, train=30)
    partition = tmp_path / "list_eval_partition.txt"
    pairs = [line.split() for line in partition.read_text().splitlines()]
    partition.unlink()
    lines = [TABLES[form]("", "image_id", "partition")]
    lines += [TABLES[form](n, name, value) for n, (name, value) in enumerate(pairs)]
    partition.with_suffix(".csv").write_text("\n".join(lines) + "\n")
    data = CelebaData(source="celeba", root=str(tmp_path), size=16, attribute=None)
    assert split_sizes.split_sizes(data) == _loaded(data) == (30, 10)


def test_by_identity_about_a_tenth_is_held_out(data_root: Path) -> None:
    data = CelebaData(source="celeba", root=str(data_root / "celeba"), split="identity")
    assert split_sizes.split_sizes(data) == (9000, 1000)
    assert split_sizes.PERSONS == HELD_OUT


def test_the_digits_of_the_package_are_fewer_than_the_official_ones(tmp_path: Path) -> None:
    data = IdxData(source="mnist", root=str(tmp_path / "nowhere"), otherwise="package")
    assert split_sizes.split_sizes(data) == _loaded(data)


@pytest.mark.parametrize("damaged", [False, True])
def test_what_cannot_be_read_is_taken_for_the_official_set(damaged: bool, tmp_path: Path) -> None:
    if damaged:
        (tmp_path / "img_align_celeba.zip").write_bytes(b"PK")
        for prefix in ("train", "t10k"):
            (tmp_path / f"{prefix}-images-idx3-ubyte.gz").write_bytes(b"\x1f\x8bno")
    faces = CelebaData(source="celeba", root=str(tmp_path))
    assert split_sizes.split_sizes(faces) == (162_770, 19_867)
    grey = IdxData(source="fashion_mnist", root=str(tmp_path), download=True)
    assert split_sizes.split_sizes(grey) == (60_000, 10_000)


@pytest.mark.parametrize("there", [False, True])
def test_what_is_there_decides_the_note_of_a_floor_and_the_disk(
    there: bool, tmp_path: Path
) -> None:
    if there:
        write_faces(tmp_path, MALE, train=30)
    config = load(str(CELEBA64), [f"datasets.celeba.data.root={tmp_path}"])
    train, held_out = (30, 10) if there else (162_770, 19_867)
    assert list(demands.notes(config)) == [
        f"datasets.celeba.data.validation: {held_out} images give no floor, which takes "
        "sampling.evaluation (50176)"
    ]
    count, rates = train + held_out, {"celeba": cost_model.Rates(0, 1.0, 0, {}, {}, 0)}
    priced = forecast.cost(config, None, Job("prepare", "celeba"), rates, {})
    assert (priced.seconds, priced.disk) == (count, count * (3 * 64 * 64 + 8))


@pytest.mark.parametrize(("evaluation", "notes"), [(20, 0), (24, 1)])
def test_a_note_where_a_whole_split_is_too_small(
    evaluation: int, notes: int, edited: Any, tmp_path: Path
) -> None:
    write_idx(tmp_path, LABELS)
    data, mnist = {"source": "mnist", "root": str(tmp_path)}, ("datasets", "mnist")
    config = edited({(*mnist, "data"): data, (*mnist, "sampling", "evaluation"): evaluation})
    said = [line for line in demands.notes(config) if line.startswith("datasets.mnist")]
    assert len(said) == notes
