"""Sample a Gaussian mixture by every guide and sampler, and measure how far that is from truth."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import torch

from guidebench.analysis.ground_truth import (
    Aimed,
    Errors,
    Reference,
    Truth,
    bias,
    densities,
    exponent,
    jackknife,
)
from guidebench.base.choices import SAMPLERS
from guidebench.base.seeds import derive
from guidebench.data.gaussian_mixture import GaussianMixture
from guidebench.diffusion.schedules import build
from guidebench.pipeline.errors import UserError
from guidebench.pipeline.experiment.config import Config
from guidebench.pipeline.records.artifacts import atomic
from guidebench.stages.stage import Stage

FILES = ["errors.parquet", "pictures.npz"]
SHOWN, SIDE = 600, 96
FLOOR_DRAWS = 16
DISTANCE = "sliced_wasserstein"


def mixture(options: dict[str, Any], seed: int) -> GaussianMixture:
    """The world's mixture; UserError where a covariance is not positive definite."""
    drawn, parts = options["drawn"], options["components"]
    if drawn:
        chance = torch.Generator().manual_seed(seed)
        count = drawn["components"]
        means = torch.randn(count, *drawn["shape"], generator=chance, dtype=torch.float64)
        spread = torch.full((count,), drawn["deviation"] ** 2).double()
        return GaussianMixture(
            means, spread, torch.ones(count), torch.arange(count) % drawn["classes"]
        )
    means = torch.tensor([part["mean"] for part in parts]).double()
    spread = torch.tensor([part["deviation"] for part in parts]).double() ** 2
    if any(part["covariance"] for part in parts):
        spread = spread[:, None, None] * torch.eye(means.shape[1]).double()
        for number, part in enumerate(parts):
            if part["covariance"]:
                spread[number] = torch.tensor(part["covariance"])
    weights, labels = ([part[key] for part in parts] for key in ("weight", "label"))
    try:
        return GaussianMixture(means, spread, torch.tensor(weights), torch.tensor(labels))
    except ValueError as error:
        raise UserError(f"components: {error}") from error


def world(config: Config, name: str, options: dict[str, Any]) -> Truth:
    """A world with its exact models and the seeds of its samples."""
    made = mixture(options, derive(config.seed, name, "mixture"))
    seeds = [derive(config.seed, "sample", name, number) for number in range(options["samples"])]
    return Truth(made, build(options["schedule"]), seeds)


