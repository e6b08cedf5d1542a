"""Gather the tables of all data sets, and the pictures that the report shows."""

import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from guidebench import workload
from guidebench.pipeline.experiment.config import Config
from guidebench.pipeline.experiment.sections import Classifier, Denoiser
from guidebench.pipeline.jobs.layout import Job, Layout
from guidebench.pipeline.jobs.listing import folder, inputs, jobs, provenance
from guidebench.pipeline.records.artifacts import atomic, environment, read_json, write_json
from guidebench.report.chosen import beside
from guidebench.report.columns import COLUMNS, joined
from guidebench.report.tables import Tables
from guidebench.stages.pictures import generated, pictures, pixels, shown
from guidebench.stages.stage import Stage
from guidebench.stages.summary import facts, parameters, summary

# times, memory and versions
MEASURED = ["cell_costs.parquet", "costs.parquet", "environment.json"]
TABLES = [
    *(f"{name}.parquet" for name in COLUMNS if name != "cell_costs"),
    *("results.csv", "summary.json"),
]


def run(stage: Stage) -> None:
    """Write the report's tables and pictures."""
    config, layout = stage.config, stage.layout
    metrics = [layout.metrics(dataset) for dataset in config.datasets]
    networks = [job for job in jobs(config) if job.stage == "train_classifier"]
    _check(stage)
    frames = {
        "results": _read([path / "metrics.parquet" for path in metrics]),
        "cell_costs": _read([path / "cost.parquet" for path in metrics]),
        "jackknife": _read([path / "jackknife.parquet" for path in metrics]),
        "reference_jackknife": _read([path / "reference_jackknife.parquet" for path in metrics]),
        "attributes": _read(
            layout.attributes(dataset) / "attributes.parquet"
            for dataset, options in config.datasets.items()
            if options.attributes
        ),
        "classifiers": [pd.DataFrame([classifier(config, layout, job) for job in networks])],
        "history": [history(layout, job) for job in trained(config)],
        "truth": _read([layout.truth(world) / "errors.parquet" for world in config.worlds]),
        "sensitivity": _read(
            layout.sensitivity(dataset, guide) / "sensitivity.parquet"
            for dataset in config.datasets
            for guide in workload.guides(config, dataset)
        ),
    }
    tables = {name: joined(name, rows) for name, rows in frames.items()}
    tables["costs"] = pd.DataFrame(_costs(stage))
    told = summary(
        config,
        {name: facts(config, layout, name, parameters(layout, name)) for name in config.datasets},
    )
    known = {name: frame for name, frame in tables.items() if name != "cell_costs"}
    found = Tables(**known, summary=told)
    drawn = {
        dataset: pictures(stage, dataset, beside(found, dataset)) for dataset in config.datasets
    }
    compared = [pixels(config, dataset, arrays) for dataset, arrays in drawn.items()]
    tables["pixels"] = joined("pixels", compared)
    for name, frame in tables.items():
        with atomic(layout.tables / f"{name}.parquet") as temporary:
            frame.to_parquet(temporary, index=False)
    with atomic(layout.tables / "results.csv") as temporary:
        tables["results"].to_csv(temporary, index=False)
    write_json(layout.tables / "summary.json", told)
    write_json(layout.tables / "environment.json", environment() | {"config_text": _text(config)})
    for dataset, arrays in drawn.items():
        with atomic(layout.pictures / f"{dataset}.npz") as temporary, open(temporary, "wb") as file:
            np.savez(file, **arrays)  # type: ignore[arg-type]
    for world in config.worlds:
        with atomic(layout.pictures / f"{world}.npz") as temporary:
            shutil.copyfile(layout.truth(world) / "pictures.npz", temporary)
    names = [f"pictures/{name}.npz" for name in [*config.datasets, *config.worlds]]
    stage.finish(
        [*(f"tables/{name}" for name in TABLES), *names], [f"tables/{name}" for name in MEASURED]
    )


def _check(stage: Stage) -> None:
    """Check the files that are read here: of samples those that are shown.

    Of features those of unguided samples that are shown.
    """
    for job in inputs(stage.config, stage.job):
        names = None
        if job.stage == "sample" and job.block not in shown(stage.config, job.dataset):
            names = []
        if job.stage == "features":
            cells = workload.cells(stage.config, job.dataset)
            unguided = [cell.path for cell in cells if cell.scale is None]
            judged = job.block in generated(stage.config, job.dataset)
            names = [f"{path}/{job.block}.npz" for path in unguided] if judged else []
        stage.use(*job, names=names)


def _read(paths: Iterable[Path]) -> list[pd.DataFrame]:
    return [pd.read_parquet(path) for path in paths]


def classifier(config: Config, layout: Layout, job: Job) -> dict[str, Any]:
    """The row of the table `classifiers` that a training, or a checkpoint, has."""
    section = config.datasets[job.dataset].classifiers[job.classifier]
    known = " (a checkpoint)" if section.checkpoint is not None else ""
    about = {"dataset": job.dataset, "classifier": job.classifier}
    about["architecture"] = section.architecture + known
    return about | read_json(layout.classifier(job.dataset, job.classifier) / "metrics.json")


def trained(config: Config) -> list[Job]:
    """The trainings, those of somebody else left out."""
    return [
        job
        for job in jobs(config)
        if (section := _network(config, job)) and section.checkpoint is None
    ]


def _network(config: Config, job: Job) -> Classifier | Denoiser | None:
    if job.stage == "train_denoiser":
        return config.datasets[job.dataset].denoiser
    if job.stage == "train_classifier":
        return config.datasets[job.dataset].classifiers[job.classifier]
    return None


def history(layout: Layout, job: Job) -> pd.DataFrame:
    """The rows of the table `history` that a training has."""
    return losses(pd.read_json(folder(layout, job) / "history.jsonl", lines=True), job)


def losses(table: pd.DataFrame, job: Job) -> pd.DataFrame:
    """A training's table of steps, a column for each quantity, as rows of the table `history`."""
    long = table.melt("step", var_name="quantity", value_name="value")
    return long.assign(dataset=job.dataset, model=job.classifier or "denoiser")


def _costs(stage: Stage) -> list[dict[str, Any]]:
    """What each job took when it last ran."""
    keys = ("stage", "dataset", "job", "seconds", "peak_memory_mib", "device")
    entries = [read_json(provenance(stage.layout, job)) for job in inputs(stage.config, stage.job)]
    return [{key: entry[key] for key in keys} for entry in entries]


def _text(config: Config) -> str:
    """The config as the report shows it; with the folders of this machine, so not in digests."""
    import yaml

    return str(yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, width=100))
