"""Every job of an experiment, in order, and where it writes."""

from itertools import pairwise

import pytest

from guidebench.pipeline.jobs.layout import Job, Layout
from guidebench.pipeline.jobs.listing import (
    folder,
    inputs,
    jobs,
    manifest,
    owned,
    provenance,
    seconds,
)
from guidebench.pipeline.jobs.rates import assumed

BALLS = "sportballs"
S = ("datasets", BALLS)
GUIDED = {"guidance": "classifier", "classifier": "clean", "scales": [1]}


def test_jobs_come_after_the_jobs_that_they_need(edited):
    config = edited({})
    every = list(jobs(config))
    assert len(every) == len(set(every))
    stages = [job.stage for job in every if job.dataset == BALLS]
    order = ["prepare", "train_denoiser", "train_classifier", "sensitivity", "sample", "features"]
    order += ["metrics", "plots"]
    assert list(dict.fromkeys(stages)) == order
    assert all(order.index(a) <= order.index(b) for a, b in pairwise(stages))
    last = ["collect", "findings", "plots", "plots", "plots", "report"]
    assert [job.stage for job in every[-6:]] == last
    assert [job.name for job in every[-4:]] == [BALLS, "mnist", "two", "all"]
    for number, job in enumerate(every):
        assert set(inputs(config, job)) <= set(every[:number])
    assert Job("sensitivity", BALLS, "judge") not in every
    assert Job("features", BALLS, block="real") in every
    assert Job("sample", BALLS, block="real") not in every
    assert Job("sample", BALLS, block="evaluation-0").name == "sportballs.evaluation-0"
    assert Job("collect").name == "all"


def test_longer_work_costs_more(edited):
    short, long = edited({}), edited({(*S, "denoiser", "steps"): 400})
    job = Job("train_denoiser", BALLS)
    before, after = (seconds(c, job, {BALLS: assumed(c, BALLS)}) for c in (short, long))
    assert after > before


def test_every_path_of_an_experiment_is_below_its_folder(tmp_path):
    layout = Layout(tmp_path, "toy")
    paths = [
        layout.data("a"),
        layout.denoiser("a"),
        layout.classifier("a", "clean"),
        layout.sensitivity("a", "clean"),
        layout.samples("a"),
        layout.features("a"),
        layout.metrics("a"),
        layout.tables,
        layout.pictures,
        layout.figures,
        layout.findings,
        layout.report,
        layout.events("sample", "a"),
        layout.resume("sample", "a", "f" * 64),
        layout.block_manifest(layout.samples("a"), "evaluation-0"),
    ]
    assert len(set(paths)) == len(paths)
    assert all(path.is_relative_to(tmp_path / "toy") for path in paths)


def test_no_two_jobs_write_the_same_files(edited, tmp_path):
    config, layout = edited({}), Layout(tmp_path, "toy")
    every = list(jobs(config))
    for where in (manifest, provenance):
        assert len({where(layout, job) for job in every}) == len(every)
    places = [place for job in every for place in owned(layout, job)]
    assert len(set(places)) == len(places)
    for place in places:
        assert not any(other.is_relative_to(place) for other in places if other != place)
    for job in every:
        # what a job tidies away there is not another's manifest
        others = [
            where(layout, other)
            for other in every
            for where in (manifest, provenance)
            if other != job
        ]
        for place in owned(layout, job):
            assert not any(path.is_relative_to(place) for path in others), job
        assert folder(layout, job).is_relative_to(layout.root)


def test_a_job_reads_the_classifiers_that_it_uses(edited):
    config = edited({(*S, "setups"): {"unguided": {}, "clean/raw": GUIDED}})
    read = inputs(config, Job("sample", BALLS, block="evaluation-0"))
    assert {job.classifier for job in read if job.stage == "train_classifier"} == {"clean"}
    assert inputs(config, Job("prepare", BALLS)) == []
    every = {job for job in jobs(config) if job.stage not in ("findings", "plots", "report")}
    assert set(inputs(config, Job("collect"))) == every - {Job("collect")}
    assert set(inputs(config, Job("report"))) == set(jobs(config)) - {Job("report")}
    with pytest.raises(KeyError, match="smaple"):
        inputs(config, Job("smaple", BALLS))
