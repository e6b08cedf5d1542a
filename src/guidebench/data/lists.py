"""Lists of pictures with what is said of each: CelebA's, separated by blanks, and tables."""

import csv
import json
import logging
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path, PurePosixPath
from statistics import mode
from typing import Any, NamedTuple

from guidebench.base.sources import SUFFIXES
from guidebench.pipeline.errors import UserError

VALUES = {"-1": 0, "0": 0, "1": 1, "false": 0, "true": 1}  # of an attribute
SEPARATORS = ",;\t"  # of a table; without one, blanks
UNNAMED = ("", "Unnamed: 0")  # what a column of row numbers is called
FILE_NAME = "file_name"  # the key of the names in Hugging Face's metadata.jsonl
# how files begin that are no text, though people name them as a table
BINARY = {
    b"PK": "a zip archive, as an .xlsx is",
    b"\xd0\xcf\x11\xe0": "an .xls",
    b"\x1f\x8b": "a gzip archive",
}
TABLES = "a .csv, .tsv, .txt, .jsonl or .parquet"
log = logging.getLogger(__name__)


class Row(NamedTuple):
    """One line that names a picture."""

    place: str  # `line 5`
    picture: str
    values: list[str]


def rows(path: Path, known: Iterable[str]) -> tuple[list[str], list[Row]]:
    """(names of the columns, rows) of a list; no names where it has no header.

    The column of names is the first in which a line has a picture's, with its ending or, of the
    `known` pictures, without; one without a name before it counts the lines. Known pictures are
    named by their paths, and a row means that whose path ends as its own. UserError when it cannot
    be read, names no picture, one twice or several at once, or has lines of another kind below the
    first.
    """
    pictures = sorted(known)
    lines = [(place, fields) for place, fields in _lines(path) if any(fields)]
    first, column, bare = _begin(path, lines, pictures)
    width, header = _header(lines, first)
    counted = column == 1 and (not header or header[0] in UNNAMED)
    start = 0 if counted else column  # the columns from here to the names are no values
    said_of = [fields[column] if column < len(fields) else "" for _, fields in lines[first:]]
    meant = _meant(said_of, pictures, bare)
    by_picture: dict[str, Row] = {}
    for said, (place, fields) in zip(said_of, lines[first:], strict=True):
        name, *others = meant.get(said, [said])
        if not said or not (bare or said.lower().endswith(SUFFIXES)):
            raise UserError(f"{path}: {place}: found {said[:40]!r}, allowed: a picture's name")
        if others:
            allowed = f"the path of one picture, as {name} or {others[0]}"
            raise UserError(f"{path}: {place}: found {said}, allowed: {allowed}")
        if name in by_picture:
            raise UserError(f"{path}: {place}: found {said} again, allowed: each picture once")
        if len(fields) != width or width < 2:
            allowed = "a name and a value" if width < 2 else f"{width}, as most lines have"
            raise UserError(f"{path}: {place}: found {len(fields)} fields, allowed: {allowed}")
        del fields[start : column + 1]
        by_picture[name] = Row(place, name, fields)
    return header[:start] + header[column + 1 :], list(by_picture.values())


def _header(lines: list[tuple[str, list[str]]], first: int) -> tuple[int, list[str]]:
    """(how many fields most rows have, the names of these columns, if the line before has them)."""
    width = mode(len(fields) for _, fields in lines[first:])
    header = lines[first - 1][1] if first else []
    if len(header) == width - 1:  # the column of names has none, or the one that counts
        header = ["", *header]
    return width, header if len(header) == width else []


def _meant(listed: list[str], pictures: list[str], bare: bool) -> dict[str, list[str]]:
    """Name in a list -> the pictures whose paths share most of its end; none where none does.

    `bare`: the names have no endings. Of a picture that several names may mean, only those count
    that share most of its path: of a copy without `b`, `b/1.jpg` is not the `a/1.jpg` that is there
    and listed, too.
    """
    ends: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for picture in pictures:
        parts = _parts(str(PurePosixPath(picture).with_suffix("")) if bare else picture)
        for start in range(len(parts)):
            ends[parts[start:]].append(picture)
    found: dict[str, tuple[int, list[str]]] = {}
    most: dict[str, int] = defaultdict(int)
    for name in listed:
        whole = _parts(name)
        end = next((whole[n:] for n in range(len(whole)) if whole[n:] in ends), ())
        meant = ends.get(end, [])
        if end == whole and meant[1:]:  # a path below the folder is that one's alone
            meant = [one for one in meant if len(_parts(one)) == len(whole)] or meant
        found[name] = len(end), meant
        for one in meant:
            most[one] = max(most[one], len(end))
    return {
        name: meant
        for name, (shared, meant) in found.items()
        if meant and (meant[1:] or shared == most[meant[0]])
    }


