"""Each job's slice of the config: what its results depend on, and so what re-runs it."""

from __future__ import annotations

from typing import Any

from guidebench import workload
from guidebench.base.cells import Cell
from guidebench.base.choices import FORWARD_COMPAT
from guidebench.pipeline.experiment.config import Config, Dataset
from guidebench.pipeline.jobs import kept_keys
from guidebench.pipeline.jobs.layout import Job
from guidebench.pipeline.records.artifacts import digest_of
from guidebench.pipeline.records.user_code import with_code
from guidebench.workload import Block

# by identity, which lasts as long as the section is held here
_DUMPS: dict[int, tuple[Dataset, dict[str, Any]]] = {}


def _common(config: Config) -> dict[str, Any]:
    return {"seed": config.seed, "threads": config.threads}


def ground_truth(config: Config, job: Job) -> dict[str, Any]:
    """Of `ground_truth`."""
    world = config.worlds[job.dataset].model_dump(mode="json")
    for name, setup in world["setups"].items():
        world["setups"][name] = _setup(setup)
    for name, steps in world["samplers"].items():
        world["samplers"][name] = _steps(steps)
    return _common(config) | {"world": world, "jackknife_blocks": config.metrics.jackknife_blocks}


def prepare(config: Config, job: Job) -> dict[str, Any]:
    """Of `prepare`."""
    data = with_code(_dump(config.datasets[job.dataset])["data"], "source")
    return {"seed": config.seed, "data": kept_keys.placeless(data)}


def train_denoiser(config: Config, job: Job) -> dict[str, Any]:
    """Of `train_denoiser`."""
    dump = _dump(config.datasets[job.dataset])
    return _common(config) | {
        "schedule": dump["schedule"],
        "denoiser": kept_keys.denoiser(dump["denoiser"]),
    }


def train_classifier(config: Config, job: Job) -> dict[str, Any]:
    """Of `train_classifier`."""
    dump = _dump(config.datasets[job.dataset])
    classifier = dump["classifiers"][job.classifier]
    trained_on_noise = classifier["noise_trained"] and classifier["checkpoint"] is None
    schedule = dump["schedule"] if trained_on_noise else None
    section = with_code(kept_keys.classifier(classifier), "architecture")
    return _common(config) | {"classifier": section, "schedule": schedule}


def sensitivity(config: Config, job: Job) -> dict[str, Any]:
    """Of `sensitivity`."""
    dump = _dump(config.datasets[job.dataset])
    named = dump["sensitivity"]["stabilizers"].items()
    options = dump["sensitivity"] | {"stabilizers": {k: with_code(v) for k, v in named}}
    clip = {key: dump["sampling"][key] for key in ("clip", "clip_gradient")}
    noisy = dump["classifiers"][job.classifier]["noise_trained"]
    inputs = {"raw"} if noisy else {"raw", "x0"}
    switches = dump["sensitivity"]["paper_compat"]
    options["paper_compat"] = [s for s in switches if inputs & set(FORWARD_COMPAT[s])]
    options["architecture"] = _architecture(config.datasets[job.dataset], job.classifier)
    return _common(config) | {
        "sensitivity": options,
        "target": dump["target"],
        "clip": clip,
        "schedule": dump["schedule"],
        "noise_trained": noisy,
    }


def sample(config: Config, job: Job) -> dict[str, Any]:
    """Of `sample`."""
    block = workload.block(config, job.dataset, job.block)
    cells = [
        cell_spec(config, job.dataset, cell, block)
        for cell in workload.sampled(config, job.dataset, block)
    ]
    return _common(config) | {"cells": cells, "block": list(block)}


def finalists(config: Config, job: Job) -> dict[str, Any]:
    """Of `finalists`."""
    sampling = config.datasets[job.dataset].sampling
    return {
        "cells": [cell.path for cell in workload.cells(config, job.dataset)],
        "target": _dump(config.datasets[job.dataset])["target"],
        "finalists": sampling.finalists and sampling.finalists.scales,
        "n": sampling.evaluation,
        "jackknife_blocks": config.metrics.jackknife_blocks,
    }


def attributes(config: Config, job: Job) -> dict[str, Any]:
    """Of `attributes`."""
    return _common(config) | {
        "attributes": _dump(config.datasets[job.dataset])["attributes"],
        "rotation": _dump(config.datasets[job.dataset])["data"]["rotation"],
        "cells": [cell.path for cell in workload.cells(config, job.dataset)],
        "blocks": [list(block) for block in workload.evaluated(config, job.dataset)],
    }


def features(config: Config, job: Job) -> dict[str, Any]:
    """Of `features`."""
    dataset = config.datasets[job.dataset]
    dump = _dump(dataset)
    judge = dataset.classifiers.get("judge")
    scope: dict[str, Any] = {
        "n": dataset.sampling.evaluation,
        "target": dump["target"],
        "judge_half": judge and judge.half,
    }
    if job.block != workload.REAL:
        scope = {"cells": [cell.path for cell in workload.cells(config, job.dataset)]}
    networks = {"inception": inception(config), "classifiers": architectures(dataset)}
    return _common(config) | scope | networks


