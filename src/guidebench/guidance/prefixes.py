"""Steps before the first guided one, which cells of a seed block share: computed once."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from torch import Tensor

from guidebench.base import choices
from guidebench.diffusion.samplers import Predict
from guidebench.guidance.built import GuidedCell
from guidebench.guidance.guides import Strength, Unguided
from guidebench.pipeline import recording

if TYPE_CHECKING:
    from guidebench.pipeline.experiment import sections

Film = list[list[np.ndarray]]


class Prefix(NamedTuple):
    """How a micro-batch stands at the end of a prefix, on the CPU, and what the last part cost."""

    x: Tensor
    lost: Tensor
    film: Film
    rows: int
    seconds: float
    ran: set[str]  # the functions behind it


class Prefixes:
    """The prefixes of cells of `setups`; each cell has their cost and functions as its own.

    A prefix ends where a setup's guidance begins, and is walked in parts from one end to the next.
    """

    def __init__(self, sampling: sections.Sampling, setups: Sequence[sections.Setup]) -> None:
        self.sampling, self.setups = sampling, setups
        # a block in float32 for each end and way to begin: 128 images of 3 x 64 x 64 are 6 MB
        self.found: dict[Hashable, Prefix] = {}

    def ends(self, cell: GuidedCell, grid: list[Any]) -> list[int]:
        """Steps at whose start a shared part ends, rising; at least one step comes after them."""
        kind, last = choices.unguided(cell.setup, self.sampling), len(grid) - 2
        if kind is None:
            return []
        # the corrector of a step looks at the next time
        ahead = choices.sampler(kind[0]).evaluations - 1

        def end(setup: sections.Setup) -> int:
            strength = Strength(cell.networks.schedule, setup.interval, setup.ramp)
            return next((i for i, t in enumerate(grid[:-1]) if strength(t)), last + 1) - ahead

        own = min(last, end(cell.setup)) if cell.scale else last
        alike = [one for one in self.setups if choices.unguided(one, self.sampling) == kind]
        return sorted({step for step in map(end, alike) if 0 < step <= own})

    def reach(
        self,
        cell: GuidedCell,
        end: int,
        rows: Hashable,
        walk: Callable[[Predict], Tensor],
        lost: Tensor,
        film: Film,
    ) -> tuple[Tensor, float]:
        """The state x [N, ...] at the end of a part, and the seconds that it cost before.

        `rows`: what the micro-batch depends on; `walk` goes there from the end before, and changes
        `lost` and `film`.
        """
        kind, denoiser = choices.unguided(cell.setup, self.sampling), cell.networks.denoiser
        assert kind is not None
        key, seconds, plain = (kind, cell.steps, end, rows), 0.0, Unguided(*cell.settings(kind[1]))
        if key in self.found:
            found = self.found[key]
            lost.copy_(found.lost)
            film[:] = found.film
            denoiser.rows += found.rows
            seconds = found.seconds
        else:
            before, started = denoiser.rows, time.perf_counter()
            with recording.apart() as ran:
                # on the CPU it is there: on a GPU, too, its seconds are over
                x = walk(plain).cpu()
            spent = denoiser.rows - before, time.perf_counter() - started
            found = self.found[key] = Prefix(x, lost.cpu().clone(), [*film], *spent, ran)
        recording.ran.update(found.ran)
        return found.x.to(lost.device), seconds
