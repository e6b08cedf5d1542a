"""What one experiment has done is not done again for another: what is found, and what is taken."""

import json
import os
import shutil
from pathlib import Path

import pytest
from finished_jobs import Results

from guidebench.pipeline.jobs import check, freshness, sharing
from guidebench.pipeline.jobs.layout import Job, Layout
from guidebench.pipeline.jobs.listing import inputs, jobs, manifest, provenance
from guidebench.pipeline.jobs.sharing import survey, take_over
from guidebench.pipeline.jobs.stages import FOLLOWING
from guidebench.pipeline.records import code
from guidebench.pipeline.records.artifacts import digest_of, read_json, read_manifest, write_json
from guidebench.pipeline.records.finished_cells import sidecar

BALLS = "sportballs"
CLEAN = Job("train_classifier", BALLS, "clean")
DENOISER = Job("train_denoiser", BALLS)
SAMPLE = Job("sample", BALLS, block="evaluation-0")
SCALES = ("datasets", BALLS, "setups", "clean/raw", "scales")


@pytest.fixture
def other(edited, tmp_path: Path) -> Results:
    """A finished experiment beside the one that is asked for."""
    return Results(edited({}), tmp_path, "other")


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path / "results", "smoke")


@pytest.fixture
def last(other: Results) -> set[Job]:
    """The jobs about the whole of an experiment."""
    return {job for job in jobs(other.config) if job.stage in FOLLOWING}


def files(layout: Layout) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in layout.root.rglob("*") if path.is_file()}