def _parts(path: str) -> tuple[str, ...]:
    return tuple(part for part in path.replace("\\", "/").split("/") if part not in ("", "."))


def _begin(
    path: Path, lines: list[tuple[str, list[str]]], pictures: list[str]
) -> tuple[int, int, bool]:
    """(the first line of a picture, the column of names, whether these have no endings)."""
    for number, (_, fields) in enumerate(lines):
        for column, field in enumerate(fields):
            if field.lower().endswith(SUFFIXES):
                return number, column, False
    names = {PurePosixPath(name).with_suffix("") for name in pictures}
    first = next((n for n, (_, fields) in enumerate(lines) if any(map(_value, fields[1:]))), 0)
    header = _header(lines, first)[1] if lines else []
    found = {}
    for column in (0, 1) if header and header[0] in UNNAMED else (0,):
        said = [fields[column] for _, fields in lines[first:] if column < len(fields)]
        if _meant(said, pictures, bare=True):
            found[column] = len(set(said)) == len(said)
    # a picture `1.jpg` may lend its name to an attribute's values, which are not all different
    places = [column for column, distinct in found.items() if distinct] or list(found)
    if len(places) == 1 and len(names) == len(pictures):
        return first, places[0], True
    shown = " and ".join(repr(",".join(fields)[:60]) for _, fields in lines[:2]) or "nothing"
    example = f", as {pictures[0]}" if pictures else ""
    raise UserError(
        f"{path}: found {shown} in its first lines, allowed: a column of pictures' names{example}, "
        "and others beside it, separated by commas, semicolons, tabs or blanks"
    )


def _value(field: str) -> bool:
    return field.lower() in VALUES or field.isdigit()


def _lines(path: Path) -> list[tuple[str, list[str]]]:
    """Each line's place in words, and its fields."""
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


def has(attribute: str, path: Path, known: Iterable[str]) -> dict[str, int]:
    """Picture -> 0 or 1, whether it has the attribute; UserError where the list has no such one."""
    header, listed = rows(path, known)
    column = column_of(attribute, header, path)
    return {row.picture: one_of(VALUES, path, row, column, header) for row in listed}


def column_of(attribute: str, header: list[str], path: Path) -> int:
    """The place of the attribute among the columns of a table; UserError where it is not one."""
    if not header:
        raise UserError(f"{path}: found no line with a name for each column, allowed: one")
    if attribute not in header:
        names = ", ".join(filter(None, header))
        raise UserError(f"data.attribute: found {attribute!r}, allowed: one of {path} ({names})")
    if (count := header.count(attribute)) > 1:
        raise UserError(f"{path}: found {count} columns {attribute}, allowed: one")
    return header.index(attribute)


def say_missing(root: Path, listed: Collection[str], found: Collection[str]) -> None:
    """Say how many of the listed pictures are missing, as they are in many copies."""
    if missing := set(listed) - set(found):
        log.warning(
            "%s: %s of the %s listed pictures are missing, the first is %s; the others are used",
            root,
            f"{len(missing):,}",
            f"{len(listed):,}",
            min(missing),
        )


def one_of(values: Mapping[str, int], path: Path, row: Row, column: int, header: list[str]) -> int:
    """The number that a row's value in a column stands for; UserError for one that is unknown."""
    found = said(path, row, column, header)
    known = found.lower().removesuffix(".0")
    if known not in values:
        what = repr(found) if found else "an empty cell"
        raise UserError(
            f"{path}: {row.place}, column {header[column]}: found {what} for {row.picture}, "
            f"allowed: {', '.join(values)}"
        )
    return values[known]


def said(path: Path, row: Row, column: int, header: list[str]) -> str:
    """The text of a row in a column; UserError for another number of columns."""
    if len(row.values) != len(header):
        raise UserError(
            f"{path}: {row.place}: found {len(row.values)} values for {row.picture}, allowed: "
            f"{len(header)} ({', '.join(header)})"
        )
    return row.values[column]
