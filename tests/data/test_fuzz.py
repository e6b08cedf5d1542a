"""Whatever is put before the door: a data set of one form behind it, or one line that says why."""

import gzip
import io
import os
import sys
import tempfile
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from data_folders import idx
from hypothesis import HealthCheck, given, note, seed, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from guidebench.base import sources
from guidebench.data import load
from guidebench.data.dataset import DataSet
from guidebench.pipeline.errors import UserError
from guidebench.pipeline.experiment.sections import CelebaData, CustomData, IdxData
from guidebench.pipeline.experiment.yaml12 import parse

SEED = int(os.environ.get("GUIDEBENCH_SEED", "2026"))
COUNT = 12
COUNTS = st.sampled_from([None, None, 2, 40])


def _one_line(error: UserError) -> None:
    note(f"refused: {error}")
    assert str(error).strip()
    assert "\n" not in str(error)


def _one_line_or_a_data_set(options: Any) -> None:
    try:
        parts = load(options, 0)
    except UserError as error:
        _one_line(error)
        return
    known = len(parts[0].classes)
    shapes = {part.images.shape[1:] for part in parts}
    assert len(shapes) == 1
    for part in parts:
        assert part.images.dtype == np.uint8
        assert part.images.shape[1] in (1, 3)
        assert part.images.shape[2] == part.images.shape[3]
        assert part.labels.dtype == np.int64
        assert 0 < len(part.images) == len(part.labels)
        low, high = (0, known - 1) if known else (-1, -1)
        assert low <= part.labels.min() <= part.labels.max() <= high


# --- arrays of a user's own source


def _arrays() -> st.SearchStrategy[Any]:
    kinds = st.sampled_from(["u1", "i8", "f4", "?", "U3", "O", "c8", "M8[s]", ">i2", "i1"])
    pictures = [(COUNT, 3, 8, 8), (COUNT, 1, 8, 8), (COUNT, 2, 8, 8), (COUNT, 3, 8, 7)]
    others = [(COUNT,), (COUNT, 64), (), (0, 3, 8, 8), (COUNT, 8, 8), (COUNT + 1,), (COUNT, 1)]
    shapes = st.sampled_from(pictures + others)
    constant = st.tuples(kinds, shapes).map(lambda pair: np.zeros(pair[1], pair[0]))
    images = st.integers(0, 99).map(
        lambda number: np.random.default_rng(number).integers(0, 256, (COUNT, 3, 8, 8), np.uint8)
    )
    labels = hnp.arrays(st.sampled_from(["u1", "i8", "f8"]), COUNT, elements=st.integers(0, 3))
    return st.one_of(images, labels, constant, st.none(), st.just([[1, 2], [3]]), st.integers())


CLASSES = st.one_of(
    st.just(["a", "b", "c", "d"]),
    st.just(("a", "b", "c", "d")),
    st.none(),
    st.lists(st.text(max_size=2), max_size=3),
    st.integers(),
)
EXTRA = st.one_of(st.just({}), st.none(), st.dictionaries(st.just("pose"), _arrays()))
IMAGES = np.random.default_rng(0).integers(0, 256, (COUNT, 1, 8, 8), np.uint8)


@st.composite
def own_sources(draw: Any) -> CustomData:
    """A good data set of which one or two parts are odd, or none."""
    good = {"images": IMAGES, "labels": np.arange(COUNT) % 4, "classes": list("abcd"), "extra": {}}
    parts = {"images": _arrays(), "labels": _arrays(), "classes": CLASSES, "extra": EXTRA}
    odd = draw(st.sets(st.sampled_from(sorted(parts)), max_size=2))
    made = DataSet(**good | {name: draw(parts[name]) for name in sorted(odd)})
    sys.modules["my_odd"] = SimpleNamespace(given=lambda options, seed: made)
    counts = {"train": draw(st.sampled_from([2, 8, 13])), "validation": draw(st.integers(1, 4))}
    classes = draw(st.sampled_from([["a", "b", "c", "d"], []]))
    return CustomData(source="my_odd:given", size=8, classes=classes, **counts)


