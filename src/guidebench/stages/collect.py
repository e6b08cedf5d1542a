"""Gather the tables of all data sets, and the pictures that the report shows."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from guidebench import workload
from guidebench.analysis.sampler import variance_ratios
from guidebench.base.choices import classes, target_name
from guidebench.data.store import read
from guidebench.diffusion.schedule import Schedule
from guidebench.metrics.own import facts
from guidebench.pipeline.experiment.config import Config, Dataset
from guidebench.pipeline.experiment.sections import Model, Setup
from guidebench.pipeline.experiment.world_section import World
from guidebench.pipeline.jobs.layout import Layout
from guidebench.pipeline.jobs.listing import inputs, provenance
from guidebench.pipeline.records.artifacts import (
    atomic,
    canonical,
    environment,
    read_json,
    write_json,
)
from guidebench.report.columns import joined
from guidebench.stages.pictures import pictures, pixels, shown
from guidebench.stages.stage import Stage

TABLES = [
    "results.parquet",
    "results.csv",
    "jackknife.parquet",
    "reference_jackknife.parquet",
    "pixels.parquet",
    "sensitivity.parquet",
    "classifiers.parquet",
    "history.parquet",
    "truth.parquet",
    "summary.json",
]
# times, memory and versions
MEASURED = ["cell_costs.parquet", "costs.parquet", "environment.json"]

# by which claims know guidance; its scales are no property of it
CLAIMED = {"guidance", "classifier", "input", "stabilizer", "name", "beta", "scales"}
DEVIATIONS = [0.1, 0.3, 0.55, 1.0]  # of the Gaussians on which the sampler alone is tried


def run(stage: Stage) -> None:
    """Write the report's tables and pictures."""
    config, layout = stage.config, stage.layout
    folder = layout.tables
    metrics = [layout.metrics(dataset) for dataset in config.datasets]
    _check(stage)
    drawn = {dataset: pictures(stage, dataset) for dataset in config.datasets}
    frames = {
        "results": _read([path / "metrics.parquet" for path in metrics]),
        "cell_costs": _read([path / "cost.parquet" for path in metrics]),
        "jackknife": _read([path / "jackknife.parquet" for path in metrics]),
        "reference_jackknife": _read([path / "reference_jackknife.parquet" for path in metrics]),
        "pixels": [pixels(config, dataset, arrays) for dataset, arrays in drawn.items()],
        "classifiers": [pd.DataFrame(_classifiers(config, layout))],
        "history": _history(config, layout),
        "truth": _read([layout.truth(world) / "errors.parquet" for world in config.worlds]),
        "sensitivity": _read(
            [
                layout.sensitivity(dataset, guide) / "sensitivity.parquet"
                for dataset in config.datasets
                for guide in workload.guides(config, dataset)
            ]
        ),
    }
    tables = {name: joined(name, rows) for name, rows in frames.items()}
    for name, frame in (tables | {"costs": pd.DataFrame(_costs(stage))}).items():
        with atomic(folder / f"{name}.parquet") as temporary:
            frame.to_parquet(temporary, index=False)
    with atomic(folder / "results.csv") as temporary:
        tables["results"].to_csv(temporary, index=False)
    write_json(folder / "summary.json", _summary(config, layout))
    write_json(folder / "environment.json", environment() | {"config_text": _text(config)})
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
    """Check the files that are read here: of samples those that are shown, of features none."""
    for job in inputs(stage.config, stage.job):
        names = None
        if job.stage == "sample":
            cells = workload.sampled(
                stage.config, job.dataset, workload.block(stage.config, job.dataset, job.block)
            )
            blocks = shown(stage.config, job.dataset)
            names = (
                [f"{cell.path}/{job.block}.npz" for cell in cells] if job.block in blocks else []
            )
        if job.stage == "features":
            names = []
        stage.use(*job, names=names)


def _read(paths: list[Path]) -> list[pd.DataFrame]:
    return [pd.read_parquet(path) for path in paths]


def _classifiers(config: Config, layout: Layout) -> list[dict[str, Any]]:
    return [
        {"dataset": dataset, "classifier": name, "architecture": classifier.architecture}
        | read_json(layout.classifier(dataset, name) / "metrics.json")
        for dataset, options in config.datasets.items()
        for name, classifier in options.classifiers.items()
    ]


def _history(config: Config, layout: Layout) -> list[pd.DataFrame]:
    histories = []
    for dataset, options in config.datasets.items():
        folders = {"denoiser": layout.denoiser(dataset)} | {
            name: layout.classifier(dataset, name) for name in options.classifiers
        }
        for model, folder in folders.items():
            history = pd.read_json(folder / "history.jsonl", lines=True)
            long = history.melt("step", var_name="quantity", value_name="value")
            histories.append(long.assign(dataset=dataset, model=model))
    return histories


def _costs(stage: Stage) -> list[dict[str, Any]]:
    """What each job took when it last ran."""
    keys = ("stage", "dataset", "job", "seconds", "peak_memory_mib", "device")
    entries = [read_json(provenance(stage.layout, job)) for job in inputs(stage.config, stage.job)]
    return [{key: entry[key] for key in keys} for entry in entries]


