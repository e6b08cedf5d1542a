"""Whether a guided field is a gradient: its rotation (docs/mathematics.md, Guidance).

A field v(x) of x [N, *shape] is the gradient of a scalar where its Jacobian J is symmetric; in two
dimensions what is not is the curl, J_21 - J_12. Derivatives are central differences of the guides
as samplers call them, in float64.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from guidebench.analysis.ground_truth import Truth
from guidebench.base.cells import Cell

if TYPE_CHECKING:
    from guidebench.pipeline.experiment.sections import Setup

Field = Callable[[Tensor], Tensor]
TIMES = (0.1, 0.3, 0.5, 0.7, 0.9)  # fractions of the process at which fields are measured
POINTS = 256  # of a world's, at each of these times
# central difference of order 6 (Fornberg 1988, table 1): weights of v(x + k h u) - v(x - k h u);
# h in units of sigma_t, the least width of p_t
WEIGHTS = {1: 3 / 4, 2: -3 / 20, 3: 1 / 60}
STEP = 1e-3
CLEAREST = 1e-6  # sigma_t below which x + h u is x but for its last digits: nothing is measured


def is_field(setup: Setup) -> bool:
    """Whether what a setup adds follows from x and t alone: its stabilizer has no memory."""
    return ":" not in setup.guidance and setup.stabilizer.name in ("none", "norm_clip")


def guided(truth: Truth, setup: Setup, scale: float | None, target: int, t: Any) -> Field:
    """The guided eps of a setup at one t; a push of the mean counts as one of the score."""
    sigma = truth.schedule.sigma(t)

    def field(x: Tensor) -> Tensor:
        prediction = truth.guide(setup, scale, 1, target, len(x))(x, t, 0)
        if prediction.shift is None:
            return prediction.eps
        return prediction.eps - sigma * prediction.shift

    return field


def guidance(truth: Truth, setup: Setup, scale: float | None, target: int, t: Any) -> Field:
    """What a setup adds to the eps of the same denoiser without guidance."""
    whole = guided(truth, setup, scale, target, t)
    labelled = setup.conditional or setup.guidance == "cfg"
    plain = setup.model_copy(
        update={"guidance": "none", "classifier": None, "conditional": labelled}
    )
    base = guided(truth, plain, None, target, t)
    return lambda x: whole(x) - base(x)


def derivative(field: Field, x: Tensor, direction: Tensor, step: float) -> Tensor:
    """J u like x [N, *shape] for the direction u of each row, like x."""
    offsets = [sign * k * step * direction for k in WEIGHTS for sign in (1, -1)]
    # all of them in one call
    ahead, behind = (
        field(torch.cat([x + offset for offset in offsets]))
        .view(len(WEIGHTS), 2, *x.shape)
        .unbind(1)
    )
    terms = (
        weight / step * (a - b)
        for weight, a, b in zip(WEIGHTS.values(), ahead, behind, strict=True)
    )
    return sum(terms, start=torch.zeros_like(x))


def curl(field: Field, x: Tensor, step: float) -> Tensor:
    """J_21 - J_12 [N] of a field in two dimensions at x [N, 2]."""
    first, second = (
        derivative(field, x, axis.expand(x.shape), step) for axis in torch.eye(2).to(x)
    )
    return first[:, 1] - second[:, 0]


def rotation(field: Callable[[Any], Field], truth: Truth, seed: int, blocks: int = 0) -> Tensor:
    """The antisymmetric share of the Jacobian of `field(t)`: of all, then without each block.

    |(J - J^T) / 2| / |J| in Frobenius norm, the root of the mean of its square over x_t of p_t and
    over TIMES that are not of clean data: 0 for a gradient, 1 for a pure rotation, NaN for a field
    that is 0 everywhere. In two or more dimensions; `blocks` as in
    `ground_truth.Reference.measure`; [1 + blocks].
    """
    count = min(POINTS, len(truth.seeds))
    size = torch.Size(truth.mixture.shape).numel()
    member = torch.arange(count) * blocks // count
    kept = [torch.ones(count, dtype=torch.bool), *(member != b for b in range(blocks))]
    generator = torch.Generator().manual_seed(seed)
    shares = [torch.full((1 + blocks,), torch.nan, dtype=torch.float64)]
    for time in TIMES:
        t = truth.schedule.at_time(time)
        sigma = float(truth.schedule.sigma(t))
        if sigma < CLEAREST:  # of few timesteps, too: the first of TIMES is CLEAN
            continue
        x, step = truth.start(t)[:count], STEP * sigma
        u, v = _orthonormal(count, size, generator)
        along_u, along_v = (
            derivative(field(t), x, axis.view_as(x), step).flatten(1) for axis in (u, v)
        )
        # over orthonormal pairs E (v J u - u J v)^2 = |J - J^T|^2 / (d (d - 1)), E |J u|^2 is
        # |J|^2 / d
        twist = ((v * along_u).sum(1) - (u * along_v).sum(1)).square()
        length = along_u.square().sum(1) + along_v.square().sum(1)
        shares.append(
            torch.stack(
                [(size - 1) * twist[rows].mean() / (2 * length[rows].mean()) for rows in kept]
            )
        )
    return torch.stack(shares).nanmean(0).sqrt()


def _orthonormal(count: int, size: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Pairs of orthonormal vectors [N, d], uniform over all of them."""
    first, second = torch.randn(2, count, size, generator=generator, dtype=torch.float64)
    u = torch.nn.functional.normalize(first, dim=1)
    across = second - (second * u).sum(1, keepdim=True) * u
    return u, torch.nn.functional.normalize(across, dim=1)


def drawn(setups: dict[str, Setup]) -> list[Cell]:
    """The cells whose curl is drawn: the first field of each kind of guidance and input."""
    kinds: dict[tuple[str, str], Cell] = {}
    for name, setup in setups.items():
        if is_field(setup) and setup.guidance != "none" and setup.temperature == 1:
            kind = setup.guidance, setup.input
            kinds.setdefault(kind, Cell(name, max(setup.scales)))
    return list(kinds.values())
