"""Which jobs come first."""

import pytest

from guidebench.pipeline.experiment.reading import load
from guidebench.pipeline.jobs.layout import Job
from guidebench.pipeline.jobs.listing import inputs, jobs, seconds
from guidebench.pipeline.jobs.rates import stated
from guidebench.pipeline.plan.schedule import FIRST, RANKS, Task, makespan, priorities


@pytest.fixture
def config(repository, monkeypatch):
    monkeypatch.chdir(repository)
    return load("config.yaml", [])


def tasks(config, ranks):
    rates = stated(config, [])
    return [
        Task(job, seconds(config, job, rates), inputs(config, job), ranks[job])
        for job in jobs(config)
    ]


def test_what_the_first_numbers_need_goes_ahead(config) -> None:
    ranks = priorities(config)
    ahead = {job for job, rank in ranks.items() if rank >= FIRST}
    assert {job.dataset for job in ahead} == {"mnist"}  # the cheapest
    assert {job for job in ahead if job.stage in ("sample", "features", "sensitivity")} == {
        Job("sample", "mnist", block="selection-0"),
        Job("features", "mnist", block="selection-0"),
        Job("features", "mnist", block="real"),
        Job("sensitivity", "mnist", "clean"),
        Job("sensitivity", "mnist", "noise_trained"),
    }
    for job in ahead:
        assert ahead.issuperset(inputs(config, job))
    assert set(ranks) == set(jobs(config))
    assert ranks[Job("prepare", "sportballs")] == RANKS["prepare"]


@pytest.mark.parametrize("workers", [1, 2, 3, 4, 8])
def test_that_costs_the_whole_run_little_time(config, workers) -> None:
    """Beside the same stages first, but data sets side by side; more cores are never that near."""
    first = makespan(tasks(config, priorities(config)), workers)
    by_stage = {job: RANKS.get(job.stage, 0) for job in jobs(config)}
    assert first < 1.15 * makespan(tasks(config, by_stage), workers)
    assert workers != 2 or first < 1.02 * makespan(tasks(config, by_stage), workers)


def test_a_preview_has_numbers_early_in_the_default_run(config) -> None:
    ranks = priorities(config)
    every = tasks(config, ranks)
    ahead = [task for task in every if ranks[task.job] >= FIRST]
    numbers = [task for task in ahead if task.job.stage != "sensitivity"]
    # 26 %: the rest has become shorter than what MNIST's denoiser, the first of all, takes
    assert makespan(numbers, 2) < 0.27 * makespan(every, 2)