def _summary(config: Config, layout: Layout) -> dict[str, Any]:
    own = {
        name: {"name": metric.name} | facts(metric.name)._asdict()
        for name, metric in config.metrics.own.items()
    }
    return ({"metrics": own} if own else {}) | {
        "name": config.name,
        "seed": config.seed,
        "description": config.description,
        "datasets": {dataset: _facts(config, layout, dataset) for dataset in config.datasets},
        "worlds": {
            world: _world(options, config.metrics.jackknife_blocks)
            for world, options in config.worlds.items()
        },
    }


def _text(config: Config) -> str:
    """The config as the report shows it; with the folders of this machine, so not in digests."""
    import yaml

    return str(yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, width=100))


def _facts(config: Config, layout: Layout, dataset: str) -> dict[str, Any]:
    from safetensors import safe_open

    from guidebench.diffusion.schedules import build
    from guidebench.models.denoiser import WEIGHTS

    options = config.datasets[dataset]
    train, held_out = (read(layout.data(dataset) / name) for name in ("train", "validation"))
    counts = np.bincount(held_out.labels[held_out.labels >= 0], minlength=1)
    schedule = build(options.schedule)
    with safe_open(layout.denoiser(dataset) / WEIGHTS, "pt") as file:
        parameters = sum(int(np.prod(file.get_slice(key).get_shape())) for key in file.keys())  # noqa: SIM118
    names = classes(options.data)
    return {
        "target": target_name(options),
        "classes": names,
        # an attribute's chance is the share of its larger class
        "chance": float(counts.max() / counts.sum()) if len(names) == 2 else 1 / max(1, len(names)),
        "timesteps": options.schedule.timesteps,
        "schedule": options.schedule.name,
        "terminal_snr": float(schedule.logsnr(schedule.grid(1)[0]).exp()),
        "variance_ratios": _variance_ratios(schedule, options),
        "steps": options.sampling.steps,
        "sampler": options.sampling.sampler,
        "grid_steps": options.sampling.grid_steps or options.sampling.steps,
        "n": options.sampling.evaluation,
        "n_selection": options.sampling.selection,
        "image_size": int(train.images.shape[2]),
        "channels": int(train.images.shape[1]),
        "train": len(train.images),
        "validation": len(held_out.images),
        "denoiser_parameters": parameters,
        "noise_trained": {
            name: classifier.noise_trained for name, classifier in options.classifiers.items()
        },
        "stabilizers": {
            name: s.model_dump(mode="json") | {"variant": _changed(s, CLAIMED)}
            for name, s in options.sensitivity.stabilizers.items()
        },
        "setups": {
            name: {
                "kind": "unguided" if setup.guidance == "none" else setup.guidance,
                "classifier": setup.classifier,
                "input": setup.input if setup.guidance == "classifier" else None,
                "stabilizer": setup.stabilizer.name if setup.guidance == "classifier" else None,
                "stabilizer_options": setup.stabilizer.model_dump(mode="json", exclude={"name"}),
                "scales": setup.scales,
                "asked": setup.guidance != "none" or setup.conditional,
                "variant": _variant(setup, options.sampling.steps),
            }
            for name, setup in options.setups.items()
        },
    }


def _variant(setup: Setup, steps: int) -> dict[str, Any]:
    """The keys in which a setup is not the plain one of its kind."""
    own = _changed(setup, CLAIMED) | _changed(setup.stabilizer, CLAIMED)
    return {key: value for key, value in own.items() if (key, value) != ("steps", steps)}


def _changed(section: Model, but: set[str]) -> dict[str, Any]:
    """The keys of a section, `but` those, that are not its defaults."""
    return section.model_dump(mode="json", exclude_defaults=True, exclude=but)


def _variance_ratios(schedule: Schedule, options: Dataset) -> dict[str, float]:
    """What the experiment's sampler does to Gaussians, by their standard deviation.

    Of ours: a user's own may be none that is read off by unit vectors.
    """
    if ":" in options.sampling.sampler:
        return {}
    ratios = variance_ratios(schedule, options.sampling, DEVIATIONS)
    return {f"{deviation:g}": ratio for deviation, ratio in zip(DEVIATIONS, ratios, strict=True)}


def _world(world: World, blocks: int) -> dict[str, Any]:
    """What the report says of a world."""
    shape = world.drawn.shape if world.drawn else [len(world.components[0].mean)]
    return {
        "shape": shape,
        "components": world.drawn.components if world.drawn else len(world.components),
        "classes": world.drawn.classes
        if world.drawn
        else 1 + max(component.label for component in world.components),
        "target": world.target,
        "schedule": world.schedule.name,
        "n": world.samples,
        "blocks": blocks,
        "samplers": {name: steps.sampler for name, steps in world.samplers.items()},
        "setups": {name: setup.guidance for name, setup in world.setups.items()},
        "temperatures": _temperatures(world),
    }


def _temperatures(world: World) -> list[dict[str, float]]:
    """Groups of setups that differ in the classifier's temperature alone: name -> temperature."""
    groups: dict[str, dict[str, float]] = {}
    for name, setup in world.setups.items():
        if setup.guidance != "classifier":  # nothing else has a temperature
            continue
        rest = canonical(setup.model_dump(mode="json", exclude={"temperature", "scales"}))
        groups.setdefault(rest, {})[name] = setup.temperature
    return [group for group in groups.values() if len(set(group.values())) > 1]
