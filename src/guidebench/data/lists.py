"""CelebA's lists of pictures: the official, separated by blanks, and Kaggle's, by commas."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import NamedTuple

from guidebench.pipeline.errors import UserError


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
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read ({error})") from error
    try:
        lines = (
            list(csv.reader(text.splitlines(), strict=True))
            if "," in text
            else [line.split() for line in text.splitlines()]
        )
    except csv.Error as error:
        raise UserError(f"{path}: not a list of pictures ({error})") from error
    header: list[str] = []
    by_picture: dict[str, Row] = {}
    for number, fields in enumerate(lines, 1):
        name, *values = (field.strip() for field in fields or [""])
        if not name.endswith(".jpg"):
            if name and by_picture:
                raise UserError(
                    f"{path}: line {number}: found {name[:40]!r}, allowed: a picture's "
                    "name; fetch it again"
                )
            # the last line before the pictures; a .csv names their own column, too
            if name:
                header = values if "," in text else [name, *values]
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
