"""The lines of a list of pictures: a table, CelebA's, Hugging Face's metadata.jsonl, a parquet."""

import csv
import json
from pathlib import Path
from typing import Any

from guidebench.pipeline.errors import UserError

SEPARATORS = ",;\t"  # of a table; without one, blanks
FILE_NAME = "file_name"  # the key of the names in Hugging Face's metadata.jsonl
# how files begin that are no text, though people name them as a table
BINARY = {
    b"PK": "a zip archive, as an .xlsx is",
    b"\xd0\xcf\x11\xe0": "an .xls",
    b"\x1f\x8b": "a gzip archive",
}
TABLES = "a .csv, .tsv, .txt, .jsonl or .parquet"


def lines_of(path: Path) -> list[tuple[str, list[str]]]:
    """Each line's place in words, and its fields; UserError for a file that is no such list."""
    if path.suffix == ".parquet":
        return _of_parquet(path)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from error
    for magic, kind in BINARY.items():
        if content.startswith(magic):
            raise UserError(f"{path}: found {kind}, allowed: {TABLES}")
    if b"\0" in content:
        raise UserError(f"{path}: found zero bytes, as UTF-16 has them, allowed: a text in UTF-8")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        byte = f"0x{content[error.start]:02x}"
        raise UserError(f"{path}: line {line}: found byte {byte}, allowed: UTF-8") from error
    if text.lstrip().startswith("{"):
        return _of_json(path, text)
    # a count may come first
    head = "".join([line for line in text.splitlines() if line.strip()][:2])
    separator = max(SEPARATORS, key=head.count)
    if separator not in head:
        every = [line.split() for line in text.splitlines()]
    else:
        try:
            read = csv.reader(text.splitlines(), delimiter=separator, strict=True)
            every = [[field.strip() for field in fields] for fields in read]
        except csv.Error as error:
            raise UserError(f"{path}: not a list of pictures ({error})") from error
    return [(f"line {number}", fields) for number, fields in enumerate(every, 1)]


def _of_json(path: Path, text: str) -> list[tuple[str, list[str]]]:
    """Of Hugging Face's metadata.jsonl: an object a line."""
    objects: dict[str, dict[str, Any]] = {}
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            place = f"line {number}"
            try:
                objects[place] = json.loads(line, object_pairs_hook=_object)
                objects[place][FILE_NAME]
            except (ValueError, KeyError, TypeError) as error:
                allowed = f"an object in JSON with {FILE_NAME}, on one line"
                shown = repr(line[:60])
                raise UserError(f"{path}: {place}: found {shown}, allowed: {allowed}") from error
    header = list(dict.fromkeys([FILE_NAME, *(key for one in objects.values() for key in one)]))
    every = {"line 0": header}
    for place, one in objects.items():
        cells = (one.get(key) for key in header)
        every[place] = ["" if cell is None else str(cell).strip() for cell in cells]
    return list(every.items())


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) < len(pairs):
        raise ValueError("a key twice")
    return dict(pairs)


def _of_parquet(path: Path) -> list[tuple[str, list[str]]]:
    import pandas as pd

    try:
        frame = pd.read_parquet(path)
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: cannot be read ({error})") from error
    if not isinstance(frame.index, pd.RangeIndex):  # the names may be there
        frame = frame.reset_index()
    cells = frame.astype(object).where(frame.notna(), "").to_numpy().tolist()
    every = [list(frame.columns), *cells]
    return [(f"row {n}", [str(field).strip() for field in one]) for n, one in enumerate(every)]
