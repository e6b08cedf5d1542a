"""One record per stage: from it come sub-command, jobs, paths, inputs, slice of the config, cost.

A new stage is a record here, a rule in `workflow/rules/`, and a module in `stages/`.
"""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple

from guidebench import workload
from guidebench.pipeline.experiment.config import Config
from guidebench.pipeline.jobs import cost_model, slices
from guidebench.pipeline.jobs.layout import Job, Layout
from guidebench.pipeline.jobs.rates import Rates
from guidebench.workload import REAL


def once(config: Config, name: str) -> list[tuple[str, ...]]:
    """One job of a data set, a world or the experiment."""
    return [()]


def whole_folder(layout: Layout, job: Job) -> list[Path]:
    """The job's folder holds its files and no others."""
    return [STAGES[job.stage].folder(layout, job)]


class Record(NamedTuple):
    """What is known of a stage before it runs."""

    text: str  # what it does, for --help
    folder: Callable[[Layout, Job], Path]  # below which its files lie
    # the jobs that it reads, or the stages of which it reads none, and of all others every job
    reads: Callable[[Config, Job], list[Job] | tuple[str, ...]]
    slice: Callable[[Config, Job], dict[str, Any]]  # keys of the config that its results follow
    seconds: Callable[[Config, Job, Mapping[str, Rates]], float]
    # what there is a job for; `section`: a part of the report, of a data set or world
    scope: Literal["dataset", "world", "experiment", "section", "report"] = "dataset"
    parts: Callable[[Config, str], list[tuple[str, ...]]] = once  # classifier and block of its jobs
    wildcards: tuple[str, ...] = ("dataset",)  # of its rule; options of its sub-command
    beside: str = ""  # the folder of the experiment for manifests that are not with the files
    owned: Callable[[Layout, Job], list[Path]] = whole_folder  # folders for its files alone
    network: bool = False  # runs one: on a GPU where there is one


def _data(job: Job) -> Job:
    return Job("prepare", job.dataset)


def _denoiser(job: Job) -> Job:
    return Job("train_denoiser", job.dataset)


def _classifiers(job: Job, names: list[str]) -> list[Job]:
    return [Job("train_classifier", job.dataset, name) for name in names]


def _samples_read(config: Config, job: Job) -> list[Job]:
    guides = workload.used_guides(config, job.dataset)
    finals = workload.finals(config, job.dataset, job.block)
    decided = [Job("finalists", job.dataset)] if finals else []
    return [_data(job), _denoiser(job), *_classifiers(job, guides), *decided]


def _features_read(config: Config, job: Job) -> list[Job]:
    source = _data(job) if job.block == REAL else job._replace(stage="sample")
    return [source, *_classifiers(job, list(config.datasets[job.dataset].classifiers))]


def first_scored(config: Config, dataset: str) -> list[Job]:
    """The features of a data set's first numbers: of real images, and on the selection seeds."""
    selection = [b.name for b in workload.scored(config, dataset) if b.split == "selection"]
    return [Job("features", dataset, block=name) for name in [REAL, *selection]]


def _attributes_read(config: Config, job: Job) -> list[Job]:
    blocks = [block.name for block in workload.evaluated(config, job.dataset)]
    return [_data(job), *(Job("sample", job.dataset, block=name) for name in blocks)]


def _metrics_read(config: Config, job: Job) -> list[Job]:
    blocks = [block.name for block in workload.scored(config, job.dataset)]
    return [
        *(Job("features", job.dataset, block=name) for name in [REAL, *blocks]),
        *(Job("sample", job.dataset, block=name) for name in blocks),
        *([_data(job)] if workload.images_scored(config) else []),
    ]


def _nothing_more(config: Config, job: Job) -> dict[str, Any]:
    """Tables, findings and figures alone decide."""
    return {}


FOLLOWING = ("collect", "findings", "plots", "report")
# over all data sets
_Last = partial(Record, scope="experiment", wildcards=())

