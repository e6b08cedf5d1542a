"""Files from outside are known by their content, and read again when something else changed."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from guidebench.base.sources import IDX
from guidebench.pipeline.errors import UserError
from guidebench.pipeline.records import outside_files
from guidebench.pipeline.records.outside_files import content, files

NAMES = [f"{name}-ubyte" for name in IDX]
RESULTS = Path("results")


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """A folder of MNIST's four files."""
    folder = tmp_path / "data" / "MNIST" / "raw"
    folder.mkdir(parents=True)
    for name in NAMES:
        (folder / f"{name}.gz").write_bytes(name.encode())
    return folder


@pytest.fixture
def results(tmp_path: Path) -> Path:
    folder = tmp_path / "results"
    folder.mkdir()
    return folder


def mnist(edited, raw: Path, **options: object):
    source = {"source": "mnist", "root": str(raw.parents[1]), **options}
    return edited({("datasets", "mnist", "data"): source}).datasets["mnist"].data


def test_files_that_a_source_reads(edited, raw):
    data = mnist(edited, raw)
    assert [path.name for path in files(data, RESULTS)] == [f"{name}.gz" for name in NAMES]
    # an unpacked one is read first
    plain = raw / NAMES[1]
    plain.write_bytes(b"unpacked")
    assert files(data, RESULTS)[1] == plain
    (raw / "notes.txt").write_text("mine")
    (raw / f"{NAMES[0]}.gz").unlink()
    assert [path.name for path in files(data, RESULTS)] == [
        plain.name,
        *(f"{name}.gz" for name in NAMES[2:]),
    ]
    with pytest.raises(KeyError):
        files(data.model_copy(update={"source": "cifar"}), RESULTS)


def test_balls_are_drawn_from_no_file(edited, results):
    data = edited({}).datasets["sportballs"].data
    assert files(data, RESULTS) == []
    assert content(data, results) is None


def test_a_digest_follows_content_and_names_alone(edited, raw, results):
    data = mnist(edited, raw)
    first = content(data, results)
    path = raw / f"{NAMES[0]}.gz"
    os.utime(path, ns=(10**18, 10**18))
    assert content(data, results) == first
    old = path.read_bytes()
    path.write_bytes(old[::-1])  # of the same size
    os.utime(path, ns=(10**18, 10**18))  # and time
    other = content(data, results)
    assert other != first
    path.write_bytes(old)
    assert content(data, results) == first
    # which file is read as what
    path.rename(raw / "moved")
    (raw / f"{NAMES[1]}.gz").rename(path)
    (raw / "moved").rename(raw / f"{NAMES[1]}.gz")
    assert content(data, results) not in (first, other)


def test_a_copy_elsewhere_has_the_same_digest(edited, raw, results, tmp_path):
    first = content(mnist(edited, raw), results)
    elsewhere = tmp_path / "elsewhere" / "MNIST" / "raw"
    elsewhere.parent.mkdir(parents=True)
    raw.rename(elsewhere)
    assert content(mnist(edited, elsewhere), results) == first


