"""What the report says of an experiment beside its tables: summary.json."""

from __future__ import annotations

from typing import Any

import numpy as np

from guidebench import workload
from guidebench.analysis.sampler import variance_ratios
from guidebench.base.choices import classes, target_name
from guidebench.data.store import read
from guidebench.diffusion.schedule import Schedule
from guidebench.guidance.built import clip_gradient
from guidebench.metrics import own
from guidebench.pipeline.experiment.config import Config, Dataset
from guidebench.pipeline.experiment.sections import (
    Classifier,
    DDPMLinear,
    Denoiser,
    Model,
    Pictures,
    Sampling,
    Setup,
)
from guidebench.pipeline.experiment.world_section import World
from guidebench.pipeline.jobs.layout import Layout
from guidebench.pipeline.records.artifacts import canonical
from guidebench.stages.corrected import corrected, switches

# by which claims know guidance; its scales are no property of it
CLAIMED = {"guidance", "classifier", "input", "stabilizer", "name", "beta", "scales"}
# of a data section: how its images are made, as far as they are compared with the paper's
IMAGES = {"source", "size", "scale", "diameters", "crop"}
DEVIATIONS = [0.1, 0.3, 0.55, 1.0]  # of the Gaussians on which the sampler alone is tried


def summary(config: Config, datasets: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """What the report says of the experiment, each data set and each world, beside the tables.

    `datasets`: the `facts` of those that it shows.
    """
    metrics = {
        name: {"name": metric.name} | own.facts(metric.name)._asdict()
        for name, metric in config.metrics.own.items()
    }
    return ({"metrics": metrics} if metrics else {}) | {
        "name": config.name,
        "seed": config.seed,
        "description": config.description,
        "datasets": datasets,
        "worlds": {
            world: _world(options, config.metrics.jackknife_blocks)
            for world, options in config.worlds.items()
        },
    }


def parameters(layout: Layout, dataset: str) -> int:
    """How many a data set's denoiser has."""
    from safetensors import safe_open

    from guidebench.models.denoiser import WEIGHTS

    with safe_open(layout.denoiser(dataset) / WEIGHTS, "pt") as file:
        return sum(int(np.prod(file.get_slice(key).get_shape())) for key in file.keys())  # noqa: SIM118


def facts(config: Config, layout: Layout, dataset: str, parameters: int | None) -> dict[str, Any]:
    """What the report says of a prepared data set; `parameters`: of its denoiser, None before."""
    from guidebench.diffusion.schedules import build

    options = config.datasets[dataset]
    train, held_out = (read(layout.data(dataset) / name) for name in ("train", "validation"))
    counts = np.bincount(held_out.labels[held_out.labels >= 0], minlength=1)
    schedule = build(options.schedule)
    names, attack = classes(options.data), options.sensitivity.attack
    last, finalists = workload.evaluated(config, dataset)[-1], None
    if options.sampling.finalists and workload.contested(config, dataset):
        finalists = options.sampling.finalists.scales
    return {
        "data": options.data.model_dump(mode="json", include=IMAGES),
        "paper_compat": switches(options),
        "corrected": corrected(config, dataset),
        "target": target_name(options),
        "classes": names,
        # an attribute's chance is the share of its larger class
        "chance": float(counts.max() / counts.sum()) if len(names) == 2 else 1 / max(1, len(names)),
        "timesteps": options.schedule.timesteps,
        "schedule": options.schedule.name,
        "rescaled": isinstance(options.schedule, DDPMLinear) and options.schedule.rescale,
        "terminal_snr": float(schedule.logsnr(schedule.grid(1)[0]).exp()),
        "variance_ratios": _variance_ratios(schedule, options),
        "steps": options.sampling.steps,
        "sampler": options.sampling.sampler,
        "grid_steps": options.sampling.grid_steps or options.sampling.steps,
        "n": options.sampling.evaluation if finalists else last.start + last.count,
        "n_chosen": last.start + last.count,  # of the scales that are chosen, and of what has none
        "n_selection": options.sampling.selection,
        "finalists": finalists,  # scales of each setup with as many; None: all have
        "image_size": int(train.images.shape[2]),
        "channels": int(train.images.shape[1]),
        "cut": _cut(options.data),
        "train": len(train.images),
        "validation": len(held_out.images),
        "denoiser_parameters": parameters,
        **_training(options.denoiser, len(train.images), len(held_out.images)),
        "trained": {name: _trained(one) for name, one in options.classifiers.items()},
        **({"attack": attack.model_dump(mode="json")} if attack else {}),
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
                "variant": _variant(setup, options.sampling),
                "clip_gradient": _clip_gradient(setup, options.sampling),
            }
            for name, setup in options.setups.items()
        },
    }


def _training(denoiser: Denoiser, train: int, held_out: int) -> dict[str, Any]:
    """How often a denoiser saw each of its images; of a checkpoint, that it was not trained."""
    if denoiser.checkpoint:
        return {"denoiser_trained": False}
    images = train + held_out * ("validation_images" in denoiser.paper_compat)
    return {"epochs": denoiser.steps * denoiser.batch_size / images}


def _trained(classifier: Classifier) -> str:
    """The kind of a classifier: what it was trained on, here or before."""
    if classifier.noise_trained:
        return "noise_trained"
    return "adversarial" if classifier.adversarial else "clean"


def _cut(data: Model) -> str | None:
    """How a data set's pictures became images, in words; None where they are no pictures."""
    if not isinstance(data, Pictures):
        return None
    kept = f"the central square of {data.crop} stored pixels"
    if data.crop is None:
        kept = "the largest central square"
    elif data.crop == "squash":
        kept = "the whole picture, squashed to a square"
    return f"{kept}, Pillow's {data.resize} filter"


def _variant(setup: Setup, sampling: Sampling) -> dict[str, Any]:
    """The keys in which a setup is not the plain one of its kind."""
    own = _changed(setup, CLAIMED) | _changed(setup.stabilizer, CLAIMED)
    keys = ("sampler", "steps", "clip", "clip_gradient")
    shared = {key: getattr(sampling, key) for key in keys}
    return {key: value for key, value in own.items() if (key, value) not in shared.items()}


def _clip_gradient(setup: Setup, sampling: Sampling) -> str | None:
    """The gradient of x0_pred's clip in a setup's guidance; None where no gradient passes a clip.

    A user's own guide may take its gradient through x0_pred.
    """
    takes_none = setup.guidance in ("none", "cfg")
    on_raw = setup.guidance == "classifier" and setup.input == "raw"
    return None if takes_none or on_raw else clip_gradient(sampling, setup)


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
        "learned_steps": world.learned_steps,
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
