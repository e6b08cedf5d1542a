"""Pictures of any folder with a table of attributes: lists, tables, parquet, Hugging Face."""

import json
import re
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from data_folders import refused, saved
from PIL import Image

from guidebench.base import sources
from guidebench.data import load
from guidebench.data.dataset import DataSet
from guidebench.pipeline.experiment.sections import FolderData

COUNT = 20


def _options(root: Path, **changes: Any) -> FolderData:
    values = {"source": "folder", "root": str(root), "size": 16, "train": 14, "validation": 6}
    return FolderData(**values | changes)


def _png(number: int) -> bytes:
    """A flat grey picture whose brightness is 10 times its number."""
    return saved(Image.new("RGB", (32, 32), (10 * number,) * 3), "PNG")


def _pictures(root: Path, names: list[str]) -> None:
    for number, name in enumerate(names):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(_png(number))


def _right(options: FolderData) -> tuple[DataSet, DataSet]:
    """What is loaded; each label is whether the picture's number is odd, and none is in both."""
    parts = load(options, 0)
    seen = []
    for part in parts:
        assert part.classes == [f"{options.attribute}: false", f"{options.attribute}: true"]
        number = np.round(part.images.mean(axis=(1, 2, 3)) / 10).astype(int)
        np.testing.assert_array_equal(part.labels, number % 2)
        seen += number.tolist()
    assert sorted(seen) == list(range(COUNT))
    assert [len(part.labels) for part in parts] == [14, 6]
    assert np.bincount(parts[0].labels).tolist() == [7, 7]
    return parts


FRAME = pd.DataFrame({"Young": [1] * COUNT, "Male": [n % 2 for n in range(COUNT)]})


@pytest.mark.parametrize("kind", ["words", "minus", "parquet", "list"])
@pytest.mark.parametrize("ending", [".jpg", ".png"])
def test_a_table_beside_pictures(kind: str, ending: str, tmp_path: Path) -> None:
    """CelebAMask-HQ's list has the form of CelebA's, and its pictures a folder below."""
    names = [f"{number}{ending}" for number in range(COUNT)]
    _pictures(tmp_path / "CelebA-HQ-img", names)
    male = FRAME.Male
    if kind == "words":
        frame = FRAME.assign(Male=male.astype(bool))
    else:
        frame = FRAME.assign(Male=2 * male - 1)
    frame.insert(0, "image_id", names)
    table = {"parquet": "anno.parquet", "list": "anno.txt"}.get(kind, "anno.csv")
    if kind == "parquet":
        frame.to_parquet(tmp_path / table)
    elif kind == "list":
        rows = [f"{name}  1 {value}" for name, value in zip(names, frame.Male, strict=True)]
        (tmp_path / table).write_text("\n".join([str(COUNT), "Young Male", *rows]))
    else:
        frame.to_csv(tmp_path / table, index=False)
    options = _options(tmp_path, table=table)
    _right(options)
    _right(_options(tmp_path, table=str(tmp_path / table)))
    files = sources.files(options, tmp_path)
    assert files[0] == tmp_path / table
    assert len(files) == 1 + COUNT
    assert all(path.is_file() for path in files)


def test_a_zip_beside_its_table(tmp_path: Path) -> None:
    """As CelebA's own pictures, with what macOS adds."""
    names = [f"{number}.png" for number in range(COUNT)]
    with zipfile.ZipFile(tmp_path / "faces.zip", "w") as archive:
        for number, name in enumerate(names):
            archive.writestr(f"faces/{name}", _png(number))
            archive.writestr(f"__MACOSX/faces/._{name}", b"none")
    FRAME.set_index(pd.Index(names)).to_csv(tmp_path / "t.csv")
    options = _options(tmp_path, table="t.csv")
    _right(options)
    assert sources.files(options, tmp_path) == [tmp_path / "t.csv", tmp_path / "faces.zip"]
    (tmp_path / "more.zip").write_bytes(b"PK")
    assert refused(options).endswith("more.zip, allowed: one archive")
    (tmp_path / "faces.zip").unlink()
    assert "more.zip: truncated or damaged" in refused(options)


def _embedded(low: int, high: int) -> pa.Table:
    """Rows as Hugging Face stores pictures."""
    images = [{"bytes": _png(number), "path": f"{number}.png"} for number in range(low, high)]
    columns = {"image": images, "label": [number % 2 for number in range(low, high)]}
    return pa.table(columns)