def metrics(config: Config, job: Job) -> dict[str, Any]:
    """Of `metrics`."""
    dump = _dump(config.datasets[job.dataset])
    scoring = config.metrics.model_dump(mode="json", exclude={"own"})
    if config.metrics.own:
        scoring["own"] = _own_metrics(config)
    return {
        "seed": config.seed,
        "cells": [cell.path for cell in workload.cells(config, job.dataset)],
        "blocks": [list(block) for block in workload.scored(config, job.dataset)],
        "n": config.datasets[job.dataset].sampling.evaluation,
        "target": dump["target"],
        "guide": {name: setup["classifier"] for name, setup in dump["setups"].items()},
        "metrics": scoring | {"inception": inception(config)},
    }


def _dump(dataset: Dataset) -> dict[str, Any]:
    """A data set's section as plain values, dumped once: thousands of cells ask for it."""
    if id(dataset) not in _DUMPS:
        dump = dataset.model_dump(mode="json")
        if betas := dump["schedule"].get("betas"):
            dump["schedule"]["betas"] = digest_of(betas)  # a thousand numbers, in every cell
        _DUMPS[id(dataset)] = (dataset, dump)
    return _DUMPS[id(dataset)][1]


def _setup(setup: dict[str, Any]) -> dict[str, Any]:
    """A setup with digests of the user's own code in it; `vary` is expanded by now."""
    own = {k: v for k, v in setup.items() if k != "vary" and (k, v) != ("sampler", None)}
    return with_code(own, "guidance") | {"stabilizer": with_code(setup["stabilizer"])}


def _steps(steps: dict[str, Any]) -> dict[str, Any]:
    """A sampler's keys, with a digest of the user's own code; its alone are `options`."""
    if ":" in steps["sampler"]:
        return with_code(steps, "sampler")
    return {key: value for key, value in steps.items() if key != "options"}


def cell_spec(config: Config, dataset: str, cell: Cell, block: Block) -> dict[str, Any]:
    """What one cell's images depend on, beside its seeds, its models and the code."""
    options = config.datasets[dataset]
    dump = _dump(options)
    setup = _setup(dump["setups"][cell.setup])
    del setup["scales"]
    setup["architecture"] = _architecture(options, options.setups[cell.setup].classifier)
    seeds = ("selection", "evaluation", "finalists", "block")
    other = (*seeds, "grid_images", "grid_setups", "grid_steps")
    steps = dump["sampling"] | {"sampler": setup.pop("sampler", dump["sampling"]["sampler"])}
    sampling = {k: value for k, value in kept_keys.results(_steps(steps)).items() if k not in other}
    setup["steps"] = sampling["steps"] = workload.steps(config, dataset, cell, block)
    sampling["clip_gradient"] = setup.pop("clip_gradient") or sampling["clip_gradient"]
    if (clip := setup.pop("clip")) is not None:
        sampling["clip"] = clip
    sampling["trajectories"] = workload.trajectories(config, dataset, block)
    return {
        "setup": setup,
        "scale": cell.scale,
        "sampling": sampling,
        "target": dump["target"],
        "schedule": dump["schedule"],
        "threads": config.threads,
    }


def cell_key(config: Config, dataset: str, cell: Cell, block: Block, models: dict[str, str]) -> str:
    """Digest of all that a finished cell is asked to be; `models`: `denoiser`'s and guides'."""
    classifier = config.datasets[dataset].setups[cell.setup].classifier
    spec = cell_spec(config, dataset, cell, block)
    images = [workload.image_seeds(config, dataset, block), workload.labels(config, dataset, block)]
    return digest_of([spec, *images, [models["denoiser"], models.get(classifier or "")]])


def effective(config: Config) -> dict[str, Any]:
    """The whole config without the keys that change nothing but how a run goes."""
    values: dict[str, Any] = config.model_dump(mode="json")
    del values["device"]
    values["metrics"] |= {"inception": inception(config), "own": _own_metrics(config)}
    for dataset in values["datasets"].values():
        dataset["data"] = kept_keys.placeless(dataset["data"])
        dataset["denoiser"] = kept_keys.denoiser(dataset["denoiser"])
        dataset["sampling"] = kept_keys.results(dataset["sampling"])
        dataset["classifiers"] = {
            k: kept_keys.classifier(v) for k, v in dataset["classifiers"].items()
        }
    return values


def _own_metrics(config: Config) -> dict[str, Any]:
    """The user's own metrics, with digests of their code."""
    return {name: with_code(metric.model_dump()) for name, metric in config.metrics.own.items()}


def _architecture(dataset: Dataset, classifier: str | None) -> dict[str, Any]:
    """What a classifier is built from, for who runs it: a user's own code runs there, too."""
    return with_code({"name": dataset.classifiers[classifier].architecture if classifier else ""})


def architectures(dataset: Dataset) -> dict[str, dict[str, Any]]:
    """What each classifier of a data set is built from."""
    return {name: _architecture(dataset, name) for name in sorted(dataset.classifiers)}


def inception(config: Config) -> dict[str, Any]:
    """Which Inception network scores the samples, wherever its weights lie."""
    options = config.metrics.inception
    return {"used": bool(options.weights or options.download), "sha256": options.sha256}
