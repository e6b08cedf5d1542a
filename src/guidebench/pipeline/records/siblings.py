"""The experiments beside one another below a results folder, and a file that one takes of another.

A file that is taken is a hard link: it needs no space, and outlives the other name. So no file of a
result may be changed in place, only replaced (`artifacts.atomic`).
"""

import os
import shutil
from pathlib import Path

from guidebench.pipeline.errors import UserError
from guidebench.pipeline.records.artifacts import atomic, sha256
from guidebench.pipeline.records.code import FOLDER

ORIGIN = "taken_from"  # in provenance and beside cells: the experiments that it came through


def others(root: Path) -> list[Path]:
    """The folders of other experiments with results beside this one, in the order of names."""
    folders = (record.parent for record in root.parent.glob(f"*/{FOLDER}"))
    return sorted(folder for folder in folders if folder.name != root.name)


def take(source: Path, path: Path, digest: str) -> None:
    """Give `source` the second name `path`, or copy it where the file system has no such thing.

    UserError when its sha256 is not `digest`, OSError when it is not there: `path` is as it was.
    """
    with atomic(path) as temporary:
        try:
            os.link(source.resolve(), temporary)
        except OSError:
            shutil.copyfile(source, temporary)
        if sha256(temporary) != digest:
            raise UserError(f"{source}: truncated or edited, sha256 is not {digest[:12]}...")
