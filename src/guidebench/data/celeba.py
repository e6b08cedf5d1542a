"""CelebA from a local folder: unpacked or zipped, full or partial, of any stored size."""

from pathlib import Path, PurePosixPath
from typing import Any

from guidebench.base import sources
from guidebench.base.choices import attribute_values
from guidebench.base.seeds import derive
from guidebench.data.dataset import DataSet, subset
from guidebench.data.lists import has, one_of, rows, said, say_missing
from guidebench.data.pictures import Chosen, Opened, archived, decoded, numbered
from guidebench.pipeline.errors import UserError

PARTS = {"0": 0, "1": 1, "2": 2}
HELD_OUT = 0.1  # of the persons, in a split by identity


def read(options: Any, seed: int) -> tuple[DataSet, DataSet]:
    """(train, validation) partitions of the pictures in the folder, cropped and resized.

    Classes are `<attribute>: false` and `<attribute>: true`; without an attribute labels are -1.
    UserError where the folder, its lists or its pictures are missing or damaged.
    """
    return decoded(chosen(options, seed), options)


def chosen(options: Any, seed: int) -> Chosen:
    """The pictures of `read` before they are decoded; UserError where folder or lists are wrong."""
    root = Path(options.root)
    if not root.is_dir():
        raise UserError(
            f"{root}: no such folder; data.root must hold {sources.PICTURES}[.zip] and "
            "the attribute files"
        )
    names, opened = pictures(options)
    parts = partitions(options, seed, names)
    labels, classes = dict.fromkeys(parts, -1), attribute_values(options)
    if options.attribute is not None:
        labels = has(options.attribute, sources.listing(options, "attributes"), names)
    say_missing(root, [name for name in parts if name in labels], names)
    splits = []
    for number, key in enumerate(("train", "validation")):
        listed = [name for name in names if parts.get(name) == number and name in labels]
        if not listed:
            raise UserError(
                f"{root}: found no picture of partition {number} (0 train, 1 "
                "validation) that is listed in the attribute files"
            )
        # chosen before they are decoded: the full set has 160,000 training pictures
        every = numbered(listed, labels, classes)
        splits.append((subset(every, getattr(options, key), derive(seed, key), key), listed))
    return Chosen(splits[0], splits[1], opened)


def partitions(options: Any, seed: int, names: list[str]) -> dict[str, int]:
    """Picture -> 0 train, 1 validation, 2 test: the official ones, or by identity.

    By identity, a person and the seed decide, whichever pictures (`names`) are there; none is for a
    test.
    """
    path = sources.listing(options, sources.split_list(options))
    listed = rows(path, names)[1]
    if options.split == "official":
        return {row.picture: one_of(PARTS, path, row, 0, ["partition"]) for row in listed}
    persons = {row.picture: said(path, row, 0, ["identity"]) for row in listed}
    held_out = {
        person: int(derive(seed, "identity", person) < HELD_OUT * 2**63)
        for person in set(persons.values())
    }
    return {picture: held_out[person] for picture, person in persons.items()}


def pictures(options: Any) -> tuple[list[str], Opened]:
    """Sorted names of the pictures, and a function that reads the bytes of a name."""
    if paths := sources.pictures(options):
        return list(paths), Opened(lambda name: paths[name].read_bytes(), paths.__getitem__)
    packed = sources.archive(options)
    if not packed.is_file():
        raise UserError(
            f"{packed}: missing, and no folder {sources.PICTURES} with pictures beside it"
        )
    members, opened = archived(packed)
    by_name: dict[str, str] = {}
    for member in members:
        if other := by_name.get(name := PurePosixPath(member).name):
            raise UserError(f"{packed}: found {other} and {member}, allowed: one picture of a name")
        by_name[name] = member
    return sorted(by_name), Opened(
        lambda name: opened.read(by_name[name]), lambda name: opened.where(by_name[name])
    )