def replaced_at(number: int, error: BaseException, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process ends at the `number`-th file that it puts in its place."""
    replace, count = os.replace, 0

    def counted(*arguments) -> None:
        nonlocal count
        count += 1
        if count == number:
            raise error
        replace(*arguments)

    monkeypatch.setattr(os, "replace", counted)


def test_what_another_experiment_has_is_taken_over(other: Results, layout: Layout, last) -> None:
    before = files(other.layout)
    every = set(jobs(other.config))
    found = survey(other.config, layout)
    assert set(found.stale) == last  # which name the experiment
    assert set(found.taken) == every - last
    assert not layout.root.exists()
    took = take_over(other.config, layout)
    assert (took.stale, list(took.taken)) == (found.stale, list(found.taken))
    assert files(other.layout) == before
    assert set(freshness.stale(other.config, layout)) == last
    assert list(check.problems(other.config, layout, every - last)) == []
    again = survey(other.config, layout)
    assert (set(again.stale), again.taken) == (last, {})
    assert {job: again.contents[job] for job in found.taken} == {
        job: found.contents[job] for job in found.taken
    }
    # the same files, by another name
    for job in every - last:
        path = other.file(job)
        assert path.samefile(layout.root / path.relative_to(other.layout.root))
        assert manifest(layout, job).read_bytes() == manifest(other.layout, job).read_bytes()
    shutil.rmtree(other.layout.root)
    code.forget()
    assert list(check.problems(other.config, layout, every - last)) == []


def test_provenance_and_events_say_from_where(other: Results, layout: Layout) -> None:
    take_over(other.config, layout)
    said = read_manifest(provenance(layout, CLEAN))
    assert said == read_manifest(provenance(other.layout, CLEAN)) | {"taken_from": ["other"]}
    lines = layout.events(CLEAN.stage, CLEAN.name).read_text().splitlines()
    start, end = map(json.loads, lines)
    assert start["tags"]["taken_from"] == "other"
    assert end["status"] == "FINISHED"
    # and through which experiments it came
    shutil.rmtree(other.layout.root)
    third = Layout(layout.root.parent, "third")
    take_over(other.config, third)
    assert read_manifest(provenance(third, CLEAN))["taken_from"] == ["other", "smoke"]


def test_it_is_told_in_a_line_for_each_experiment(other: Results, layout: Layout) -> None:
    source, third = sharing.Source(other.layout, {}), Layout(layout.root.parent, "third")
    taken = {CLEAN: source, DENOISER: source, SAMPLE: sharing.Source(third, {})}
    assert sharing.told(taken) == [
        "taken from other: train_classifier 1, train_denoiser 1",
        "taken from third: sample 1",
    ]


def test_one_more_scale_costs_what_reads_it(other: Results, layout: Layout, edited) -> None:
    config = edited({SCALES: [1, 3, 10]})
    blocks = {job for job in jobs(config) if job.stage == "sample" and job.dataset == BALLS}
    found = take_over(config, layout)
    stages = {"features": 2, "metrics": 1}
    assert set(found.stale) == blocks | other.below(*blocks)
    assert {stage: sum(job.stage == stage for job in found.stale) for stage in stages} == stages
    assert len(found.taken) == len(list(jobs(config))) - len(found.stale)


def test_another_slice_takes_nothing_of_it(other: Results, layout: Layout, edited) -> None:
    config = edited({("datasets", BALLS, "classifiers", "clean", "learning_rate"): 0.5})
    found = survey(config, layout)
    assert set(found.stale) == {CLEAN} | other.below(CLEAN)


def test_other_code_takes_nothing_of_it(other: Results, layout: Layout) -> None:
    record = code.kept(other.layout.root, read_json(manifest(other.layout, CLEAN))["code"])
    older = record | {"base.seeds:derive": "0" * 16}
    name = digest_of(older)[:16]
    write_json(other.layout.root / code.FOLDER / f"{name}.json", older)
    other.changes(CLEAN, code=name)
    assert set(survey(other.config, layout).stale) == {CLEAN} | other.below(CLEAN)


def test_other_content_takes_nothing_that_read_the_old(other: Results, layout: Layout) -> None:
    """The other experiment stopped after a new training: its samples are of the old one."""
    other.finish(DENOISER, b"new weights")
    found = survey(other.config, layout)
    assert DENOISER in found.taken
    assert set(found.stale) == other.below(DENOISER)


def test_an_interrupted_job_of_another_experiment_is_none(other: Results, layout: Layout) -> None:
    manifest(other.layout, CLEAN).unlink()
    assert set(survey(other.config, layout).stale) == {CLEAN} | other.below(CLEAN)


@pytest.mark.parametrize("content", [b"CONTENT", b"conten", b""])
def test_a_damaged_file_is_left_where_it_is(
    content: bytes, other: Results, layout: Layout, caplog
) -> None:
    other.file(CLEAN).write_bytes(content)
    found = take_over(other.config, layout)
    assert set(found.stale) == {CLEAN} | other.below(CLEAN)
    assert not manifest(layout, CLEAN).exists()
    if content == b"CONTENT":  # of the same size: found when it is read
        assert CLEAN in survey(other.config, layout).taken
        assert f"not taken from other ({other.file(CLEAN)}: truncated or edited" in caplog.text
    assert set(freshness.stale(other.config, layout)) == set(found.stale)


@pytest.mark.parametrize("damage", ["manifest", "code", "provenance", "sidecar"])
def test_a_damaged_record_is_no_result(damage: str, other: Results, layout: Layout) -> None:
    path = {
        "manifest": manifest(other.layout, SAMPLE),
        "provenance": provenance(other.layout, SAMPLE),
        "code": other.layout.root
        / code.FOLDER
        / f"{read_json(manifest(other.layout, SAMPLE))['code']}.json",
        "sidecar": sidecar(other.file(SAMPLE)),
    }[damage]
    path.write_text("{}")
    code.forget()
    assert SAMPLE in take_over(other.config, layout).stale


def test_of_two_experiments_the_one_that_is_whole_is_taken(
    other: Results, layout: Layout, last, tmp_path: Path
) -> None:
    third = Results(other.config, tmp_path, "third")
    other.file(CLEAN).write_bytes(b"CONTENT")
    found = take_over(other.config, layout)
    assert set(found.stale) == last
    assert found.taken[CLEAN].layout.root == third.layout.root
    assert found.taken[DENOISER].layout.root == other.layout.root


def test_what_stands_here_stays(other: Results, edited, tmp_path: Path) -> None:
    here = Results(other.config, tmp_path)
    manifest(here.layout, CLEAN).unlink()
    found = take_over(other.config, here.layout)
    assert (found.stale, set(found.taken)) == ({}, {CLEAN})
    assert here.file(CLEAN).samefile(other.file(CLEAN))
    assert not here.file(DENOISER).samefile(other.file(DENOISER))


def test_files_that_are_no_results_go(other: Results, layout: Layout) -> None:
    stray = layout.classifier(BALLS, "clean") / "old.safetensors"
    stray.parent.mkdir(parents=True)
    stray.write_text("of an earlier run")
    take_over(other.config, layout)
    assert not stray.exists()


@pytest.mark.parametrize("number", [1, 2, 3, 4, 5, 40])
def test_a_killed_run_goes_on(
    number: int, other: Results, layout: Layout, last, monkeypatch
) -> None:
    before = files(other.layout)
    with monkeypatch.context() as patched:
        replaced_at(number, KeyboardInterrupt(), patched)
        with pytest.raises(KeyboardInterrupt):
            take_over(other.config, layout)
    # what has a manifest is whole
    whole = [job for job in jobs(other.config) if manifest(layout, job).exists()]
    assert list(check.problems(other.config, layout, whole)) == []
    assert set(take_over(other.config, layout).stale) == last
    assert files(other.layout) == before


def test_a_full_disk_takes_nothing_and_says_so(
    other: Results, layout: Layout, monkeypatch, caplog
) -> None:
    with monkeypatch.context() as patched:
        replaced_at(2, OSError(28, "No space left on device"), patched)
        found = take_over(other.config, layout)
    first = Job("prepare", BALLS)
    assert set(found.stale) == {first} | other.below(first)
    assert "prepare sportballs: not taken from other ([Errno 28] No space left" in caplog.text


def test_inputs_of_the_whole_experiment_never_name_it(other: Results, last) -> None:
    """Else nothing would be shared."""
    for job in set(jobs(other.config)) - last:
        assert other.layout.root.name not in json.dumps(
            [
                *read_json(manifest(other.layout, job))["inputs"],
                [j.name for j in inputs(other.config, job)],
            ]
        )
