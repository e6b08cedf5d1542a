import json
import shutil
from pathlib import Path

import pytest

from guidebench.artifacts import (
    atomic,
    check_manifest,
    digest_of,
    read_json,
    results_digest,
    write_json,
    write_manifest,
)
from guidebench.errors import UserError


def test_atomic_replaces_the_file_and_leaves_nothing_else(tmp_path):
    path = tmp_path / "deep" / "file.npz"
    for text in ("old", "new"):
        with atomic(path) as temporary:
            assert temporary.parent == path.parent
            assert temporary.suffix == ".npz"
            temporary.write_text(text)
            assert not path.exists() or path.read_text() == "old"
    assert path.read_text() == "new"
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_error_keeps_the_old_file_and_nothing_of_the_new_one(error, tmp_path):
    path = tmp_path / "file.json"
    path.write_text("old")
    with pytest.raises(error), atomic(path) as temporary:  # noqa: PT012
        temporary.write_text("half")
        raise error
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_json_comes_back_and_nan_is_refused(tmp_path):
    path = tmp_path / "file.json"
    write_json(path, {"b": 1, "a": [1.5, None]})
    first = path.read_bytes()
    assert read_json(path) == {"a": [1.5, None], "b": 1}
    assert digest_of({"b": 1, "a": 2}) == digest_of({"a": 2, "b": 1}) != digest_of({"a": 2, "b": 2})
    with pytest.raises(ValueError, match="JSON"):
        write_json(path, {"a": float("nan")})
    assert path.read_bytes() == first


@pytest.mark.parametrize("text", [None, "", '{"files": {'])
def test_a_missing_or_broken_json_file_is_named(text, tmp_path):
    path = tmp_path / "file.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(UserError, match=r"file\.json"):
        read_json(path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A finished stage's folder: a big file, a file of measurements, a manifest."""
    root = tmp_path / "results" / "balls"
    root.mkdir(parents=True)
    (root / "images.npy").write_bytes(bytes(range(256)) * 16)
    (root / "seconds.json").write_text("1.5")
    write_json(root / "provenance.json", {"seconds": 1.5})
    write_manifest(root, ["images.npy"], None, ["seconds.json"])
    return root


def test_a_whole_folder_passes(folder):
    assert list(check_manifest(folder / "manifest.json")) == ["images.npy"]


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda path: path.unlink(), "missing"),
        (lambda path: path.write_bytes(path.read_bytes()[:-1]), "truncated or edited"),
        (lambda path: path.write_bytes(b"\x01" + path.read_bytes()[1:]), "truncated or edited"),
    ],
    ids=["missing", "truncated", "edited"],
)
def test_a_damaged_file_is_named_with_the_remedy(damage, said, folder):
    damage(folder / "images.npy")
    with pytest.raises(UserError) as caught:
        check_manifest(folder / "manifest.json")
    line = str(caught.value)
    assert said in line
    assert str(folder / "images.npy") in line
    assert "run again" in line
    assert "\n" not in line


def test_a_manifest_of_files_that_are_not_there_is_refused(folder):
    with pytest.raises((UserError, OSError), match="absent"):
        write_manifest(folder, ["absent.npy"], None, None)
    assert list(check_manifest(folder / "manifest.json")) == ["images.npy"]


def test_the_results_digest_is_of_results_only(folder, tmp_path):
    manifests = [folder / "manifest.json"]
    first = results_digest(manifests, tmp_path)
    (folder / "seconds.json").write_text("99.5")
    write_json(folder / "provenance.json", {"seconds": 99.5})
    write_manifest(folder, ["images.npy"], None, ["seconds.json"])
    assert results_digest(manifests, tmp_path) == first
    elsewhere = tmp_path / "elsewhere" / folder.relative_to(tmp_path)
    shutil.copytree(folder, elsewhere)
    assert results_digest([elsewhere / "manifest.json"], tmp_path / "elsewhere") == first


def test_the_results_digest_sees_an_edited_and_a_missing_result(folder, tmp_path):
    manifests = [folder / "manifest.json"]
    first = results_digest(manifests, tmp_path)
    (folder / "images.npy").write_bytes(b"other")
    write_manifest(folder, ["images.npy"], None, ["seconds.json"])
    assert results_digest(manifests, tmp_path) != first
    manifests[0].unlink()
    with pytest.raises(UserError, match="missing"):
        results_digest(manifests, tmp_path)


def test_manifests_are_readable(folder):
    manifest = json.loads((folder / "manifest.json").read_text())
    assert set(manifest["files"]) == {"images.npy"}
    assert "seconds.json" in json.dumps(manifest)