# --- files


def _damaged(draw: Any, data: bytes) -> bytes:
    """The bytes cut, lengthened, changed in places, or others."""
    how = draw(st.sampled_from(["cut", "more", "flip", "flip", "other"]))
    if how == "cut":
        return data[: draw(st.integers(0, len(data)))]
    if how == "more":
        return data + draw(st.binary(min_size=1, max_size=9))
    if how == "other" or not data:
        return draw(st.binary(max_size=40))
    content = bytearray(data)
    for place in draw(st.lists(st.integers(0, len(data) - 1), min_size=1, max_size=4)):
        content[place] ^= 1 << draw(st.integers(0, 7))
    return bytes(content)


def _odd(draw: Any, names: list[str]) -> set[str]:
    """Up to two of the parts of a data set: these are odd, the others as they should be."""
    return draw(st.sets(st.sampled_from(names), max_size=2))


SHAPES = {
    "images": [(COUNT,), (0, 28, 28), (COUNT, 784), (COUNT, 28, 20), (3, 28, 28)],
    "labels": [(3,), (0,), (COUNT, 28, 28)],
}


@st.composite
def idx_folders(draw: Any, root: Path) -> IdxData:
    """MNIST's files in odd places, packed or not, of odd shapes, swapped, damaged or missing."""
    folder = root / draw(st.sampled_from(["MNIST/raw", "MNIST", ""]))
    folder.mkdir(parents=True, exist_ok=True)
    odd = _odd(draw, sources.IDX)
    for name in sources.IDX:
        kind = "images" if "images" in name else "labels"
        shape = (COUNT, 28, 28) if kind == "images" else (COUNT,)
        how = draw(st.sampled_from(["shape", "bytes", "packed", "absent"])) if name in odd else ""
        if how == "shape":
            shape = draw(st.sampled_from(SHAPES[kind]))
        high = draw(st.sampled_from([1, 2, 11])) if how == "shape" else 10
        high = 256 if kind == "images" and high == 10 else high
        data = idx(np.random.default_rng(0).integers(0, high, shape))
        data = _damaged(draw, data) if how == "bytes" else data
        if packed := draw(st.booleans()):
            data = gzip.compress(data)
        data = _damaged(draw, data) if how == "packed" else data
        if how != "absent":
            (folder / f"{name}-ubyte{'.gz' * packed}").write_bytes(data)
    counts = {"train": draw(COUNTS), "validation": draw(COUNTS)}
    return IdxData(source="mnist", root=str(root), **counts)


NAMES = [f"{number:06d}.jpg" for number in range(1, COUNT + 1)]
MODES = {
    "RGB": "JPEG",
    "L": "PNG",
    "P": "PNG",
    "RGBA": "PNG",
    "CMYK": "TIFF",
    "I;16": "PNG",
    "I": "TIFF",
    "1": "PNG",
}


def _picture(draw: Any, odd: bool) -> bytes:
    mode = draw(st.sampled_from(sorted(MODES))) if odd else "RGB"
    size = draw(st.sampled_from([(9, 11), (1, 1), (40, 3)])) if odd else (9, 11)
    file = io.BytesIO()
    Image.new(mode, size, 90).save(file, MODES[mode])
    return _damaged(draw, file.getvalue()) if odd and draw(st.booleans()) else file.getvalue()


def _list(draw: Any, head: str, values: list[str], odd: bool) -> tuple[str, bytes]:
    """A list of all pictures, and how its file's name ends."""
    lines = [f"{name} {draw(st.sampled_from(values))}" for name in NAMES]
    if odd:
        place = draw(st.integers(0, COUNT - 1))
        lines[place] += draw(st.sampled_from(["", " 9", "x", ',"', "\n", "\n7 7"]))
    comma = draw(st.booleans())
    text = "\n".join([f"image_id {head}"] * comma + [str(COUNT), head] * (not comma) + lines)
    data = (text.replace(" ", ",") if comma else text).encode()
    data = _damaged(draw, data) if odd and draw(st.booleans()) else data
    return "csv" if comma else "txt", draw(st.sampled_from([b"", b"\xef\xbb\xbf"])) + data


