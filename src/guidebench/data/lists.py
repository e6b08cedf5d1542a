"""Lists of pictures with what is said of each: CelebA's, separated by blanks, and tables."""

import logging
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path, PurePosixPath
from statistics import mode
from typing import NamedTuple

from guidebench.base.sources import SUFFIXES
from guidebench.data.list_files import lines_of
from guidebench.pipeline.errors import UserError

VALUES = {"-1": 0, "0": 0, "1": 1, "false": 0, "true": 1}  # of an attribute
UNNAMED = ("", "Unnamed: 0")  # what a column of row numbers is called
log = logging.getLogger(__name__)


class Row(NamedTuple):
    """One line that names a picture."""

    place: str  # `line 5`
    picture: str
    values: list[str]


def rows(path: Path, pictures: Iterable[str]) -> tuple[list[str], list[Row]]:
    """(names of the columns, rows) of a list; no names where it has no header.

    The column of names is the first in which a line has a picture's, with its ending or, of the
    `pictures`, without; one without a name before it counts the lines. Pictures are
    named by their paths, and a row means that whose path ends as its own. UserError when it cannot
    be read, names no picture, one twice or several at once, or has lines of another kind below the
    first.
    """
    pictures = sorted(pictures)
    lines = [(place, fields) for place, fields in lines_of(path) if any(fields)]
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


def has(attribute: str, path: Path, pictures: Iterable[str]) -> dict[str, int]:
    """Picture -> 0 or 1, whether it has the attribute; UserError where the list has no such one."""
    header, listed = rows(path, pictures)
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


def say_missing(root: Path, listed: Collection[str], there: Collection[str]) -> None:
    """Say how many of the listed pictures are missing, as they are in many copies."""
    if missing := set(listed) - set(there):
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
