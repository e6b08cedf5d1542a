"""Taking a file of another experiment: one file by two names, and no way to change it in place."""

import errno
import os
from pathlib import Path

import pytest

from guidebench.pipeline.errors import UserError
from guidebench.pipeline.records import code
from guidebench.pipeline.records.artifacts import atomic, read_manifest, seal, sha256
from guidebench.pipeline.records.finished_cells import remember, sidecar, standing, where
from guidebench.pipeline.records.siblings import others, take


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "other" / "file.npz"
    path.parent.mkdir()
    path.write_bytes(b"content")
    return path


def test_a_taken_file_has_two_names(source: Path, tmp_path: Path) -> None:
    path = tmp_path / "here" / "deep" / "file.npz"
    for _ in range(2):  # the second time it is there already
        take(source, path, sha256(source))
        assert path.samefile(source)
        assert list(path.parent.iterdir()) == [path]
    source.unlink()
    assert path.read_bytes() == b"content"


def test_a_link_is_taken_as_what_it_leads_to(source: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.npz"
    link.symlink_to(source)
    take(link, tmp_path / "file.npz", sha256(source))
    assert not (tmp_path / "file.npz").is_symlink()


@pytest.mark.parametrize("number", [errno.EXDEV, errno.EPERM, errno.EMLINK])
def test_across_file_systems_it_is_copied(
    number: int, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "link", refused)
    path = tmp_path / "file.npz"
    take(source, path, sha256(source))
    assert path.read_bytes() == b"content"
    assert not path.samefile(source)


def test_a_damaged_or_missing_file_leaves_the_old_one(source: Path, tmp_path: Path) -> None:
    path = tmp_path / "file.npz"
    path.write_bytes(b"old")
    with pytest.raises(UserError, match=r"other/file\.npz: truncated or edited, sha256 is not 0"):
        take(source, path, "0" * 64)
    with pytest.raises(FileNotFoundError):
        take(source.with_name("none.npz"), path, "0" * 64)
    assert path.read_bytes() == b"old"
    assert sorted(tmp_path.iterdir()) == [path, source.parent]


def test_what_a_killed_process_left_is_not_written_through(source: Path) -> None:
    """A process of the same number writes the same temporary name: another name of `source`."""
    path = source.with_name("new.npz")
    with atomic(path) as temporary:
        pass_on = temporary
        temporary.touch()
    os.link(source, pass_on)
    with atomic(path) as temporary:
        temporary.write_bytes(b"new")
    assert (source.read_bytes(), path.read_bytes()) == (b"content", b"new")


def test_others_are_experiments_with_results(tmp_path: Path) -> None:
    for name in ("b", "a", "here"):
        (tmp_path / name / code.FOLDER).mkdir(parents=True)
    (tmp_path / "mlartifacts").mkdir()
    assert others(tmp_path / "here") == [tmp_path / "a", tmp_path / "b"]
    assert others(tmp_path / "none" / "here") == []


@pytest.fixture
def cell(tmp_path: Path) -> Path:
    """A finished cell of another experiment."""
    path = tmp_path / "results" / "other" / "samples" / "cell.npz"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"images")
    remember(path, "key", path.parents[1], {"base.seeds:derive"}, {"seconds": [1.5]})
    return path


def test_a_cell_that_another_experiment_has_stands(cell: Path, tmp_path: Path) -> None:
    root = tmp_path / "results" / "here"
    path = root / "samples" / "cell.npz"
    assert standing(path, "another key", root) is None
    # who only asks takes nothing
    assert [where(path, "key", root, whole) for whole in (False, True)] == [cell, cell]
    assert where(path, "another key", root) is None
    assert not root.exists()
    assert "base.seeds:derive" in (standing(path, "key", root) or set())
    assert path.samefile(cell)
    said = read_manifest(sidecar(path))
    assert said == read_manifest(sidecar(cell)) | {"taken_from": ["other"]}
    assert said["cost"] == {"seconds": [1.5]}
    assert where(path, "key", root) == path
    # by itself, too
    sidecar(cell).unlink()
    assert standing(path, "key", root) is not None


def test_a_damaged_cell_of_another_experiment_is_computed(cell: Path, tmp_path: Path) -> None:
    root = tmp_path / "results" / "here"
    path = root / "samples" / "cell.npz"
    cell.write_bytes(b"IMAGES")
    assert standing(path, "key", root) is None
    assert [where(path, "key", root, whole) for whole in (False, True)] == [cell, None]
    cell.write_bytes(b"images")
    sidecar(cell).write_text(sidecar(cell).read_text().replace("1.5", "9.5"))
    assert standing(root / "samples" / "cell.npz", "key", root) is None


def test_a_cell_of_other_code_is_computed(cell: Path, tmp_path: Path) -> None:
    older = {"base.seeds:derive": "0" * 16}
    name = code._write(cell.parents[1], older)
    seal(sidecar(cell), read_manifest(sidecar(cell)) | {"code": name})
    root = tmp_path / "results" / "here"
    assert standing(root / "samples" / "cell.npz", "key", root) is None