@pytest.mark.parametrize("kind", ["parquet", "arrow", "binary"])
def test_files_that_hold_pictures_and_attributes(kind: str, tmp_path: Path) -> None:
    """As a data set is downloaded from Hugging Face, or saved by `save_to_disk`."""
    from pyarrow import parquet

    (tmp_path / "data").mkdir()
    for shard, (low, high) in enumerate([(0, 9), (9, COUNT)]):
        table = _embedded(low, high)
        if kind == "binary":
            bare = pa.array([_png(number) for number in range(low, high)], pa.binary())
            table = table.set_column(0, "picture", bare)
        path = tmp_path / "data" / f"train-{shard:05d}-of-00002"
        if kind == "arrow":
            path = path.with_suffix(".arrow")
            with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as out:
                out.write_table(table, max_chunksize=4)
        else:
            path = path.with_suffix(".parquet")
            parquet.write_table(table, path, row_group_size=4)
    (tmp_path / "data" / "cache-1f.arrow").write_bytes(b"of the library's own")
    options = _options(tmp_path, attribute="label")
    _right(options)
    assert len(sources.files(options, tmp_path)) == 2
    said = refused(_options(tmp_path, attribute="Male"))
    assert re.match(r"data\.attribute: found 'Male', allowed: one of .*00000.* \(label\)$", said)
    train, _ = load(_options(tmp_path, attribute=None), 0)
    assert (train.labels == -1).all()
    assert train.classes == []


def test_without_an_attribute_no_table_is_needed(tmp_path: Path) -> None:
    _pictures(tmp_path, [f"{number}.png" for number in range(COUNT)])
    train, validation = load(_options(tmp_path, attribute=None), 0)
    assert len(train.labels) + len(validation.labels) == COUNT
    assert (train.labels == -1).all()


def test_pictures_without_a_row_and_rows_without_a_picture_do_not_count(tmp_path: Path) -> None:
    _pictures(tmp_path, [f"{number}.png" for number in range(COUNT)])
    rows = [f"{number}.png,{number % 2}" for number in range(2, COUNT + 5)]
    (tmp_path / "t.csv").write_text("\n".join(["name,Male", *rows]))
    train, validation = load(_options(tmp_path, table="t.csv", train=12), 0)
    assert len(train.labels) + len(validation.labels) == COUNT - 2


@pytest.mark.parametrize("packed", [False, True])
def test_paths_tell_pictures_of_one_name_apart(packed: bool, tmp_path: Path) -> None:
    """A row by its path alone was refused, and so were two pictures of a name."""
    names = [f"{'ab'[number % 2]}/{number // 2}.png" for number in range(COUNT)]
    if packed:
        with zipfile.ZipFile(tmp_path / "faces.zip", "w") as archive:
            for number, name in enumerate(names):
                archive.writestr(f"faces\\{name}", _png(number))
    else:
        _pictures(tmp_path / "faces", names)
    for before in ("", "faces/", "./faces/", "images\\faces\\", "/data/faces/"):
        FRAME.set_index(pd.Index([before + name for name in names])).to_csv(tmp_path / "t.csv")
        _right(_options(tmp_path, table="t.csv"))
    FRAME.set_index(pd.Index([name[2:] for name in names])).to_csv(tmp_path / "t.csv")
    assert refused(_options(tmp_path, table="t.csv")) == (
        f"{tmp_path}/t.csv: line 2: found 0.png, allowed: the path of one picture, as "
        "faces/a/0.png or faces/b/0.png"
    )