def samplers(setup: dict[str, Any], options: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The samplers that a setup runs with: mean injection needs one whose step has a mean."""
    shifts_mean = setup["injection"] == "mean" and setup["guidance"] == "classifier"
    return {
        key: steps
        for key, steps in options["samplers"].items()
        if not shifts_mean or SAMPLERS[steps["sampler"]].has_mean
    }


def run(stage: Stage) -> None:
    """Write errors.parquet, one row per cell, reference and metric, and what the report draws."""
    name, seed = stage.job.dataset, stage.config.seed
    options = stage.config.worlds[name].model_dump(mode="json")
    truth, target = world(stage.config, name, options), options["target"]
    blocks = stage.config.metrics.jackknife_blocks
    rows: list[dict[str, Any]] = []
    aimed: list[tuple[dict[str, Any], Aimed]] = []
    pictures: dict[str, np.ndarray] = {}
    cells = [
        (key, scale, sampler)
        for key, setup in options["setups"].items()
        for scale in (setup["scales"] or [None])
        for sampler in samplers(setup, options)
    ]
    references: dict[float, Reference] = {}
    for key, scale, _ in cells:
        for power in _aims(options["setups"][key], scale).values():
            if power not in references:
                references[power] = _reference(
                    truth, target, power, key, derive(seed, name, "reference", power)
                )
    for done, (key, scale, sampler) in enumerate(cells):
        setup, steps = options["setups"][key], options["samplers"][sampler]
        before = truth.denoiser.rows
        points = truth.sample(setup, scale, steps, target)
        aims = _aims(setup, scale)
        common = {
            "world": name,
            "setup": key,
            "scale": scale,
            "sampler": sampler,
            "steps": steps["steps"],
            "n": len(points),
            "evaluations": (truth.denoiser.rows - before) / len(points),
        }
        measured = {
            power: references[power].measure(points, blocks)
            for power in dict.fromkeys(aims.values())
        }
        for kind, power in aims.items():
            for metric, values in measured[power].items():
                rows.append(common | _row(kind, power, metric, jackknife(values)))
        if "tilted" in aims:
            power = aims["tilted"]
            aimed.append((common, Aimed(power, measured[power][DISTANCE])))
        if truth.mixture.shape == (2,) and sampler == next(iter(options["samplers"])):
            pictures[f"points:{key}:{scale}"] = points[:SHOWN].float().numpy()
        stage.events.progress(done + 1, len(cells))
    floors = {
        power: reference.floor(
            len(truth.seeds),
            [derive(seed, name, "floor", power, draw) for draw in range(FLOOR_DRAWS)],
        )
        for power, reference in references.items()
    }
    for power, found in floors.items():
        exact = {
            "world": name,
            "setup": "floor",
            "scale": power,
            "sampler": "exact",
            "steps": 0,
            "n": len(truth.seeds),
            "evaluations": 0.0,
        }
        rows += [exact | _row("floor", power, metric, error) for metric, error in found.items()]
    rows += _biases(aimed, options["setups"], {p: found[DISTANCE] for p, found in floors.items()})
    if truth.mixture.shape == (2,):
        pictures |= _pulled_apart(truth, options)
        for power in sorted({0.0, *references}):
            grids, extent = densities(truth.mixture, power, SIDE)
            pictures[f"density:{power:g}"] = grids.float().numpy()
            pictures["extent"] = np.array(extent)
    folder = stage.layout.truth(name)
    with atomic(folder / FILES[0]) as temporary:
        pd.DataFrame(rows).to_parquet(temporary, index=False)
    with atomic(folder / FILES[1]) as temporary, open(temporary, "wb") as file:
        np.savez(file, **pictures)  # type: ignore[arg-type]
    stage.finish(FILES)


def _aims(setup: dict[str, Any], scale: float | None) -> dict[str, float]:
    """The exponents of p(x) p(y | x)^s of what a cell is measured against."""
    aims = {"conditional": 1.0}
    if setup["temperature"] == 1:  # that density is not what a temperature aims at
        aims["tilted"] = exponent(setup, scale)
    return aims


def _reference(truth: Truth, target: int, power: float, setup: str, seed: int) -> Reference:
    """Exact samples; UserError where the density is so narrow that there are none."""
    try:
        return Reference(truth.mixture, target, power, seed)
    except RuntimeError as error:
        raise UserError(
            f"setups.{setup}.scales: found an exponent of {power:g} ({error}), "
            "allowed: one whose density can be sampled exactly"
        ) from error


def _row(kind: str, power: float, metric: str, found: Errors) -> dict[str, Any]:
    return {
        "reference": kind,
        "exponent": power,
        "metric": metric,
        "value": found.value,
        "se": found.se,
    }


def _biases(
    cells: list[tuple[dict[str, Any], Aimed]],
    setups: dict[str, dict[str, Any]],
    floors: dict[float, Errors],
) -> list[dict[str, Any]]:
    """How far guidance is off its tilted density, by setup, scale and sampler."""
    own = {row["sampler"]: (row, found) for row, found in cells if _plain(setups[row["setup"]])}
    rows = []
    for row, found in cells:
        plain, unguided = own.get(row["sampler"], ({}, None))
        if unguided and row["setup"] != plain["setup"]:
            rows.append(row | _row("tilted", found.power, "bias", bias(found, unguided, floors)))
    return rows


def _plain(setup: dict[str, Any]) -> bool:
    return bool(setup["conditional"] and setup["guidance"] == "none")


def _pulled_apart(truth: Truth, options: dict[str, Any]) -> dict[str, np.ndarray]:
    """Samples of every class by the first setup of each kind: the CFG notes' three Gaussians."""
    pictures = {}
    kinds: dict[str, str] = {}
    for key, setup in options["setups"].items():
        guided = setup["guidance"] in ("cfg", "classifier") and setup["temperature"] == 1
        if guided and samplers(setup, options):
            kinds.setdefault(setup["guidance"], key)
    for key in kinds.values():
        setup = options["setups"][key]
        sampler = next(iter(samplers(setup, options).values()))
        for scale in setup["scales"]:
            for label in range(truth.mixture.classes):
                points = truth.sample(setup, scale, sampler, label)[: SHOWN // 2]
                pictures[f"class:{label}:{key}:{scale}"] = points.float().numpy()
    return pictures
