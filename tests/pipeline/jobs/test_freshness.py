"""Which jobs are stale, and the words for why: no result is taken over that should be made anew."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from checkpoints import write_checkpoint
from finished_jobs import Results

from guidebench.base import sources
from guidebench.pipeline.errors import UserError
from guidebench.pipeline.jobs import check, freshness, listing
from guidebench.pipeline.jobs.freshness import Basis, differences, listed, stale
from guidebench.pipeline.jobs.layout import Job, Layout
from guidebench.pipeline.jobs.listing import folder, inputs, jobs, manifest, provenance
from guidebench.pipeline.jobs.stages import FOLLOWING, STAGES
from guidebench.pipeline.records import code
from guidebench.pipeline.records.artifacts import (
    digest_of,
    read_json,
    read_manifest,
    seal,
    sha256,
    write_json,
    write_manifest,
)
from guidebench.pipeline.records.finished_cells import remember, sidecar, standing, where

BALLS = "sportballs"
S = ("datasets", BALLS)
CLEAN = Job("train_classifier", BALLS, "clean")
SAMPLE = Job("sample", BALLS, block="evaluation-0")
NOT_YET, UPSTREAM = "not computed yet", "what it reads runs again"


@pytest.fixture
def done(edited, tmp_path: Path) -> Results:
    return Results(edited({}), tmp_path)


def test_finished_jobs_are_not_stale(done: Results) -> None:
    assert done.stale() == {}
    assert list(check.problems(done.config, done.layout, jobs(done.config))) == []


def test_a_copied_or_touched_experiment_is_not_stale(done: Results, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere" / "smoke"
    shutil.copytree(done.layout.root, elsewhere)
    for path in elsewhere.rglob("*"):
        path.touch()
    assert stale(done.config, Layout(elsewhere.parent, "smoke")) == {}


def test_without_results_every_job_is_stale_in_an_order_that_works(edited, tmp_path) -> None:
    config = edited({})
    found = stale(config, Layout(tmp_path, "smoke"))
    assert list(found) == list(jobs(config))
    assert set(found.values()) == {NOT_YET}


def test_a_missing_manifest_runs_its_job_and_what_reads_it(done: Results) -> None:
    manifest(done.layout, CLEAN).unlink()
    found = done.stale()
    assert found.pop(CLEAN) == NOT_YET
    assert set(found) == done.below(CLEAN)
    assert set(found.values()) == {UPSTREAM}
    after = {"sensitivity", "sample", "features", "metrics", *FOLLOWING}
    assert {job.stage for job in found} == after
    assert not any(job.dataset == "mnist" for job in found if job.stage not in FOLLOWING)


@pytest.mark.parametrize(
    "text", [b"", b"{", b"[]", b"null", b"7", b'{"files": {}}', b'"files"', b'{"files": "\xff"}']
)
def test_a_damaged_manifest_runs_its_job(text: bytes, done: Results) -> None:
    manifest(done.layout, CLEAN).write_bytes(text)
    found = done.stale()
    assert found.pop(CLEAN) == "its manifest is damaged"
    assert set(found) == done.below(CLEAN)


@pytest.mark.parametrize("key", ["spec", "inputs", "code", "files", "measured", "bytes"])
def test_a_manifest_of_an_earlier_version_runs_its_job(key: str, done: Results) -> None:
    content = read_json(manifest(done.layout, CLEAN))
    del content[key]
    write_json(manifest(done.layout, CLEAN), content)
    assert done.stale()[CLEAN] == "its manifest is damaged"


def test_a_changed_key_is_named_in_words(done: Results, edited) -> None:
    after = edited({(*S, "classifiers", "clean", "learning_rate"): 0.5})
    before = done.config.datasets[BALLS].classifiers["clean"].learning_rate
    found = done.stale(after)
    assert found[CLEAN] == f"changed: classifier.learning_rate: {before} -> 0.5"
    assert found[Job("collect")].startswith("changed: ")  # whose slice is the whole config
    assert set(found) == {CLEAN} | done.below(CLEAN)
    assert found[SAMPLE] == UPSTREAM


def test_many_changed_keys_are_counted(done: Results, edited) -> None:
    section = {"learning_rate": 0.5, "hidden": 9, "steps": 1, "batch_size": 2}
    found = done.stale(edited({(*S, "classifiers", "clean", k): v for k, v in section.items()}))
    assert found[CLEAN].endswith("; 1 more")
    assert found[CLEAN].count("->") == 3


@pytest.mark.parametrize("text", [None, "{", "[]", "{}"])
def test_without_provenance_the_experiment_changed(text: str | None, done: Results, edited) -> None:
    path = provenance(done.layout, CLEAN)
    if text is None:
        path.unlink()
    else:
        path.write_text(text)
    # of one that is there, words alone
    assert done.stale().get(CLEAN, "") == ("" if text else f"{path} is missing")
    found = done.stale(edited({(*S, "classifiers", "clean", "learning_rate"): 0.5}))
    assert found[CLEAN] == "changed: the experiment"


def test_a_key_that_changes_no_result_makes_nothing_stale(done: Results, edited) -> None:
    edits = {(*S, "denoiser", "checkpoint_every"): 3, ("device",): "cpu"}
    assert done.stale(edited(edits)) == {}


def test_a_new_block_is_not_computed_yet(done: Results, edited) -> None:
    after = edited({(*S, "sampling", "evaluation"): 24})
    new = Job("sample", BALLS, block="evaluation-1")
    assert new not in set(jobs(done.config))
    found = done.stale(after)
    assert found[new] == NOT_YET
    assert SAMPLE not in found


def test_changed_code_is_named(done: Results) -> None:
    record = code.kept(done.layout.root, read_json(manifest(done.layout, CLEAN))["code"])
    assert "stages.train_classifier:run" in record
    older = record | {"stages.train_classifier:run": "0" * 16, "train.gone:fit": "0" * 16}
    name = digest_of(older)[:16]
    write_json(done.layout.root / code.FOLDER / f"{name}.json", older)
    done.changes(CLEAN, code=name)
    found = done.stale()
    changed = "changed: the code of stages.train_classifier:run, train.gone:fit"
    assert found.pop(CLEAN) == changed
    assert set(found) == done.below(CLEAN)


def test_a_record_of_code_that_is_gone_makes_its_jobs_stale(done: Results) -> None:
    name = read_json(manifest(done.layout, SAMPLE))["code"]
    (done.layout.root / code.FOLDER / f"{name}.json").unlink()
    found = done.stale()
    same = {job for job in jobs(done.config) if job.stage == "sample"}
    assert all("the record of its code" in found[job] for job in same)
    assert set(found) == same | done.below(*same)


def test_other_content_of_an_input_makes_its_readers_stale(done: Results) -> None:
    """As after a training by hand: it is fresh, and what read the old weights is not."""
    done.finish(CLEAN, b"other weights")
    found = done.stale()
    readers = {job for job in jobs(done.config) if CLEAN in inputs(done.config, job)}
    first = {job for job in readers if not set(inputs(done.config, job)) & set(found)}
    assert CLEAN not in found
    assert {Job("sensitivity", BALLS, "clean"), SAMPLE} <= first
    assert {found[job] for job in first} == {"what it reads has changed"}
    assert set(found) == done.below(CLEAN)
    assert found[Job("metrics", BALLS)] == UPSTREAM


def test_the_same_content_again_makes_nothing_stale(done: Results) -> None:
    done.finish(CLEAN)
    assert done.stale() == {}


def test_other_times_and_memory_make_nothing_stale(done: Results) -> None:
    costs = folder(done.layout, SAMPLE) / "costs.json"
    for text in ("1.5", "99.5"):
        costs.write_text(text)
        basis = {key: read_json(manifest(done.layout, SAMPLE))[key] for key in Basis._fields}
        write_manifest(
            manifest(done.layout, SAMPLE),
            folder(done.layout, SAMPLE),
            basis,
            [done.file(SAMPLE).name],
            [costs.name],
        )
        assert done.stale() == {}


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda path: path.unlink(), "is missing"),
        (lambda path: path.write_bytes(b"conten"), "has another size"),
        (lambda path: path.write_bytes(b""), "has another size"),
    ],
    ids=["missing", "truncated", "empty"],
)
@pytest.mark.parametrize("stage", sorted(STAGES.keys() - {"attributes", "finalists"}))
def test_a_lost_or_truncated_file_runs_its_job(
    stage: str, damage: Callable[[Path], Any], said: str, done: Results
) -> None:
    job = next(job for job in jobs(done.config) if job.stage == stage)
    damage(done.file(job))
    found = done.stale()
    assert found.pop(job) == f"{done.file(job)} {said}"
    assert set(found) == done.below(job)


def test_an_edit_of_the_same_size_is_found_by_check(done: Results) -> None:
    """`stale` reads no file; `check` and every reader compare contents."""
    done.file(CLEAN).write_bytes(b"CONTENT")
    assert done.stale() == {}
    lines = list(check.problems(done.config, done.layout, jobs(done.config)))
    assert len(lines) == 1
    assert f"{done.file(CLEAN)}: truncated or edited" in lines[0]
    with pytest.raises(UserError, match="truncated or edited"):
        check.check(done.config, done.layout, [CLEAN])
    check.check(done.config, done.layout, [SAMPLE])


def test_check_names_stale_jobs_and_counts_them(done: Results) -> None:
    manifest(done.layout, Job("prepare", BALLS)).unlink()
    wanted = [job for job in jobs(done.config) if job.dataset == BALLS]
    lines = list(check.problems(done.config, done.layout, wanted))
    assert len(lines) == len(wanted)
    assert lines[0] == f"prepare {BALLS}: stale ({NOT_YET}); run again"
    with pytest.raises(UserError, match=rf"and {len(wanted) - 5} more; `guidebench check`"):
        check.check(done.config, done.layout, wanted)


def test_files_from_outside_count_by_content(edited, tmp_path: Path) -> None:
    raw = tmp_path / "data" / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for name in sources.IDX:
        (raw / f"{name}-ubyte.gz").write_bytes(name.encode())
    source = {"source": "mnist", "root": str(tmp_path / "data")}
    done = Results(edited({("datasets", "mnist", "data"): source}), tmp_path)
    prepare = Job("prepare", "mnist")
    assert freshness.EXTERNAL in read_json(manifest(done.layout, prepare))["inputs"]
    assert done.stale() == {}
    path = raw / f"{sources.IDX[0]}-ubyte.gz"
    old = path.read_bytes()
    path.write_bytes(old[::-1])
    found = done.stale()
    assert found.pop(prepare) == "what it reads has changed"
    assert set(found) == done.below(prepare)
    path.write_bytes(old)
    assert done.stale() == {}
    path.unlink()
    assert done.stale()[prepare] == "what it reads has changed"


def test_a_checkpoint_counts_by_its_content_alone(edited, tmp_path: Path) -> None:
    path = tmp_path / "here" / "clean.pth"
    path.parent.mkdir()
    path.write_bytes(b"weights")
    section = {"architecture": "resnet18", "checkpoint": str(path)}
    place = (*S, "classifiers", "clean")
    done = Results(edited({place: section}), tmp_path)
    read = read_json(manifest(done.layout, CLEAN))["inputs"]
    assert read[f"{freshness.EXTERNAL}: checkpoint"] == sha256(path)
    assert done.stale() == {}
    path.write_bytes(b"others.")  # of the same name and size
    found = done.stale()
    assert found.pop(CLEAN) == "what it reads has changed"
    assert set(found) == done.below(CLEAN)
    path.write_bytes(b"weights")
    assert done.stale() == {}
    moved = tmp_path / "there" / "best.bin"
    moved.parent.mkdir()
    path.rename(moved)
    assert done.stale(edited({place: section | {"checkpoint": str(moved)}})) == {}
    assert done.stale()[CLEAN] == "what it reads has changed"  # it is not there any more


def test_a_checkpoint_counts_by_the_content_of_each_file(edited, tmp_path: Path) -> None:
    here = tmp_path / "here"
    write_checkpoint(here)

    def config(folder: Path):
        section = {"checkpoint": str(folder), "prediction": "eps"}
        return edited({("datasets", BALLS, "denoiser"): section})

    done, adopts = Results(config(here), tmp_path), Job("train_denoiser", BALLS)
    inputs = read_json(manifest(done.layout, adopts))["inputs"]
    known = {key: value for key, value in inputs.items() if key.startswith(freshness.EXTERNAL)}
    assert known == {
        f"{freshness.EXTERNAL}: {name}": sha256(here / name)
        for name in (
            "unet/config.json",
            "unet/diffusion_pytorch_model.safetensors",
            "scheduler/scheduler_config.json",
        )
    }
    assert done.stale() == {}
    # moved, it is the same
    here.rename(tmp_path / "there")
    moved = config(tmp_path / "there")
    assert done.stale(moved) == {}
    assert done.stale()[adopts] == "what it reads has changed"
    # other weights of the same name and size
    path = tmp_path / "there/unet/diffusion_pytorch_model.safetensors"
    size = path.stat().st_size
    write_checkpoint(tmp_path / "there", seed=1)
    assert path.stat().st_size == size
    found = done.stale(moved)
    assert found.pop(adopts) == "what it reads has changed"
    assert set(found) == done.below(adopts)


def test_a_users_edited_method_makes_its_jobs_stale(edited, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    module = tmp_path / "mine_for_fresh.py"
    module.write_text("class Mine:\n    size = 1\n")
    setup = {
        "guidance": "classifier",
        "classifier": "clean",
        "scales": [1],
        "stabilizer": {"name": "mine_for_fresh:Mine"},
    }
    setups = {"unguided": {}, "mine": setup}
    done = Results(edited({(*S, "setups"): setups}), tmp_path)
    module.write_text("# why\nclass Mine:\n    size = 1\n")
    assert done.stale() == {}
    module.write_text("class Mine:\n    size = 2\n")
    found = done.stale()
    samples = {job for job in jobs(done.config) if job.stage == "sample" and job.dataset == BALLS}
    assert set(found) == samples | done.below(*samples)
    assert all("code: " in found[job] for job in samples)


def test_an_unknown_stage_is_refused(done: Results) -> None:
    """A stage that nothing is known of would be fresh for ever."""
    for what in (
        lambda job: listing.spec(done.config, job),
        lambda job: inputs(done.config, job),
        lambda job: manifest(done.layout, job),
    ):
        with pytest.raises((KeyError, ValueError)):
            what(Job("smaple", BALLS))


def test_what_a_job_reads_is_known_before_it_runs(done: Results) -> None:
    found = freshness.read(done.config, done.layout, SAMPLE)
    names = {
        str(manifest(done.layout, job).relative_to(done.layout.root))
        for job in inputs(done.config, SAMPLE)
    }
    assert set(found) == names
    manifest(done.layout, CLEAN).unlink()
    with pytest.raises(UserError, match=r"clean/manifest\.json: missing"):
        freshness.read(done.config, done.layout, SAMPLE)


def test_differences_name_the_keys() -> None:
    old = {"classifier": {"learning_rate": 0.002, "steps": 3}, "cells": [1, 2]}
    new = {"classifier": {"learning_rate": 0.001, "steps": 3}, "cells": [1, 2, 3]}
    assert differences(old, new) == [
        "classifier.learning_rate: 0.002 -> 0.001",
        "cells: [1,2] -> [1,2,3]",
    ]
    assert differences(old, old) == []
    assert differences({"a": "x" * 100}, {"a": "y"}) == ["a"]
    assert differences([1, {"b": 2}], [1, {"b": 3}]) == ["[1].b: 2 -> 3"]


def test_code_is_listed_shortly() -> None:
    assert listed(("a", "b")) == "the code of a, b"
    assert listed(("a", "b", "c", "d", "e")) == "the code of a, b, c and 2 more"


@pytest.fixture
def cell(tmp_path: Path) -> Path:
    path = tmp_path / "smoke" / "cell.npz"
    path.parent.mkdir()
    path.write_bytes(b"images")
    remember(path, "key", path.parent, {"base.seeds:derive"}, {"seconds": [1.5]})
    return path


def test_a_finished_cell_stands_with_the_functions_behind_it(cell: Path) -> None:
    assert "base.seeds:derive" in (standing(cell, "key", cell.parent) or set())
    assert standing(cell, "another key", cell.parent) is None
    assert standing(cell.with_name("other.npz"), "key", cell.parent) is None


DAMAGES: dict[str, Callable[[Path], object]] = {
    "lost": lambda cell: cell.unlink(),
    "truncated": lambda cell: cell.write_bytes(b"image"),
    "edited": lambda cell: cell.write_bytes(b"IMAGES"),
    "no sidecar": lambda cell: sidecar(cell).unlink(),
    "torn sidecar": lambda cell: sidecar(cell).write_text("{"),
    "foreign sidecar": lambda cell: sidecar(cell).write_text("[]"),
    "old sidecar": lambda cell: sidecar(cell).write_text('{"key": "key"}'),
    "no code": lambda cell: shutil.rmtree(cell.parent / code.FOLDER),
    "an edited cost": lambda cell: sidecar(cell).write_text(
        sidecar(cell).read_text().replace("1.5", "1.4")
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_cell_does_not_stand(damage: str, cell: Path) -> None:
    DAMAGES[damage](cell)
    code.forget()
    assert standing(cell, "key", cell.parent) is None
    # of an edit of the same size only the content says so
    assert (where(cell, "key", cell.parent, whole=False) is None) == (damage != "edited")


def test_a_cell_of_other_code_does_not_stand(cell: Path) -> None:
    older = {"base.seeds:derive": "0" * 16}
    write_json(cell.parent / code.FOLDER / f"{digest_of(older)[:16]}.json", older)
    seal(sidecar(cell), read_manifest(sidecar(cell)) | {"code": digest_of(older)[:16]})
    assert standing(cell, "key", cell.parent) is None