def test_a_path_that_is_another_folders_takes_no_picture(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Of a copy without the folder b, and in whichever order they are listed."""
    _pictures(tmp_path / "a", [f"{number}.png" for number in range(COUNT)])
    rows = [f"a/{number}.png,{number % 2}" for number in range(COUNT)]
    others = [f"b/{number}.png,{1 - number % 2}" for number in range(COUNT)]
    for listed in (rows + others, others + rows):
        (tmp_path / "t.csv").write_text("\n".join(["name,Male", *listed]))
        _right(_options(tmp_path, table="t.csv"))
    assert caplog.messages == 2 * [
        f"{tmp_path}: {COUNT} of the {2 * COUNT} listed pictures are missing, the first is "
        "b/0.png; the others are used"
    ]
    # both are as near to the one that is there
    (tmp_path / "t.csv").write_text("name,Male\nb/1.png,1\nc/1.png,1\n")
    said = refused(_options(tmp_path, table="t.csv"))
    assert said == f"{tmp_path}/t.csv: line 3: found c/1.png again, allowed: each picture once"


@pytest.mark.parametrize("table", ["metadata.jsonl", None])
def test_hugging_faces_metadata(table: str | None, tmp_path: Path) -> None:
    """It is found where it is the only table."""
    _pictures(tmp_path, [f"train/{number}.png" for number in range(COUNT)])
    objects = [
        {"Male": value, "file_name": f"train/{number}.png", "text": None}
        for number, value in enumerate(FRAME.Male.astype(bool))
    ]
    path = tmp_path / "metadata.jsonl"
    path.write_text("\n".join(map(json.dumps, objects)) + "\n")
    _right(_options(tmp_path, table=table))
    assert sources.files(_options(tmp_path, table=table), tmp_path)[0] == path
    if table is None:
        (tmp_path / "more.csv").write_text("")
        assert refused(_options(tmp_path)).startswith("data.table: found null, allowed: the table")


def test_what_will_not_do_is_one_line(tmp_path: Path) -> None:
    assert "found no picture" in refused(_options(tmp_path / "nowhere"))
    _pictures(tmp_path, ["a/1.png", "b/1.png"])
    said = refused(_options(tmp_path, attribute=None))
    assert "a/1.png and" in said
    assert "allowed: one picture of a name" in said
    (tmp_path / "b/1.png").unlink()
    said = refused(_options(tmp_path))
    assert said.startswith("data.table: found null, allowed: the table that says which pictures")
    (tmp_path / "t.csv").write_text("name,Male\n2.png,1\n")
    assert refused(_options(tmp_path, table="t.csv")) == (
        f"{tmp_path}/t.csv: found 2.png, and none of the pictures of {tmp_path}, as a/1.png, "
        f"allowed: their file names, or paths below {tmp_path}"
    )
    (tmp_path / "t.csv").write_text("name,Male\n1.png,perhaps\n")
    said = refused(_options(tmp_path, table="t.csv"))
    assert (
        "line 2, column Male: found 'perhaps' for a/1.png, allowed: -1, 0, 1, false, true" in said
    )
    assert "cannot be read" in refused(_options(tmp_path, table="none.csv"))
    (tmp_path / "t.parquet").write_bytes(b"PAR1 and no more")
    assert "t.parquet: cannot be read" in refused(_options(tmp_path, table="t.parquet"))
    said = refused(_options(tmp_path))
    assert "t.parquet: truncated or damaged" in said


def test_columns_that_may_all_be_pictures_are_refused(tmp_path: Path) -> None:
    from pyarrow import parquet

    table = _embedded(0, 4)
    table = table.append_column("mask", table.column("image"))
    parquet.write_table(table, tmp_path / "a.parquet")
    said = refused(_options(tmp_path, attribute="label"))
    assert "of which image, mask hold bytes; allowed: one column of pictures" in said


def test_a_damaged_picture_is_named(tmp_path: Path) -> None:
    _pictures(tmp_path, [f"{number}.png" for number in range(COUNT)])
    (tmp_path / "7.png").write_bytes(_png(7)[:-30])
    said = refused(_options(tmp_path, attribute=None))
    assert said == (
        f"{tmp_path}/7.png: found no whole picture (image file is truncated), allowed: one that "
        "Pillow reads"
    )


@pytest.mark.parametrize("damage", [b"no picture", None])
def test_a_picture_in_a_row_is_named_by_its_file_and_row(
    damage: bytes | None, tmp_path: Path
) -> None:
    """It was `<_io.BytesIO object at 0x...>`."""
    from pyarrow import parquet

    for shard in range(2):
        rows = _embedded(10 * shard, 10 * shard + 10).to_pylist()
        if shard:
            rows[2]["image"]["bytes"] = damage
        parquet.write_table(pa.Table.from_pylist(rows), tmp_path / f"{shard}.parquet")
    assert refused(_options(tmp_path, attribute="label")) == (
        f"{tmp_path}/1.parquet: row 3: found no whole picture ({len(damage or b'')} bytes), "
        "allowed: one that Pillow reads"
    )
    rows[4]["label"] = None
    parquet.write_table(pa.Table.from_pylist(rows), tmp_path / "1.parquet")
    assert refused(_options(tmp_path, attribute="label")) == (
        f"{tmp_path}/1.parquet: row 5, column label: found an empty cell for its picture, "
        "allowed: -1, 0, 1, false, true"
    )