STAGES = {
    "prepare": Record(
        "draw or read a data set",
        folder=lambda layout, job: layout.data(job.dataset),
        reads=lambda config, job: [],
        slice=slices.prepare,
        seconds=cost_model.prepare,
    ),
    "train_denoiser": Record(
        "train a data set's denoiser",
        folder=lambda layout, job: layout.denoiser(job.dataset),
        reads=lambda config, job: [_data(job)],
        slice=slices.train_denoiser,
        seconds=cost_model.train_denoiser,
        network=True,
    ),
    "train_classifier": Record(
        "train one classifier, or read one that somebody else trained",
        folder=lambda layout, job: layout.classifier(job.dataset, job.classifier),
        reads=lambda config, job: [_data(job)],
        slice=slices.train_classifier,
        seconds=cost_model.train_classifier,
        parts=lambda config, name: [(key,) for key in config.datasets[name].classifiers],
        wildcards=("dataset", "classifier"),
        network=True,
    ),
    "sensitivity": Record(
        "analyse a classifier along the forward process",
        folder=lambda layout, job: layout.sensitivity(job.dataset, job.classifier),
        reads=lambda config, job: [
            _data(job),
            _denoiser(job),
            *_classifiers(job, [job.classifier]),
        ],
        slice=slices.sensitivity,
        seconds=cost_model.sensitivity,
        parts=lambda config, name: [(guide,) for guide in workload.guides(config, name)],
        wildcards=("dataset", "classifier"),
        network=True,
    ),
    "sample": Record(
        "sample the missing cells of a seed block",
        folder=lambda layout, job: layout.samples(job.dataset),
        reads=_samples_read,
        slice=slices.sample,
        seconds=cost_model.sample,
        parts=lambda config, name: [("", block.name) for block in workload.blocks(config, name)],
        wildcards=("dataset", "block"),
        owned=lambda layout, job: [],
        network=True,
    ),
    "features": Record(
        "extract features of a seed block, or of `real` images",
        folder=lambda layout, job: layout.features(job.dataset),
        reads=_features_read,
        slice=slices.features,
        seconds=cost_model.features,
        parts=lambda config, name: [
            ("", block) for block in (REAL, *(b.name for b in workload.scored(config, name)))
        ],
        wildcards=("dataset", "block"),
        owned=lambda layout, job: (
            [layout.features(job.dataset) / REAL] if job.block == REAL else []
        ),
        network=True,
    ),
    "finalists": Record(
        "choose the scales that are sampled on all evaluation seeds",
        folder=lambda layout, job: layout.finalists(job.dataset),
        reads=lambda config, job: first_scored(config, job.dataset),
        slice=slices.finalists,
        seconds=cost_model.metrics,
        parts=lambda config, name: [()] if workload.contested(config, name) else [],
    ),
    "attributes": Record(
        "read where the balls of samples lie, and how large they are",
        folder=lambda layout, job: layout.attributes(job.dataset),
        reads=_attributes_read,
        slice=slices.attributes,
        seconds=cost_model.attributes,
        parts=lambda config, name: [()] if config.datasets[name].attributes else [],
        network=True,
    ),
    "metrics": Record(
        "score every cell of a data set",
        folder=lambda layout, job: layout.metrics(job.dataset),
        reads=_metrics_read,
        slice=slices.metrics,
        seconds=cost_model.metrics,
    ),
    "ground_truth": Record(
        "compare guided samples of a Gaussian mixture with the truth",
        folder=lambda layout, job: layout.truth(job.dataset),
        reads=lambda config, job: [],
        slice=slices.ground_truth,
        seconds=cost_model.ground_truth,
        scope="world",
    ),
    "collect": _Last(
        "gather the tables and pictures",
        folder=lambda layout, job: layout.root,
        reads=lambda config, job: FOLLOWING,
        slice=lambda config, job: {"config": slices.effective(config)},
        seconds=cost_model.last,
        beside="tables",
        owned=lambda layout, job: [layout.tables, layout.pictures],
    ),
    "findings": _Last(
        "decide the paper's claims from the tables",
        folder=lambda layout, job: layout.root,
        reads=lambda config, job: [Job("collect")],
        slice=_nothing_more,
        seconds=cost_model.last,
        beside="findings",
        owned=lambda layout, job: [],
    ),
    "plots": Record(
        "draw the figures of a data set or a world",
        folder=lambda layout, job: layout.figures / job.dataset,
        reads=lambda config, job: [Job("collect")],
        slice=_nothing_more,
        seconds=cost_model.plots,
        scope="section",
        beside="plots",
    ),
    "report": Record(
        "write the HTML report",
        folder=lambda layout, job: layout.root,
        reads=lambda config, job: ("report",),
        slice=_nothing_more,
        seconds=cost_model.last,
        scope="report",
        wildcards=(),
        beside="report",
        owned=lambda layout, job: [],
    ),
}
