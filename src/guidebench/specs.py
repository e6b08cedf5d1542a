"""Each job's slice of the config: what its results depend on, and so what re-runs it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from guidebench import grid
from guidebench.artifacts import digest_of, sha256
from guidebench.closure import source_digest
from guidebench.config import CelebaData, Config, CustomData, Dataset, IdxData
from guidebench.grid import Block, Cell, Job

# by identity, which lasts as long as the section is held here
_DUMPS: dict[int, tuple[Dataset, dict[str, Any]]] = {}
RUNTIME_KEYS = {"checkpoint_every", "nodes"}


def with_code(options: dict[str, Any], key: str = "name") -> dict[str, Any]:
    """A method's slice: a user's own one, named at `key`, comes with a digest of its code."""
    if ":" in options[key]:
        return options | {"code": source_digest(options[key])}
    return options


def spec(config: Config, job: Job) -> dict[str, Any]:
    """The slice of the config that the job's results depend on, as JSON values."""
    common: dict[str, Any] = {"seed": config.seed, "threads": config.threads}
    if not job.dataset:
        return {"config": effective(config)}
    if job.stage == "ground_truth":
        world = config.worlds[job.dataset].model_dump(mode="json")
        for name, setup in world["setups"].items():
            world["setups"][name] = _setup(setup)
        blocks = config.metrics.jackknife_blocks
        return common | {"world": world, "jackknife_blocks": blocks}
    dataset = config.datasets[job.dataset]
    dump = _dump(dataset)
    if job.stage == "prepare":
        return {"seed": config.seed, "data": dump["data"], "external": fingerprint(dataset.data)}
    if job.stage == "train_denoiser":
        return common | {"schedule": dump["schedule"], "denoiser": _results(dump["denoiser"])}
    if job.stage == "train_classifier":
        classifier = dump["classifiers"][job.classifier]
        schedule = dump["schedule"] if classifier["noise_trained"] else None
        used = with_code(_results(classifier), "architecture")
        return common | {"classifier": used, "schedule": schedule}
    if job.stage == "sensitivity":
        named = dump["sensitivity"]["stabilizers"].items()
        options = dump["sensitivity"] | {"stabilizers": {k: with_code(v) for k, v in named}}
        clip = {key: dump["sampling"][key] for key in ("clip", "clip_gradient")}
        return common | {"sensitivity": options, "target": dump["target"], "clip": clip,
                         "schedule": dump["schedule"]}  # fmt: skip
    every = [cell.path for cell in grid.cells(config, job.dataset)]
    if job.stage == "sample":
        part = grid.block(config, job.dataset, job.block)
        specs = [
            cell_spec(config, job.dataset, cell, part)
            for cell in grid.sampled(config, job.dataset, part)
        ]
        return common | {"cells": specs, "block": list(part)}
    inception = config.metrics.inception.model_dump(mode="json")
    if job.stage == "features":
        scope = {"n": dataset.sampling.evaluation, "target": dump["target"]}
        scope = scope if job.block == grid.REAL else {"cells": every}
        return common | scope | {"inception": inception, "classifiers": sorted(dump["classifiers"])}
    guide = {name: setup["classifier"] for name, setup in dump["setups"].items()}
    parts = [list(part) for part in grid.scored(config, job.dataset)]
    return {"seed": config.seed, "cells": every, "blocks": parts, "target": dump["target"],
            "guide": guide, "metrics": config.metrics.model_dump(mode="json")}  # fmt: skip


def _dump(dataset: Dataset) -> dict[str, Any]:
    """A data set's section as plain values, made once: thousands of cells ask for it."""
    if id(dataset) not in _DUMPS:
        _DUMPS[id(dataset)] = (dataset, dataset.model_dump(mode="json"))
    return _DUMPS[id(dataset)][1]


def _setup(setup: dict[str, Any]) -> dict[str, Any]:
    """A setup with digests of the user's own code in it."""
    return with_code(setup, "guidance") | {"stabilizer": with_code(setup["stabilizer"])}


def cell_spec(config: Config, dataset: str, cell: Cell, block: Block) -> dict[str, Any]:
    """What one cell's images depend on, beside its seeds, its models and the code."""
    dump = _dump(config.datasets[dataset])
    setup = _setup(dump["setups"][cell.setup])
    del setup["scales"]
    other = ("selection", "evaluation", "block", "grid_images", "grid_steps")
    sampling = {key: value for key, value in dump["sampling"].items() if key not in other}
    setup["steps"] = sampling["steps"] = grid.steps(config, dataset, cell, block)
    return {"setup": setup, "scale": cell.scale, "sampling": sampling, "target": dump["target"],
            "schedule": dump["schedule"], "threads": config.threads}  # fmt: skip


def cell_key(
    config: Config, dataset: str, cell: Cell, block: Block, models: dict[str, str], code: str
) -> str:
    """Digest of all that a finished cell stands for; `models`: digests of `denoiser` and guides."""
    spec = cell_spec(config, dataset, cell, block)
    used = [models["denoiser"], models.get(spec["setup"]["classifier"] or "")]
    seeds, labels = grid.image_seeds(config, dataset, block), grid.labels(config, dataset, block)
    return digest_of([spec, seeds, labels, used, code])


def effective(config: Config) -> dict[str, Any]:
    """The whole config without the keys that change nothing but how a run goes."""
    values: dict[str, Any] = _results(config.model_dump(mode="json"))
    del values["device"]
    return values


def _results(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _results(item) for key, item in value.items() if key not in RUNTIME_KEYS}
    return [_results(item) for item in value] if isinstance(value, list) else value


def fingerprint(data: object) -> dict[str, str]:
    """Names, sizes and (of small files) sha256 of external data, or of the code of a user's own."""
    if isinstance(data, CustomData):
        return {"code": source_digest(data.source)}
    if not isinstance(data, IdxData | CelebaData) or not data.root:
        return {}
    root = Path(data.root)
    folder = root if isinstance(data, CelebaData) else root / {"mnist": "MNIST"}.get(
        data.source, "FashionMNIST") / "raw"  # fmt: skip
    found = {
        path.relative_to(folder).as_posix(): path.stat().st_size
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    small = [name for name, size in found.items() if size < 2**20 and "/" not in name]
    return {"names_and_sizes": digest_of(found)} | {name: sha256(folder / name) for name in small}