def test_a_digest_is_kept_while_sizes_times_and_inodes_stand(edited, raw, results, monkeypatch):
    data = mnist(edited, raw)
    read: list[str] = []
    whole = outside_files.sha256
    monkeypatch.setattr(outside_files, "sha256", lambda path: read.append(path.name) or whole(path))
    first = content(data, results)
    assert len(read) == 4
    assert content(data, results) == first
    assert len(read) == 4
    # a file put in its place, with its time: another inode
    path = raw / f"{NAMES[0]}.gz"
    stat = path.stat()
    fresh = raw / "new"
    fresh.write_bytes(path.read_bytes()[::-1])
    os.utime(fresh, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    fresh.replace(path)
    assert content(data, results) != first
    assert len(read) == 8


@pytest.mark.parametrize("text", ["", "{", "[]", '{"a": 1}'])
def test_a_damaged_cache_is_written_anew(text, edited, raw, results):
    data = mnist(edited, raw)
    first = content(data, results)
    (results / outside_files.CACHE).write_text(text)
    assert content(data, results) == first
    assert first in json.loads((results / outside_files.CACHE).read_text()).values()


def test_without_a_results_folder_nothing_is_written(edited, raw, tmp_path):
    assert content(mnist(edited, raw), tmp_path / "absent")
    assert not (tmp_path / "absent").exists()


def own(edited, options: dict[str, object]) -> Any:
    """The data section of a user's own source with these options."""
    section = {
        "source": "mine:Mine",
        "classes": ["a", "b"],
        "train": 8,
        "validation": 8,
        "options": options,
    }
    return edited({("datasets", "sportballs", "data"): section}).datasets["sportballs"].data


def test_absolute_and_relative_places_stand_together(edited, tmp_path, results, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("a", "b"):
        Path(name).write_text(name)
    data = own(edited, {"one": "a", "other": str(tmp_path / "b")})
    assert files(data, RESULTS) == [Path("a"), tmp_path / "b"]
    first = content(data, results)
    assert first is not None
    assert content(own(edited, {"one": str(tmp_path / "a"), "other": "b"}), results) == first
    Path("b").write_text("c")
    assert content(data, results) not in (None, first)


@pytest.mark.parametrize("text", ["x" * 300, "x/" * 3000, "a\0b", "", "no such file"])
def test_a_text_that_is_no_path_is_no_file(text, edited, results, tmp_path):
    (tmp_path / "labels").write_text("a")
    data = own(edited, {"prompt": text, "labels": str(tmp_path / "labels")})
    assert files(data, results) == [tmp_path / "labels"]
    assert content(data, results)
    assert content(own(edited, {"prompt": text}), results) is None


def _back(folder: Path) -> Path:
    (folder / "deep").mkdir()
    (folder / "deep" / "back").symlink_to(folder)
    return folder / "deep" / "back"


def _round(folder: Path) -> Path:
    """Two folders, neither in the other, that are linked to each other."""
    other = folder.parent / "other"
    other.mkdir()
    (folder / "there").symlink_to(other)
    (other / "here").symlink_to(folder)
    return folder / "there" / "here"


def _itself(folder: Path) -> Path:
    (folder / "same").symlink_to(folder)
    return folder / "same"


@pytest.mark.parametrize("make", [_back, _round, _itself])
def test_a_loop_of_links_is_one_line(make, edited, results, tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    (folder / "1.png").write_bytes(b"a")
    where = make(folder)
    with pytest.raises(UserError) as caught:
        content(own(edited, {"pictures": str(folder)}), results)
    assert str(caught.value) == (
        f"data.options.pictures: found {folder} ({where}: a link to a folder that it is in), "
        "allowed: a folder that can be read to its end"
    )


def test_links_to_one_folder_from_two_sides_are_no_loop(edited, results, tmp_path):
    folder, other = tmp_path / "pictures", tmp_path / "other"
    for place in (folder, other):
        place.mkdir()
    (other / "1.png").write_bytes(b"a")
    for name in ("a", "b"):
        (folder / name).symlink_to(other)
    found = files(own(edited, {"pictures": str(folder)}), results)
    assert found == [folder / "a" / "1.png", folder / "b" / "1.png"]


@pytest.mark.parametrize(
    ("place", "where"),
    [
        (".", "."),
        ("above", "above/here"),
        ("results", "results"),
        ("linked", "linked/kept"),
        ("results/other", ""),
    ],
)
def test_a_folder_that_results_are_written_to_is_one_line(
    place, where, edited, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    Path("results/other").mkdir(parents=True)
    Path("linked").mkdir()
    Path("linked/kept").symlink_to(tmp_path / "results")
    Path("above").mkdir()
    Path("above/here").symlink_to(tmp_path)
    Path("results/other/1.png").write_bytes(b"a")
    data = own(edited, {"pictures": place})
    if not where:  # of another experiment
        assert files(data, RESULTS) == [Path("results/other/1.png")]
        return
    with pytest.raises(UserError) as caught:
        content(data, RESULTS)
    assert str(caught.value) == (
        f"data.options.pictures: found {place} ({where}: results are written there), allowed: a "
        "folder that can be read to its end"
    )


def test_a_users_source_counts_files_and_folders_in_its_options(edited, tmp_path, results):
    folder = tmp_path / "pictures"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "a.png").write_bytes(b"a")
    (tmp_path / "labels.csv").write_bytes(b"b")
    options = {
        "folder": str(folder),
        "labels": str(tmp_path / "labels.csv"),
        "count": 3,
        "missing": str(tmp_path / "absent"),
    }
    data = own(edited, options)
    assert files(data, RESULTS) == [folder / "deep" / "a.png", tmp_path / "labels.csv"]
    first = content(data, results)
    (folder / "deep" / "b.png").write_bytes(b"c")
    assert content(data, results) != first


@pytest.mark.parametrize("linked", [False, True])
def test_which_folder_a_picture_lies_in_counts(linked: bool, edited, tmp_path, results):
    """A class's folder is its label, also where it is a link."""
    kept = tmp_path / "elsewhere" if linked else tmp_path / "pictures"
    for name in ("cat", "dog"):
        (kept / name).mkdir(parents=True)
        (kept / name / "1.png").write_bytes(name.encode())
    (tmp_path / "pictures").mkdir(exist_ok=True)
    for name in ("cat", "dog") if linked else ():
        (tmp_path / "pictures" / name).symlink_to(kept / name)
    data = own(edited, {"folder": str(tmp_path / "pictures")})
    assert [path.parent.name for path in files(data, RESULTS)] == ["cat", "dog"]
    first = content(data, results)
    for name in ("cat", "dog"):
        (kept / name / "1.png").rename(kept / name / "old.png")
    (kept / "cat" / "old.png").rename(kept / "dog" / "1.png")
    (kept / "dog" / "old.png").rename(kept / "cat" / "1.png")
    assert content(data, results) != first
