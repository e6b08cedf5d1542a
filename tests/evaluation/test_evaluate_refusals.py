"""Bad input is one line, before anything is computed."""

import subprocess
import sys
from argparse import Namespace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from data_folders import saved
from PIL import Image
from sources_on_disk import cell, folder, images, png, zipped

import guidebench
from guidebench.evaluation import embeddings
from guidebench.pipeline import commands
from guidebench.pipeline.errors import UserError

SOME, REAL = images(12, 0), images(12, 1)


def _refused(samples: Any, reference: Any = REAL, **options: Any) -> str:
    with pytest.raises(UserError) as error:
        guidebench.evaluate(samples, reference, **{"extractors": ["pixels"]} | options)
    assert "\n" not in str(error.value)
    return str(error.value)


def _npz(path: Path, **arrays: np.ndarray) -> Path:
    np.savez(path, **arrays)
    return path


@pytest.fixture(autouse=True)
def _nothing_is_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    def computed(*given: object) -> None:
        raise AssertionError("an extractor ran")

    monkeypatch.setattr(embeddings.Embedding, "__call__", computed)


def test_paths(tmp_path: Path) -> None:
    assert _refused(tmp_path / "no").startswith(
        f"{tmp_path / 'no'}: found nothing, allowed: a folder"
    )
    assert "found no image" in _refused(tmp_path)
    one = tmp_path / "one.png"
    one.write_bytes(png(SOME[0]))
    assert "one.png: found a file .png" in _refused(one)
    assert "found 1 image, allowed: at least 3" in _refused(tmp_path)
    (tmp_path / "train").mkdir()
    np.save(tmp_path / "train/images.npy", SOME)
    assert f"allowed: {tmp_path / 'train'}" in _refused(SOME, tmp_path)


@pytest.mark.parametrize("damage", ["cut", "text", "empty"])
def test_a_damaged_picture(damage: str, tmp_path: Path) -> None:
    root = folder(tmp_path / "f", SOME, classes=False)
    whole = (root / "007.png").read_bytes()
    (root / "007.png").write_bytes(
        {"cut": whole[:-30], "text": b"no picture", "empty": b""}[damage]
    )
    assert "007.png: found no whole picture" in _refused(root)


def test_an_enormous_picture(tmp_path: Path) -> None:
    root = folder(tmp_path / "f", SOME, classes=False)
    for side in (9000, 20000):
        (root / "000.png").write_bytes(saved(Image.new("1", (side, side)), "PNG"))
        found = _refused(root)
        assert "000.png: found" in found
        assert found.endswith("allowed: at most 67,108,864 pixels")


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"a": SOME.astype(np.float32)}, "from "),
        ({"a": np.full((3, 8, 8, 3), np.nan)}, "from nan to nan, allowed: uint8, or floats in"),
        ({"a": SOME[:, :, 0]}, "found a uint8 [12, 3, 8], allowed: an array of 4 dimensions"),
        ({"a": np.zeros((3, 8, 8, 4), np.uint8)}, "found uint8 [3, 8, 8, 4], allowed: an array"),
        ({"a": SOME // 200}, "found uint8 pixels from 0 to 1, allowed: 0 to 255"),
        ({"a": SOME[:0]}, "found no image"),
        ({"mu": np.zeros(3), "sigma": np.eye(3)}, "found mu and sigma, allowed: images"),
        ({}, "found no array"),
    ],
)
def test_an_npz(arrays: dict[str, np.ndarray], said: str, tmp_path: Path) -> None:
    path = _npz(tmp_path / "x.npz", **arrays)
    found = _refused(path)
    assert str(path) in found
    assert said in found


def test_a_damaged_archive_and_objects(tmp_path: Path) -> None:
    path = zipped(tmp_path / "x.zip", SOME)
    path.write_bytes(path.read_bytes()[:100])
    assert "x.zip: truncated or damaged" in _refused(path)
    for content in (b"", b"no zip"):
        (tmp_path / "x.npz").write_bytes(content)
        assert "x.npz: cannot be read" in _refused(tmp_path / "x.npz")
    _npz(tmp_path / "o.npz", a=np.array([{}], dtype=object))
    assert "o.npz: cannot be read" in _refused(tmp_path / "o.npz")


def test_a_cell(tmp_path: Path) -> None:
    assert "12 images that diverged" in _refused(cell(tmp_path / "all", SOME, diverged=12))
    path = cell(tmp_path / "c", SOME)
    _npz(path / "evaluation-2.npz", arr_0=SOME)
    assert "evaluation-2.npz: found arr_0, allowed: images, diverged, labels" in _refused(path)


def test_names(tmp_path: Path) -> None:
    assert _refused(SOME, metrics=["fid"]).startswith(
        "--metrics: found fid, allowed: fd, fd_raw, kd"
    )
    assert _refused(SOME, extractors=["clip"]).startswith(
        "--extractor: found clip, allowed: pixels"
    )
    assert _refused(SOME, blocks=1) == "--blocks: found 1, allowed: 2 or more"
    assert "no --weights" in _refused(SOME, extractors=["inception"])
    assert "no --judge" in _refused(SOME, extractors=["judge"])
    weights = tmp_path / "w.pth"
    weights.write_bytes(b"x")
    found = _refused(SOME, extractors=["inception"], weights=weights, sha256="0" * 64)
    assert found.startswith("--sha256: found")
    assert "not said to be training images" in _refused(SOME, metrics=["authenticity"])


def test_classes(tmp_path: Path) -> None:
    root = folder(tmp_path / "f", SOME)
    assert _refused(root, root, target="cow") == f"--target: found cow, allowed: of {root} cat, dog"
    assert "none, as its images have no classes" in _refused(SOME, REAL, target="cat")
    assert "12 images and 2 labels" in _refused(SOME, labels=[0, 1])
    assert "allowed: a table, or for an array" in _refused(root, labels=[0, 1])


def test_moments(tmp_path: Path) -> None:
    path = _npz(tmp_path / "m.npz", mu=np.zeros(192), sigma=np.eye(191))
    assert "found mu [192] and sigma [191, 191], allowed: [d] and [d, d]" in _refused(SOME, path)
    path = _npz(tmp_path / "m.npz", mu=np.zeros(192), sigma=np.full((192, 192), np.inf))
    assert "not finite" in _refused(SOME, path)
    path = _npz(tmp_path / "m.npz", mu=np.zeros(192), sigma=np.eye(192))
    assert "found kd for a reference of mean and covariance alone" in _refused(
        SOME, path, metrics=["kd"]
    )
    assert "--target: found cat for mu and sigma" in _refused(SOME, path, target="cat")


def test_the_command_has_no_traceback(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "guidebench", "evaluate", str(tmp_path), "--reference", "no"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 2
    assert done.stderr.splitlines()[0].startswith(f"{tmp_path}: found no image, allowed: ")
    assert len(done.stderr.splitlines()) == 1
    assert done.stdout == ""


def test_a_folder_that_cannot_be_made_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    for out in (tmp_path / "taken", tmp_path / "taken" / "below"):
        arguments = Namespace(out=out, samples=tmp_path / "nothing")
        with pytest.raises(UserError, match=rf"^--out: found {out} \(.*\), allowed: a folder that"):
            commands.evaluate(arguments)
