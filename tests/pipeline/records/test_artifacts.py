import errno
import json
import os
import shutil
from pathlib import Path

import pytest

from guidebench.pipeline.errors import UserError
from guidebench.pipeline.records.artifacts import (
    atomic,
    check_files,
    damaged,
    digest_of,
    environment,
    flush,
    incomplete,
    read_json,
    results_digest,
    seal,
    sha256,
    tidy,
    write_json,
    write_manifest,
    write_provenance,
)


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


@pytest.mark.parametrize("text", [None, b"", b'{"files": {', b'{"files": "\xff"}'])
def test_a_missing_or_broken_json_file_is_named(text, tmp_path):
    path = tmp_path / "file.json"
    if text is not None:
        path.write_bytes(text)
    with pytest.raises(UserError, match=r"file\.json"):
        read_json(path)


BASIS = {"spec": "1", "inputs": {}, "code": "2"}


def manifest(root: Path) -> Path:
    """Write the provenance and the manifest of a folder."""
    write_provenance(root / "provenance.json", root, {"stage": "sample"}, ["seconds.json"])
    measured = ["seconds.json", "provenance.json", "images.cell.json"]
    write_manifest(root / "manifest.json", root, BASIS, ["images.npy"], measured)
    return root / "manifest.json"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A finished stage's folder: a big file, its sidecar, a file of measurements, a manifest."""
    root = tmp_path / "results" / "balls"
    root.mkdir(parents=True)
    (root / "images.npy").write_bytes(bytes(range(256)) * 16)
    (root / "seconds.json").write_text("1.5")
    seal(root / "images.cell.json", {"content": sha256(root / "images.npy"), "cost": 1.5})
    manifest(root)
    return root


def test_a_whole_folder_passes(folder):
    found = check_files(folder / "manifest.json", folder)
    assert found == {"images.npy": sha256(folder / "images.npy")}
    assert list(damaged(folder / "manifest.json", folder)) == []
    assert incomplete(read_json(folder / "manifest.json"), folder) is None


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda path: path.unlink(), "missing"),
        (lambda path: path.write_bytes(path.read_bytes()[:-2]), "truncated or edited"),
        (lambda path: path.write_bytes(b"\x01" + path.read_bytes()[1:]), "truncated or edited"),
    ],
    ids=["missing", "truncated", "edited"],
)
@pytest.mark.parametrize("name", ["images.npy", "seconds.json", "images.cell.json"])
def test_a_damaged_file_is_named_with_the_remedy(name, damage, said, folder):
    damage(folder / name)
    with pytest.raises(UserError) as caught:
        check_files(folder / "manifest.json", folder)
    line = str(caught.value)
    assert list(damaged(folder / "manifest.json", folder)) == [line]
    assert said in line
    assert str(folder / name) in line
    assert "run again" in line
    assert "\n" not in line
    # who reads another file alone does not mind
    other = ({"images.npy", "seconds.json"} - {name}).pop()
    check_files(folder / "manifest.json", folder, [other])
    with pytest.raises(UserError, match=said):
        check_files(folder / "manifest.json", folder, [other, name])


def test_a_sidecar_of_another_cell_is_damage(folder):
    cell, beside = folder / "one.npz", folder / "one.cell.json"
    cell.write_bytes(b"images")
    seal(beside, {"content": sha256(cell), "cost": 1})
    write_manifest(folder / "cells.json", folder, BASIS, [cell.name], [beside.name])
    assert list(damaged(folder / "cells.json", folder)) == []
    seal(beside, {"content": "0" * 64, "cost": 2})
    (line,) = damaged(folder / "cells.json", folder)
    assert line.startswith(f"{beside}: truncated or edited; delete")


def test_a_file_that_is_not_listed_is_not_read(folder):
    (folder / "more.npy").write_bytes(b"left by somebody")
    assert list(check_files(folder / "manifest.json", folder)) == ["images.npy"]
    with pytest.raises(UserError, match=r"more\.npy: not listed in .*manifest\.json"):
        check_files(folder / "manifest.json", folder, ["more.npy"])


def test_a_missing_and_a_truncated_file_show_without_reading_any(folder):
    content = read_json(folder / "manifest.json")
    path = folder / "images.npy"
    path.write_bytes(path.read_bytes()[:-1])
    assert incomplete(content, folder) == f"{path} has another size"
    (folder / "seconds.json").write_text("1")
    path.write_bytes(bytes(4096))
    assert incomplete(content, folder) == f"{folder / 'seconds.json'} has another size"
    (folder / "seconds.json").write_text("1.5")
    for name in ("images.npy", "seconds.json", "provenance.json", "images.cell.json"):
        kept = (folder / name).read_bytes()
        (folder / name).unlink()
        assert incomplete(content, folder) == f"{folder / name} is missing"
        (folder / name).write_bytes(kept if name != "images.npy" else bytes(4096))