@st.composite
def faces(draw: Any, root: Path) -> CelebaData:
    """CelebA's pictures and lists: odd names, modes, kinds, rows, texts, archives."""
    lists = ["list_attr_celeba", "list_eval_partition", "identity_CelebA"]
    odd = _odd(draw, ["place", "archive", *lists, *NAMES[:3]])
    pictures = {name: _picture(draw, name in odd) for name in NAMES}
    official = "img_align_celeba"
    if draw(st.booleans()):
        places = [official, f"{official}/{official}", *(["other"] if "place" in odd else [])]
        inner = root / draw(st.sampled_from(places))
        inner.mkdir(parents=True)
        for name, data in pictures.items():
            (inner / name).write_bytes(data)
    else:
        places = [[f"{official}/"], [""], ["thumbs/", f"a/{official}/"], [f"{official}\\"]]
        if "place" in odd:
            places = [["a/", "b/"], [], ["", ""]]
        folders = draw(st.sampled_from(places))
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w", draw(st.sampled_from([0, 8, 12, 14]))) as archive:
            for folder in folders:
                for name, data in pictures.items():
                    archive.writestr(folder + name, data)
        packed = file.getvalue()
        packed = _damaged(draw, packed) if "archive" in odd else packed
        (root / f"{official}.zip").write_bytes(packed)
    for stem, head, values in (
        ("list_attr_celeba", "Male Young", ["1 -1", "-1 1", "0 1"]),
        ("list_eval_partition", "partition", ["0", "1", "2"]),
        ("identity_CelebA", "identity", [*map(str, range(30))]),
    ):
        ending, data = _list(draw, head, values, stem in odd)
        (root / f"{stem}.{ending}").write_bytes(data)
    options = {
        "attribute": st.sampled_from(["Male", "Young", "Old", None]),
        "split": st.sampled_from(["official", "official", "identity"]),
        "crop": st.sampled_from([None, 5, 99, "squash"]),
        "train": COUNTS,
        "validation": COUNTS,
        "resize": st.sampled_from(["bicubic", "bilinear"]),
    }
    drawn = {key: draw(values) for key, values in options.items()}
    return CelebaData(source="celeba", root=str(root), size=8, **drawn)


def _through(data: Any, kind: str) -> None:
    if kind == "own":
        _one_line_or_a_data_set(data.draw(own_sources()))
        return
    with tempfile.TemporaryDirectory(prefix="door-") as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # zipfile: the same name twice
        make = {"idx": idx_folders, "faces": faces}[kind]
        _one_line_or_a_data_set(data.draw(make(Path(folder))))


def _yaml(data: Any, kind: str) -> None:
    signs = st.text(
        st.sampled_from("ab01-+.:_,[]{}#&*!|>'\"%@`?~=<\t\n exXoEe/\\é\x00"), max_size=40
    )
    text = data.draw(st.one_of(signs, st.text(max_size=20)))
    try:
        parse(text, "a.yaml")
    except UserError as error:
        _one_line(error)


def _check(kind: str, examples: int) -> None:
    action: Callable[[Any, str], None] = _yaml if kind == "yaml" else _through

    @seed(SEED)
    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        print_blob=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(data=st.data())
    def every(data: Any) -> None:
        action(data, kind)

    try:
        every()
    except BaseException as error:
        error.add_note(f"drawn with GUIDEBENCH_SEED={SEED}")
        raise
    finally:
        sys.modules.pop("my_odd", None)


KINDS = ["own", "idx", "faces", "yaml"]


@pytest.mark.parametrize("kind", KINDS)
def test_no_traceback_at_the_door(kind: str) -> None:
    _check(kind, 60)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("kind", KINDS)
def test_no_traceback_at_the_door_in_thousands(kind: str) -> None:
    _check(kind, int(os.environ.get("GUIDEBENCH_EXAMPLES", "3000")))
