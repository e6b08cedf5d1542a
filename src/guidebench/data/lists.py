"""Lists of pictures with what is said of each: CelebA's, separated by blanks, and tables."""

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from guidebench.base.sources import SUFFIXES
from guidebench.pipeline.errors import UserError

VALUES = {"-1": 0, "0": 0, "1": 1, "false": 0, "true": 1}  # of an attribute


class Row(NamedTuple):
    """One line that names a picture."""

    line: int
    picture: str
    values: list[str]


def rows(path: Path) -> tuple[list[str], list[Row]]:
    """(names of the columns, rows) of a list; no names where it has no header.

    UserError when it cannot be read, names no picture or one twice, or has lines of another kind
    below the first picture.
    """
    table, lines = _lines(path)
    header: list[str] = []
    by_picture: dict[str, Row] = {}
    for number, fields in enumerate(lines, 1):
        name, *values = (field.strip() for field in fields or [""])
        if not name.lower().endswith(SUFFIXES):
            if name and by_picture:
                raise UserError(
                    f"{path}: line {number}: found {name[:40]!r}, allowed: a picture's "
                    "name; fetch it again"
                )
            # the last line before the pictures; a table's may name their own column, too
            if name or (any(values) and not by_picture):
                header = values if table else [name, *values]
            continue
        if not values:
            raise UserError(f"{path}: line {number}: found no value for {name}; fetch it again")
        if name in by_picture:
            raise UserError(
                f"{path}: line {number}: found {name} again, allowed: each picture once"
            )
        by_picture[name] = Row(number, name, values)
    if not by_picture:
        raise UserError(f"{path}: found no line that names a picture; fetch it again")
    return header, list(by_picture.values())


def _lines(path: Path) -> tuple[bool, list[list[str]]]:
    """(whether it is a table, its first line naming all columns; the fields of each line)."""
    if path.suffix == ".parquet":
        import pandas as pd

        try:
            frame = pd.read_parquet(path)
        except (OSError, ValueError) as error:
            raise UserError(f"{path}: cannot be read ({error})") from error
        return True, [list(map(str, frame.columns)), *frame.astype(str).to_numpy().tolist()]
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read ({error})") from error
    if "," not in text:
        return False, [line.split() for line in text.splitlines()]
    try:
        return True, list(csv.reader(text.splitlines(), strict=True))
    except csv.Error as error:
        raise UserError(f"{path}: not a list of pictures ({error})") from error


def has(attribute: str, path: Path) -> dict[str, int]:
    """Picture -> 0 or 1, whether it has the attribute; UserError where the list has no such one."""
    header, listed = rows(path)
    column = column_of(attribute, header, path)
    return {row.picture: one_of(VALUES, path, row, column, len(header)) for row in listed}


def column_of(attribute: str, header: list[str], path: Path) -> int:
    """The place of the attribute among the columns of a table; UserError where it is none."""
    if attribute not in header:
        raise UserError(
            f"data.attribute: found {attribute!r}, allowed: one of {path} ({', '.join(header)})"
        )
    return header.index(attribute)


def one_of(values: Mapping[str, int], path: Path, row: Row, column: int, columns: int) -> int:
    """The number that a row's value in a column stands for; UserError for one that is unknown."""
    found = said(path, row, column, columns)
    if found.lower() not in values:
        raise UserError(
            f"{path}: line {row.line}: found {found!r} for {row.picture}, "
            f"allowed: {', '.join(values)}"
        )
    return values[found.lower()]


def said(path: Path, row: Row, column: int, columns: int) -> str:
    """The text of a row in a column; UserError for another number of columns."""
    if len(row.values) != columns:
        raise UserError(
            f"{path}: line {row.line}: found {len(row.values)} values, allowed: "
            f"{columns}, one for each column; fetch it again"
        )
    return row.values[column]
