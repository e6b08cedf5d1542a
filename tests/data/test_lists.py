"""Lists and tables of pictures: which forms are read, and what is said of the others."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from guidebench.data.lists import has
from guidebench.pipeline.errors import UserError

NAMES = [f"{number:06d}.jpg" for number in range(1, 5)]
MALE = {name: number % 2 for number, name in enumerate(NAMES)}
FRAME = pd.DataFrame({"image_id": NAMES, "Young": 1, "Male": list(MALE.values())})
BARE = FRAME.assign(image_id=[name[:6] for name in NAMES])


def _has(path: Path, known: list[str] | None = None) -> dict[str, int]:
    return has("Male", path, NAMES if known is None else known)


def _said(path: Path, known: list[str] | None = None) -> str:
    with pytest.raises(UserError) as caught:
        _has(path, known)
    line = str(caught.value)
    assert "\n" not in line
    assert "fetch it again" not in line
    return line.replace(str(path), "PATH")


def _text(table: pd.DataFrame, path: Path) -> None:
    """As CelebA's: a count, the names of the columns but of the first, blanks."""
    rows = [" ".join(map(str, row)) for row in table.itertuples(index=False)]
    path.write_text("\n".join([str(len(rows)), "Young Male", *rows]))


WAYS: dict[str, Callable[[pd.DataFrame, Path], object]] = {
    "commas": lambda table, path: table.to_csv(path, index=False),
    "semicolons": lambda table, path: table.to_csv(path, index=False, sep=";"),
    "tabs": lambda table, path: table.to_csv(path, index=False, sep="\t"),
    "blanks": lambda table, path: table.to_csv(path, index=False, sep=" "),
    "CelebA's": _text,
    "counted": lambda table, path: table.to_csv(path),
    "counted twice": lambda table, path: table.rename_axis("Unnamed: 0").to_csv(path),
    "counted, unnamed": lambda table, path: path.write_text(
        table.to_csv(sep=" ").removeprefix(" ")
    ),
    "index": lambda table, path: table.set_index("image_id").to_csv(path),
    "unnamed index": lambda table, path: table.set_index("image_id").rename_axis(None).to_csv(path),
    "floats": lambda table, path: table.astype({"Male": float}).to_csv(path, index=False),
}


@pytest.mark.parametrize("table", [FRAME, BARE], ids=["endings", "bare"])
@pytest.mark.parametrize("way", WAYS)
def test_forms_of_a_table(way: str, table: pd.DataFrame, tmp_path: Path) -> None:
    """A column that counts, another separator and bare names were `fetch it again`."""
    path = tmp_path / "t.csv"
    WAYS[way](table, path)
    assert _has(path) == MALE


@pytest.mark.parametrize("table", [FRAME, BARE], ids=["endings", "bare"])
def test_forms_of_parquet(table: pd.DataFrame, tmp_path: Path) -> None:
    for one in (table, table.astype({"Male": bool}), table.set_index("image_id")):
        one.to_parquet(tmp_path / "t.parquet")
        assert _has(tmp_path / "t.parquet") == MALE


def test_names_may_stand_behind_other_columns(tmp_path: Path) -> None:
    FRAME[["Male", "image_id", "Young"]].to_csv(tmp_path / "t.csv", index=False)
    assert _has(tmp_path / "t.csv") == MALE


def test_bare_names_of_missing_pictures_are_no_header(tmp_path: Path) -> None:
    """A copy may have only some of the pictures."""
    BARE.to_csv(tmp_path / "t.csv", index=False)
    expected = {"000001": 0, "000002": 1, "000003.jpg": 0, "000004": 1}
    assert _has(tmp_path / "t.csv", [NAMES[2]]) == expected


def test_bare_names_that_may_be_several_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    BARE.to_csv(path, index=False)
    assert "found 'image_id,Young,Male' and '000001,1,0' in" in _said(path, [*NAMES, "000001.png"])
    # a column that counts, and names that are numbers, too
    path.write_text(",image,Male\n0,1,0\n1,2,1\n2,0,1\n")
    assert "found ',image,Male' and '0,1,0' in" in _said(path, ["0.jpg", "1.jpg", "2.jpg"])
    # beside names, an attribute's values are none
    path.write_text(",Male\n0,1\n1,0\n2,0\n")
    known = ["0.jpg", "1.jpg", "2.jpg"]
    assert _has(path, known) == {"0.jpg": 1, "1.jpg": 0, "2.jpg": 0}


