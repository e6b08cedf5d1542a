"""What the types of a section `data` cannot see."""

from collections.abc import Iterator

from guidebench.base.choices import EACH, PACKAGED
from guidebench.pipeline.experiment.allowed_names import Mistake, below
from guidebench.pipeline.experiment.config import Dataset
from guidebench.pipeline.experiment.sections import CustomData, FolderData, IdxData, SportBallsData
from guidebench.pipeline.experiment.setup_consistency import plugin_mistakes
from guidebench.pipeline.experiment.unread_keys import BY_DIAMETERS, BY_DOWNLOAD, BY_SOURCE, unread


def data_mistakes(dataset: Dataset) -> Iterator[Mistake]:
    """Keys of a section `data` that do not fit each other."""
    data = dataset.data
    if isinstance(data, SportBallsData):
        yield from _balls(data)
        if dataset.attributes is not None and not _vary(data):
            yield "attributes", "a section", "null: of all balls place and diameter are the same"
    elif dataset.attributes is not None:
        yield "attributes", "a section", "null: of sportballs alone the true ones are known"
    if isinstance(data, IdxData):
        yield from _idx(data)
    if isinstance(data, FolderData) and data.table is not None and data.attribute is None:
        yield "data.table", data.table, "null without data.attribute"
    if isinstance(data, CustomData) and data.classes:
        if len(data.classes) < 2 or len(set(data.classes)) < len(data.classes):
            yield "data.classes", data.classes, "none, or at least two different names"
        elif EACH in data.classes:
            allowed = f"other names than {EACH}: as a target it means all classes in turn"
            yield "data.classes", data.classes, allowed
    yield from plugin_mistakes("data.source", data.source)


def _balls(data: SportBallsData) -> Iterator[Mistake]:
    if data.canvas % data.size:
        yield "data.canvas", data.canvas, f"a multiple of data.size ({data.size})"
    if not 1 / data.size <= data.scale[0] <= data.scale[1] <= 1:
        allowed = f"{1 / data.size:g} (a pixel) <= low <= high <= 1"
        yield "data.scale", list(data.scale), allowed
    yield from below("data", unread(data, BY_DIAMETERS, "diameters"))
    if data.diameters and max(data.diameters) > data.size:
        yield "data.diameters", data.diameters, f"at most data.size ({data.size})"
    elif data.offsets is not None:
        largest = max(data.diameters) / data.size if data.diameters else data.scale[1]
        most = int(data.size * (1 - largest))
        if not 0 <= data.offsets[0] <= data.offsets[1] <= most:
            allowed = f"0 <= low <= high <= {most}, so that the largest ball is in the picture"
            yield "data.offsets", list(data.offsets), allowed


def _vary(data: SportBallsData) -> bool:
    """Whether balls differ in place, diameter or turn in the plane."""
    sizes = [width / data.size for width in data.diameters or ()] or data.scale
    placed = data.offsets[0] < data.offsets[1] if data.offsets else min(sizes) < 1
    return placed or min(sizes) < max(sizes) or data.rotation == "in_plane"


def _idx(data: IdxData) -> Iterator[Mistake]:
    if not data.root:
        if data.source == "fashion_mnist":
            yield "data.root", "null", "a folder (no package carries Fashion-MNIST)"
        elif data.download:
            yield "data.root", "null", "the folder to download into"
        elif data.train is None or data.validation is None:
            key = "train" if data.train is None else "validation"
            yield f"data.{key}", "null", "a number; null only with data.root"
        elif (total := data.train + data.validation) > PACKAGED:
            what = "all that the package carries; set data.root for more"
            counts = f"{data.train}, with data.validation {total}"
            yield "data.train", counts, f"{PACKAGED} together ({what})"
    yield from below("data", unread(data, BY_SOURCE, "source"))
    yield from below("data", unread(data, BY_DOWNLOAD, "download"))