def test_the_same_result_has_the_same_manifest_whatever_was_measured(folder):
    """Times are in files whose sums are in the provenance or in themselves."""
    before = (folder / "manifest.json").read_bytes()
    (folder / "seconds.json").write_text("9.5")
    content = sha256(folder / "images.npy")
    seal(folder / "images.cell.json", {"content": content, "cost": 11.25})
    manifest(folder)
    assert (folder / "manifest.json").read_bytes() == before
    assert list(damaged(folder / "manifest.json", folder)) == []
    for name in ("seconds.json", "provenance.json"):
        kept = (folder / name).read_text()
        (folder / name).write_text(kept.replace("9", "8").replace("sample", "simple"))
        assert any(
            f"{folder / name}: truncated" in line
            for line in damaged(folder / "manifest.json", folder)
        )
        (folder / name).write_text(kept)
    assert list(damaged(folder / "manifest.json", folder)) == []


def test_a_tidy_folder_holds_what_is_listed(tmp_path):
    for name in ("kept/a", "kept/old", "gone/deep/b", "c"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "link").symlink_to(tmp_path / "kept")
    tidy(tmp_path, {tmp_path / "kept/a", tmp_path / "c"})
    left = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*"))
    assert left == ["c", "kept", "kept/a"]


def test_files_are_on_the_disk_before_their_manifest_names_them(folder, monkeypatch):
    """A power cut leaves no manifest of files that are not there."""
    order: list[str] = []
    fsync = os.fsync

    def told(handle: int) -> None:
        order.append(Path(os.readlink(f"/proc/self/fd/{handle}")).name)
        fsync(handle)

    monkeypatch.setattr(os, "fsync", told)
    manifest(folder)
    order = order[order.index(folder.name) + 1 :]  # after the provenance
    assert order[:4] == ["images.npy", "seconds.json", "provenance.json", "images.cell.json"]
    assert order[4].startswith(".manifest.")
    assert order[5:] == [folder.name]


def test_a_full_disk_is_told_when_a_file_is_flushed(folder, monkeypatch):
    def failing(number: int) -> None:
        def fsync(handle: int) -> None:
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr(os, "fsync", fsync)

    failing(errno.ENOSPC)
    with pytest.raises(OSError, match="No space"):
        flush(folder / "images.npy")
    failing(errno.EINVAL)  # a file system that cannot flush a folder
    flush(folder)


def test_a_manifest_of_files_that_are_not_there_is_refused(folder):
    with pytest.raises((UserError, OSError), match="absent"):
        write_manifest(folder / "manifest.json", folder, BASIS, ["absent.npy"], [])
    assert list(check_files(folder / "manifest.json", folder)) == ["images.npy"]


def test_the_results_digest_is_of_results_only(folder, tmp_path):
    manifests = [folder / "manifest.json"]
    first = results_digest(manifests, tmp_path)
    (folder / "seconds.json").write_text("99.5")
    manifest(folder)
    assert check_files(folder / "manifest.json", folder)  # its own measurements are checked, too
    assert results_digest(manifests, tmp_path) == first
    elsewhere = tmp_path / "elsewhere" / folder.relative_to(tmp_path)
    shutil.copytree(folder, elsewhere)
    assert results_digest([elsewhere / "manifest.json"], tmp_path / "elsewhere") == first


def test_the_results_digest_sees_an_edited_and_a_missing_result(folder, tmp_path):
    manifests = [folder / "manifest.json"]
    first = results_digest(manifests, tmp_path)
    (folder / "images.npy").write_bytes(b"other")
    manifest(folder)
    assert results_digest(manifests, tmp_path) != first
    manifests[0].unlink()
    with pytest.raises(UserError, match="missing"):
        results_digest(manifests, tmp_path)


def test_manifests_are_readable(folder):
    content = json.loads((folder / "manifest.json").read_text())
    assert {key: content[key] for key in BASIS} == BASIS
    assert set(content["files"]) == {"images.npy"}
    assert content["measured"] == ["images.cell.json", "provenance.json", "seconds.json"]
    assert content["bytes"] == {"images.npy": 4096, "seconds.json": 3}
    assert set(content) == {*BASIS, "files", "measured", "bytes", "sha256"}


def test_a_machine_without_git_knows_no_commit(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    environment.cache_clear()
    try:
        assert environment()["commit"] == "unknown"
    finally:
        environment.cache_clear()
