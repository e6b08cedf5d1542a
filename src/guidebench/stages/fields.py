"""Of a world: which guided fields are gradients, with exact and with trained networks."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from guidebench.analysis.fields import (
    POINTS,
    STEP,
    Field,
    curl,
    drawn,
    guidance,
    guided,
    is_field,
    rotation,
)
from guidebench.analysis.ground_truth import Truth, densities, exponent, jackknife
from guidebench.analysis.learned import learned
from guidebench.base.cells import Cell
from guidebench.base.seeds import derive
from guidebench.pipeline.recording import Methods

if TYPE_CHECKING:
    from guidebench.pipeline.experiment.world_section import World

SIDE, TIME = 48, 0.3  # of the drawn curl: points along an axis, and the fraction of the process
# by reference: the field of exact networks, that of trained ones, and what guidance adds to this
KINDS: Methods[Callable[..., Field]] = Methods(exact=guided, learned=guided, guidance=guidance)
Row = dict[str, Any]


def measured(
    world: World, truth: Truth, cells: list[Cell], blocks: int, seed: int
) -> tuple[list[Row], dict[str, np.ndarray]]:
    """Rows of the table `truth` with metric `rotation`, and pictures of the curl in 2-D worlds."""
    if math.prod(truth.mixture.shape) < 2:
        return [], {}  # in one dimension every field is a gradient
    truths = {"exact": truth}
    if world.learned_steps:
        trained = learned(truth, world.learned_steps, derive(seed, "learned"))
        truths |= {"learned": trained, "guidance": trained}
    rows = []
    for cell in cells:
        setup = world.setups[cell.setup]
        for reference, one in truths.items():
            if not is_field(setup) or (reference, setup.guidance) == ("guidance", "none"):
                continue
            field = partial(KINDS[reference], one, setup, cell.scale, world.target)
            values = rotation(field, one, derive(seed, "directions"), blocks)
            if values.isfinite().all():  # a guidance of scale 0 has no direction
                found = jackknife(values)
                rows.append(
                    cell._asdict()
                    | {
                        "sampler": "none",
                        "steps": 0,
                        "n": min(POINTS, len(truth.seeds)),
                        "evaluations": 0.0,
                        "reference": reference,
                        "exponent": exponent(setup, cell.scale),
                        "metric": "rotation",
                        "value": found.value,
                        "se": found.se,
                    }
                )
    shown = drawn(world.setups)
    if not world.learned_steps or not shown or truth.mixture.shape != (2,):
        return rows, {}
    return rows, _pictures(world, truths, shown)


def _pictures(world: World, truths: dict[str, Truth], cells: list[Cell]) -> dict[str, np.ndarray]:
    """Curl on the square of `densities`: `curl:reference:setup:scale` [SIDE, SIDE] float32."""
    exact = truths["exact"]
    t = exact.schedule.at_time(TIME)
    _, (left, right, low, high) = densities(exact.mixture, 0.0, 2)
    axes = (
        torch.linspace(*ends, SIDE, dtype=torch.float64) for ends in ((left, right), (low, high))
    )
    points = torch.stack(torch.meshgrid(*axes, indexing="xy"), dim=-1).reshape(-1, 2)
    level = exact.schedule.alpha(t), exact.schedule.sigma(t)
    shown = {"curl_density": exact.mixture.log_density(points, *level).exp()}
    for cell in cells:
        for reference, one in truths.items():
            field = KINDS[reference](one, world.setups[cell.setup], cell.scale, world.target, t)
            shown[f"curl:{reference}:{cell.key}"] = curl(field, points, STEP * float(level[1]))
    return {key: grid.reshape(SIDE, SIDE).float().numpy() for key, grid in shown.items()}
