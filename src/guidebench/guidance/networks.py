"""A denoiser as guides and the sensitivity analysis call it: with t, and labels bound."""

from typing import Any

import torch
from torch import Tensor

from guidebench.diffusion.schedule import Schedule


class BoundDenoiser:
    """The networks (x, t) -> output like x [N, ...] that a denoiser is, with and without a label.

    `denoiser(x, network time, label [N])`; `target`: one class for all rows, the [N] of each, or
    None where only `unconditional` is called. t is one for all rows.
    """

    def __init__(self, denoiser: Any, schedule: Schedule, target: int | Tensor | None) -> None:
        self.denoiser, self.schedule, self.target = denoiser, schedule, target

    def unconditional(self, x: Tensor, t: Any) -> Tensor:
        """Without a label; a conditional network gets the null token."""
        output: Tensor = self.denoiser(x, self.schedule.network_time(t))
        return output

    def conditional(self, x: Tensor, t: Any) -> Tensor:
        """With the target as label."""
        return self._labelled(x, t, len(x))

    def both(self, x: Tensor, t: Any) -> Tensor:
        """Of 2N rows, N with the target as label, then N with the null token."""
        return self._labelled(x, t, len(x) // 2)

    def _labelled(self, x: Tensor, t: Any, count: int) -> Tensor:
        label = torch.full((len(x),), self.denoiser.null, device=x.device)
        assert self.target is not None
        label[:count] = self.target
        output: Tensor = self.denoiser(x, self.schedule.network_time(t), label)
        return output
