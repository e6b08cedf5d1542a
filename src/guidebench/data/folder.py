"""Pictures of any folder with a table of attributes, or of files that hold both (CelebA-HQ)."""

from pathlib import Path, PurePosixPath
from typing import Any

from guidebench.base import sources
from guidebench.base.choices import attribute_values
from guidebench.base.seeds import derive
from guidebench.data import embedded
from guidebench.data.dataset import DataSet, split
from guidebench.data.lists import has, say_missing
from guidebench.data.pictures import Chosen, Opened, archived, decoded, numbered
from guidebench.pipeline.errors import UserError


def read(options: Any, seed: int) -> tuple[DataSet, DataSet]:
    """(train, validation), drawn from all pictures that have a label, cropped and resized.

    Classes are `<attribute>: false` and `<attribute>: true`; without an attribute labels are -1.
    UserError where the folder, its table or its pictures are missing or damaged.
    """
    return decoded(chosen(options, seed), options)


def chosen(options: Any, seed: int) -> Chosen:
    """The pictures of `read` before they are decoded; UserError where folder or table is wrong."""
    if files := sources.packed(options):
        labels, opened = embedded.pictures(files, options.attribute)
    else:
        labels, opened = _files(options)
    # whichever folder holds them
    names = sorted(labels, key=lambda name: (PurePosixPath(name).name, name))
    every = numbered(names, labels, attribute_values(options))
    # split before they are decoded
    train, validation = split(every, options.train, options.validation, derive(seed, "split"))
    return Chosen((train, names), (validation, names), opened)


def _files(options: Any) -> tuple[dict[str, int], Opened]:
    """(picture -> label, what reads a picture) of files in the folder that the table names."""
    root = Path(options.root)
    names, opened = _found(options)
    labels = dict.fromkeys(names, -1)
    if options.attribute is None:
        alone: dict[str, str] = {}  # two of a name may be a picture and its mask: no table says so
        for name in names:
            if (other := alone.setdefault(PurePosixPath(name).name, name)) != name:
                allowed = "one picture of a name"
                raise UserError(f"{root}: found {other} and {name}, allowed: {allowed}")
    else:
        table = sources.table(options)
        if table is None:
            raise UserError(
                f"data.table: found null, allowed: the table that says which pictures of {root} "
                f"have {options.attribute}"
            )
        said = has(options.attribute, table, names)
        labels = {name: said[name] for name in names if name in said}
        if not labels:
            raise UserError(
                f"{table}: found {next(iter(said))}, and none of the pictures of "
                f"{root}, as {names[0]}, allowed: their file names, or paths below {root}"
            )
        say_missing(root, said, names)
    return labels, opened


def _found(options: Any) -> tuple[list[str], Opened]:
    """Paths of the pictures below the folder, or in the archive in it, and what reads one."""
    root = Path(options.root)
    found = sources.below(options, sources.SUFFIXES)
    paths = {path.relative_to(root).as_posix(): path for path in found}
    if paths:
        return list(paths), Opened(lambda name: paths[name].read_bytes(), paths.__getitem__)
    zipped = sources.zipped(options)
    if zipped[1:]:
        raise UserError(f"{root}: found {zipped[0]} and {zipped[1]}, allowed: one archive")
    for packed in zipped:
        names, opened = archived(packed)
        if names:
            return names, opened
    raise UserError(f"{root}: found no picture, allowed: {sources.held(options)}")
