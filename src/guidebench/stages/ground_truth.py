"""Sample a Gaussian mixture by every guide and sampler, and measure how far that is from truth."""

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
from guidebench.base.cells import Cell
from guidebench.base.choices import sampler as known
from guidebench.base.seeds import derive
from guidebench.data.gaussian_mixture import GaussianMixture
from guidebench.diffusion.schedules import build
from guidebench.pipeline.errors import UserError
from guidebench.pipeline.experiment.config import Config
from guidebench.pipeline.experiment.sections import Setup, Steps
from guidebench.pipeline.experiment.world_section import World
from guidebench.pipeline.records.artifacts import atomic
from guidebench.stages import fields
from guidebench.stages.stage import Stage

FILES = ["errors.parquet", "pictures.npz"]
SHOWN, SIDE = 600, 96
FLOOR_DRAWS = 16
DISTANCE = "sliced_wasserstein"
Row = dict[str, Any]  # of the table


def mixture(world: World, seed: int) -> GaussianMixture:
    """The world's mixture; UserError where a covariance is not positive definite."""
    if drawn := world.drawn:
        chance, count = torch.Generator().manual_seed(seed), drawn.components
        means = torch.randn(count, *drawn.shape, generator=chance, dtype=torch.float64)
        spread = torch.full((count,), drawn.deviation**2).double()
        return GaussianMixture(
            means, spread, torch.ones(count), torch.arange(count) % drawn.classes
        )
    components = world.components
    means = torch.tensor([component.mean for component in components]).double()
    spread = torch.tensor([component.deviation for component in components]).double() ** 2
    if any(component.covariance for component in components):
        spread = spread[:, None, None] * torch.eye(means.shape[1]).double()
        for number, component in enumerate(components):
            if component.covariance:
                spread[number] = torch.tensor(component.covariance)
    weights = torch.tensor([component.weight for component in components])
    labels = torch.tensor([component.label for component in components])
    try:
        return GaussianMixture(means, spread, weights, labels)
    except ValueError as error:
        raise UserError(f"components: {error}") from error


def truth_of(config: Config, name: str) -> Truth:
    """A world with its exact models and the seeds of its samples."""
    world = config.worlds[name]
    seeds = [derive(config.seed, "sample", name, number) for number in range(world.samples)]
    mixed = mixture(world, derive(config.seed, name, "mixture"))
    return Truth(mixed, build(world.schedule), seeds)


def scales(setup: Setup) -> list[float | None]:
    """Its scales, or the one of no guidance."""
    return list(setup.scales) or [None]


def samplers(setup: Setup, world: World) -> dict[str, Steps]:
    """The samplers that a setup runs with: mean injection needs one whose step has a mean."""
    shifts_mean = setup.injection == "mean" and setup.guidance == "classifier"
    return {
        key: steps
        for key, steps in world.samplers.items()
        if not shifts_mean or known(steps.sampler).has_mean
    }


def run(stage: Stage) -> None:
    """Write errors.parquet, one row per cell, reference and metric, and what the report draws."""
    name, seed = stage.job.dataset, stage.config.seed
    world, truth = stage.config.worlds[name], truth_of(stage.config, name)
    blocks = stage.config.metrics.jackknife_blocks
    rows: list[Row] = []
    aimed: list[tuple[Cell, str, Row, Aimed]] = []
    pictures: dict[str, np.ndarray] = {}
    cells = [
        (Cell(key, scale), sampler)
        for key, setup in world.setups.items()
        for scale in scales(setup)
        for sampler in samplers(setup, world)
    ]
    references: dict[float, Reference] = {}
    for cell, _ in cells:
        for power in _aims(world.setups[cell.setup], cell.scale).values():
            if power not in references:
                references[power] = _reference(
                    truth, world.target, power, cell.setup, derive(seed, name, "reference", power)
                )
    for done, (cell, sampler) in enumerate(cells):
        setup, steps = world.setups[cell.setup], world.samplers[sampler]
        before = truth.denoiser.rows
        points = truth.sample(setup, cell.scale, steps, world.target)
        aims = _aims(setup, cell.scale)
        common: Row = {
            "world": name,
            **cell._asdict(),
            "sampler": sampler,
            "steps": steps.steps,
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
            aimed.append((cell, sampler, common, Aimed(power, measured[power][DISTANCE])))
        if truth.mixture.shape == (2,) and sampler == next(iter(world.samplers)):
            pictures[f"points:{cell.setup}:{cell.scale}"] = points[:SHOWN].float().numpy()
        stage.events.progress(done + 1, len(cells))
    floors = {
        power: reference.floor(
            len(truth.seeds),
            [derive(seed, name, "floor", power, draw) for draw in range(FLOOR_DRAWS)],
        )
        for power, reference in references.items()
    }
    for power, errors in floors.items():
        exact: Row = {
            "world": name,
            "setup": "floor",
            "scale": power,
            "sampler": "exact",
            "steps": 0,
            "n": len(truth.seeds),
            "evaluations": 0.0,
        }
        rows += [exact | _row("floor", power, metric, error) for metric, error in errors.items()]
    distances = {power: errors[DISTANCE] for power, errors in floors.items()}
    rows += _biases(aimed, world.setups, distances)
    every = list(dict.fromkeys(cell for cell, _ in cells))
    rotations, curls = fields.measured(world, truth, every, blocks, derive(seed, name, "fields"))
    rows += [{"world": name} | row for row in rotations]
    pictures |= curls
    if truth.mixture.shape == (2,):
        pictures |= _pulled_apart(truth, world)
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


def _aims(setup: Setup, scale: float | None) -> dict[str, float]:
    """The exponents of p(x) p(y | x)^s of what a cell is measured against."""
    aims = {"conditional": 1.0}
    if setup.temperature == 1:  # that density is not what a temperature aims at
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


def _row(kind: str, power: float, metric: str, error: Errors) -> Row:
    return {
        "reference": kind,
        "exponent": power,
        "metric": metric,
        "value": error.value,
        "se": error.se,
    }


def _biases(
    cells: list[tuple[Cell, str, Row, Aimed]],
    setups: dict[str, Setup],
    floors: dict[float, Errors],
) -> list[Row]:
    """How far guidance is off its tilted density, by setup, scale and sampler."""
    plain = {
        sampler: (cell.setup, aimed)
        for cell, sampler, _, aimed in cells
        if setups[cell.setup].conditional and setups[cell.setup].guidance == "none"
    }
    rows = []
    for cell, sampler, row, guided in cells:
        setup, unguided = plain.get(sampler, ("", None))
        if unguided and cell.setup != setup:
            rows.append(row | _row("tilted", guided.power, "bias", bias(guided, unguided, floors)))
    return rows


def _pulled_apart(truth: Truth, world: World) -> dict[str, np.ndarray]:
    """Samples of every class by the first setup of each kind: the CFG notes' three Gaussians."""
    pictures = {}
    kinds: dict[str, str] = {}
    for key, setup in world.setups.items():
        guided = setup.guidance in ("cfg", "classifier") and setup.temperature == 1
        if guided and samplers(setup, world):
            kinds.setdefault(setup.guidance, key)
    for key in kinds.values():
        setup = world.setups[key]
        sampler = next(iter(samplers(setup, world).values()))
        for scale in setup.scales:
            for label in range(truth.mixture.classes):
                points = truth.sample(setup, scale, sampler, label)[: SHOWN // 2]
                pictures[f"class:{label}:{key}:{scale}"] = points.float().numpy()
    return pictures