def test_a_bare_name_that_comes_twice_is_named(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    BARE.assign(image_id=["000001", "000002", "000002", "000004"]).to_csv(path, index=False)
    assert _said(path) == "PATH: line 4: found 000002 again, allowed: each picture once"


def test_a_table_without_names_is_shown(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("face|Male\nx|1\n")
    assert _said(path) == (
        "PATH: found 'face|Male' and 'x|1' in its first lines, allowed: a column of pictures' "
        "names, as 000001.jpg, and others beside it, separated by commas, semicolons, tabs or "
        "blanks"
    )
    path.write_text("")
    assert "PATH: found nothing in its first lines, allowed: " in _said(path)


TEXT = FRAME.to_csv(index=False)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (TEXT.encode("utf-16"), "found zero bytes, as UTF-16 has them, allowed: a text in UTF-8"),
        (TEXT.encode("utf-16-le"), "found zero bytes, as UTF-16 has them, allowed: a text in UTF-"),
        (TEXT.replace("Young", "Très").encode("latin-1"), "line 1: found byte 0xe8, allowed: UTF-"),
        (
            TEXT.replace("2.jpg,1,1", "2.jpg,1,yes"),
            "line 3, column Male: found 'yes' for 000002.jp",
        ),
        (
            TEXT.replace("2.jpg,1,1", "2.jpg,1,"),
            "line 3, column Male: found an empty cell for 0000",
        ),
        (TEXT.replace("000002.jpg", ""), "line 3: found '', allowed: a picture's name"),
        (TEXT.replace("000002.jpg", "000002"), "line 3: found '000002', allowed: a picture's name"),
        (TEXT.replace("000002", "000001"), "line 3: found 000001.jpg again, allowed: each picture"),
        (TEXT.replace("2.jpg,1,1", "2.jpg,1"), "line 3: found 2 fields, allowed: 3, as most lines"),
        (TEXT.replace("image_id,Young,Male\n", ""), "found no line with a name for each column"),
        (TEXT.replace("Young", "Male"), "found 2 columns Male, allowed: one"),
        (
            b"PK\3\4\0\0",
            "found a zip archive, as an .xlsx is, allowed: a .csv, .tsv, .txt, .jsonl or ",
        ),
        (
            '{"file_name": "a.jpg", "Male": 1}\n{"file": "b.jpg", "Male": 1}\n',
            """line 2: found '{"file": "b.jpg", "Male": 1}', allowed: an object""",
        ),
        (
            '{"file_name": "a.jpg", "Male": 1, "Male": 0}',
            """line 1: found '{"file_name": "a.jpg", "Male": 1, "Male": 0}', allowed: an object""",
        ),
        (
            '{"file_name": "a.jpg", "Male": 1}\n{"file_name": "b.jpg"}\n',
            "line 2, column Male: found an empty cell for b.jpg, allowed: -1, 0, 1, false, true",
        ),
        ("image_id\n" + "\n".join(NAMES), "line 2: found 1 fields, allowed: a name and a value"),
    ],
)
def test_what_is_wrong_in_a_table_is_one_line(
    content: str | bytes, said: str, tmp_path: Path
) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    assert _said(path).startswith(f"PATH: {said}")


def test_an_empty_cell_of_parquet_is_named(tmp_path: Path) -> None:
    """Its column is one of floats."""
    path = tmp_path / "t.parquet"
    FRAME.assign(Male=[0, 1, None, 1]).to_parquet(path)
    assert _said(path).startswith("PATH: row 3, column Male: found an empty cell for 000003.jpg, ")


def test_an_unknown_attribute_is_one_of_the_named_columns(tmp_path: Path) -> None:
    FRAME.rename(columns={"Male": "male"}).to_csv(tmp_path / "t.csv")
    assert _said(tmp_path / "t.csv") == (
        "data.attribute: found 'Male', allowed: one of PATH (Young, male)"
    )
