"""Every job of an experiment: what it reads, where it writes, and in which order they come."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from guidebench import workload
from guidebench.pipeline.experiment.config import Config
from guidebench.pipeline.records.artifacts import MANIFEST, PROVENANCE
from guidebench.pipeline.records.events import events_path
from guidebench.workload import REAL


class Layout:
    """Where everything of an experiment lies below `results/<name>`."""

    def __init__(self, results: Path, name: str) -> None:
        self.root = results / name
        self.tables = self.root / "tables"
        self.pictures = self.root / "pictures"
        self.figures = self.root / "figures"
        self.findings = self.root / "findings.json"
        self.report = self.root / "report.html"

    def data(self, dataset: str) -> Path:
        """Prepared images."""
        return self.root / dataset / "data"

    def denoiser(self, dataset: str) -> Path:
        """The trained denoiser, in diffusers' layout."""
        return self.root / dataset / "denoiser"

    def classifier(self, dataset: str, classifier: str) -> Path:
        """A trained classifier."""
        return self.root / dataset / "classifiers" / classifier

    def sensitivity(self, dataset: str, classifier: str) -> Path:
        """The sensitivity tables of one classifier."""
        return self.root / dataset / "sensitivity" / classifier

    def samples(self, dataset: str) -> Path:
        """Samples per cell and block."""
        return self.root / dataset / "samples"

    def features(self, dataset: str) -> Path:
        """Features per cell and block."""
        return self.root / dataset / "features"

    def truth(self, world: str) -> Path:
        """How far a world's samples are from the truth."""
        return self.root / world / "truth"

    def metrics(self, dataset: str) -> Path:
        """Metric tables."""
        return self.root / dataset / "metrics"

    def block_manifest(self, folder: Path, block: str) -> Path:
        """The manifest of one block's files in `samples` or `features`."""
        return folder / "manifests" / f"{block}.json"

    def events(self, stage: str, job: str) -> Path:
        """The event stream of a job."""
        return events_path(self.root, stage, job)

    def resume(self, stage: str, job: str, key: str) -> Path:
        """Where an unfinished training stands."""
        return self.root / ".resume" / f"{stage}-{job}-{key[:16]}.pt"


class Job(NamedTuple):
    """One execution of a stage; empty strings where a stage has no such wildcard."""

    stage: str
    dataset: str = ""
    classifier: str = ""
    block: str = ""

    @property
    def name(self) -> str:
        """`sportballs.clean`; the stage's name for stages over all data sets."""
        return ".".join(filter(None, self[1:])) or "all"


def manifest(layout: Layout, job: Job) -> Path:
    """The manifest that a job declares as its output."""
    stage = job.stage
    if stage in ("sample", "features"):
        return layout.block_manifest(folder(layout, job), job.block)
    apart = {"collect": layout.tables, "findings": layout.root / "findings",
             "plots": layout.root / "plots", "report": layout.root / "report"}  # fmt: skip
    return apart.get(stage, folder(layout, job)) / MANIFEST


def folder(layout: Layout, job: Job) -> Path:
    """The folder below which the files of a job's manifest lie."""
    places = {
        "prepare": layout.data,
        "train_denoiser": layout.denoiser,
        "sample": layout.samples,
        "features": layout.features,
        "metrics": layout.metrics,
        "ground_truth": layout.truth,
    }
    over = {"collect": layout.root, "findings": layout.root, "plots": layout.figures,
            "report": layout.root}  # fmt: skip
    if job.stage in places:
        return places[job.stage](job.dataset)
    if job.stage in ("train_classifier", "sensitivity"):
        place = layout.classifier if job.stage == "train_classifier" else layout.sensitivity
        return place(job.dataset, job.classifier)
    return over[job.stage]


def provenance(layout: Layout, job: Job) -> Path:
    """What a finished job says of itself, beside its manifest."""
    path = manifest(layout, job)
    return path.with_name(f"{job.block}.{PROVENANCE}" if job.block else PROVENANCE)


def owned(layout: Layout, job: Job) -> list[Path]:
    """The folders that hold the files of this job and no others; none for cells of many blocks."""
    if job.stage == "collect":
        return [layout.tables, layout.pictures]
    if job.stage == "features" and job.block == REAL:
        return [layout.features(job.dataset) / REAL]
    if job.stage in ("sample", "features", "findings", "report"):
        return []
    return [folder(layout, job)]


def inputs(config: Config, job: Job) -> list[Job]:
    """The jobs whose results a job reads; nothing else of an experiment's folder may be read."""
    stage, dataset = job.stage, job.dataset
    if stage in ("prepare", "ground_truth"):
        return []
    if stage in ("collect", "report"):
        later = (*LAST, "report") if stage == "collect" else ("report",)
        return [other for other in jobs(config) if other.stage not in later]
    if stage in ("findings", "plots"):
        return [Job("collect")]
    data, denoiser = Job("prepare", dataset), Job("train_denoiser", dataset)
    if stage in ("train_denoiser", "train_classifier"):
        return [data]
    if stage == "sensitivity":
        return [data, denoiser, Job("train_classifier", dataset, job.classifier)]
    if stage == "sample":
        guides = workload.used_guides(config, dataset)
        return [data, denoiser, *(Job("train_classifier", dataset, name) for name in guides)]
    if stage == "features":
        source = data if job.block == REAL else Job("sample", dataset, block=job.block)
        every = config.datasets[dataset].classifiers
        return [source, *(Job("train_classifier", dataset, name) for name in every)]
    if stage == "metrics":
        blocks = [part.name for part in workload.scored(config, dataset)]
        return [*(Job("features", dataset, block=name) for name in [REAL, *blocks]),
                *(Job("sample", dataset, block=name) for name in blocks)]  # fmt: skip
    raise ValueError(f"{stage}: no stage of that name")


LAST = ("collect", "findings", "plots")


def jobs(config: Config) -> Iterator[Job]:
    """Every job of the experiment, in an order that respects dependencies."""
    for dataset, options in config.datasets.items():
        yield Job("prepare", dataset)
        yield Job("train_denoiser", dataset)
        for classifier in options.classifiers:
            yield Job("train_classifier", dataset, classifier)
        for classifier in workload.guides(config, dataset):
            yield Job("sensitivity", dataset, classifier)
        for part in workload.blocks(config, dataset):
            yield Job("sample", dataset, block=part.name)
        for name in [REAL, *(part.name for part in workload.scored(config, dataset))]:
            yield Job("features", dataset, block=name)
        yield Job("metrics", dataset)
    for world in config.worlds:
        yield Job("ground_truth", world)
    for stage in (*LAST, "report"):
        yield Job(stage)
