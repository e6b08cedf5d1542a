"""The same pictures give the same numbers, whatever holds them and in whatever order."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sources_on_disk import cell, folder, images, label, npz, packed, png, zipped

import guidebench
from guidebench.data import store
from guidebench.data.dataset import DataSet

SOME, REAL = images(24, 0), images(40, 1)
ALL = np.arange(len(SOME))
ORDERED = ["n", "measure", "of", "value", "low", "high", "protocol"]


def _table(samples: object, reference: object = REAL, **options: object) -> pd.DataFrame:
    found = guidebench.evaluate(samples, reference, extractors=["pixels"], **options)
    return found.table


def _numbers(table: pd.DataFrame) -> pd.DataFrame:
    return table[ORDERED]


KINDS: dict[str, Callable[[Path, np.ndarray], Path]] = {
    "folder": lambda root, some: folder(root / "f", some),
    "zip": lambda root, some: zipped(root / "f.zip", some),
    "zip in a folder": lambda root, some: zipped(root / "f.zip", some).parent,
    "parquet": lambda root, some: packed(root / "f.parquet", some),
    "folder of parquet": lambda root, some: packed(root / "f" / "data.parquet", some).parent,
}


@pytest.fixture(scope="module")
def expected() -> pd.DataFrame:
    """Of arrays with the same classes."""
    labels = [[label(number) for number in range(len(some))] for some in (SOME, REAL)]
    return _table(SOME, REAL, labels=labels[0], reference_labels=labels[1])


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_pictures_is_the_same_on_both_sides(
    kind: str, tmp_path: Path, expected: pd.DataFrame
) -> None:
    for side in ("a", "b"):
        (tmp_path / side).mkdir()
    paths = [KINDS[kind](tmp_path / side, some) for side, some in (("a", SOME), ("b", REAL))]
    found = _table(*paths)
    pd.testing.assert_frame_equal(_numbers(found), _numbers(expected))
    assert {"", "cat", "dog", "mean of classes"} == {*found.of}


@pytest.mark.parametrize("layout", ["NHWC", "NCHW", "floats of both signs", "floats from 0"])
def test_arrays_in_an_npz(layout: str, tmp_path: Path) -> None:
    given = {
        "NHWC": SOME.transpose(0, 2, 3, 1),
        "NCHW": SOME,
        "floats of both signs": SOME.astype(np.float32) / 127.5 - 1,
        "floats from 0": SOME.transpose(0, 2, 3, 1) / 255.0,
    }[layout]
    path = tmp_path / "samples.npz"
    np.savez(path, images=given, other=np.zeros(3))
    pd.testing.assert_frame_equal(_numbers(_table(path)), _numbers(_table(SOME)))


def test_guided_diffusions_npz_has_classes(tmp_path: Path) -> None:
    table = _table(npz(tmp_path / "a.npz", SOME), npz(tmp_path / "b.npz", REAL))
    assert {"0", "1"} < {*table.of}


def test_the_order_of_files_changes_nothing(tmp_path: Path) -> None:
    shuffled = np.random.default_rng(3).permutation(len(SOME))
    first, again = (
        folder(tmp_path / "a", SOME, False),
        folder(tmp_path / "b", SOME[shuffled], False),
    )
    pd.testing.assert_frame_equal(_table(first), _table(again))


def test_a_cell_keeps_the_blocks_of_its_seeds_and_drops_what_diverged(tmp_path: Path) -> None:
    path = cell(tmp_path / "scale-1", SOME, diverged=3)
    found = guidebench.evaluate(path, REAL, extractors=["pixels"], blocks=4)
    assert found.facts["samples"]["n"] == 21
    assert any("3 images of the samples diverged" in line for line in found.warnings)
    raw = found.table.set_index("measure").value["fd_raw"]
    assert raw == pytest.approx(_table(SOME[:21]).set_index("measure").value["fd_raw"], rel=1e-9)
    one = guidebench.evaluate(path / "evaluation-1.npz", REAL, extractors=["pixels"])
    assert one.facts["samples"]["n"] == 9


def test_a_prepared_data_set_is_training_images_with_names_of_classes(tmp_path: Path) -> None:
    labels = np.arange(len(REAL)) % 2
    store.write(DataSet(REAL, labels, ["cat", "dog"]), tmp_path / "balls/data/train")
    blocks = cell(tmp_path / "balls/samples/clean/raw/scale-1", SOME)
    found = guidebench.evaluate(blocks, tmp_path / "balls/data/train", extractors=["pixels"])
    assert found.facts["reference"]["training"]
    assert {"authenticity"} < {*found.table.measure}
    assert found.facts["samples"]["classes"] == {"cat": 12, "dog": 12}
    of_one = guidebench.evaluate(
        blocks, tmp_path / "balls/data/train", extractors=["pixels"], target="dog"
    )
    assert (of_one.facts["samples"]["n"], of_one.facts["reference"]["n"]) == (12, 20)
    # each class alone is what its target is
    alone = found.table[(found.table.of == "dog")].set_index("measure").value
    whole = of_one.table.set_index("measure").value
    np.testing.assert_allclose(whole[alone.index], alone, rtol=1e-9)


def test_classes_of_a_table(tmp_path: Path) -> None:
    flat = folder(tmp_path / "f", SOME, classes=False)
    names = [f"{number * 7 % 101:03d}.png" for number in range(len(SOME))]
    table = tmp_path / "labels.csv"
    lines = [f"{name},{label(number)}" for number, name in enumerate(names)]
    table.write_text("\n".join(["filename,label", *lines]) + "\n")
    found = guidebench.evaluate(
        flat, folder(tmp_path / "g", REAL), extractors=["pixels"], labels=table
    )
    assert found.facts["samples"]["classes"] == {"cat": 12, "dog": 12}
    table.write_text("\n".join(["filename,label", *lines[1:]]) + "\n")
    with pytest.raises(
        guidebench.pipeline.errors.UserError, match=r"no class for 000\.png \(1 of 24"
    ):
        guidebench.evaluate(flat, REAL, extractors=["pixels"], labels=table)


def test_other_sizes_and_gray_are_brought_to_one_form_and_said(tmp_path: Path) -> None:
    root = tmp_path / "f"
    root.mkdir()
    sizes = [(8, 8)] * 20 + [(16, 12)] * 4
    for number, (width, height) in enumerate(sizes):
        one = Image.fromarray(images(1, number, 1, 16)[0, 0]).resize((width, height))
        one.save(root / f"{number}.{'png' if number % 2 else 'jpeg'}")
    found = guidebench.evaluate(root, REAL, extractors=["pixels"])
    assert found.facts["images"] == {"channels": 3, "height": 8, "width": 8}
    assert any("4 of 24 samples (2 sizes) were resized to 8 x 8" in line for line in found.warnings)
    assert any("24 of 24 samples are gray" in line for line in found.warnings)
    both = guidebench.evaluate(root, images(30, 5, 1, 32), extractors=["pixels"])
    assert both.facts["images"] == {"channels": 1, "height": 8, "width": 8}
    assert both.facts["reference"]["resized"] == 30


def test_what_is_odd_is_said(tmp_path: Path) -> None:
    some = np.concatenate((SOME[:10], SOME[:2], REAL[:3]))
    said = guidebench.evaluate(
        some,
        REAL,
        extractors=["pixels"],
        labels=["cat"] * 15,
        reference_labels=["dog", *["cat"] * 39],
    ).warnings
    for line in (
        "2 of 15 samples are exact duplicates of another sample",
        "3 of 15 samples have the very pixels of a reference image",
        "none of the samples is labelled dog",
        "samples: 15 images are few",
        "pixels: 15 samples for 192 features",
    ):
        assert any(line in one for one in said), (line, said)


def test_a_gray_png_is_one_channel(tmp_path: Path) -> None:
    gray = images(12, 2, 1)
    for number, image in enumerate(gray):
        (tmp_path / f"{number}.png").write_bytes(png(image))
    found = guidebench.evaluate(tmp_path, images(20, 3, 1), extractors=["pixels"])
    assert (found.table.features == 64).all()
