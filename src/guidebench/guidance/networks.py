"""A denoiser with its labels bound, as guides and the sensitivity analysis call it."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from guidebench.diffusion.schedule import Schedule


class Networks:
    """Calls (x, t) -> output like x, with one target for all rows or one a row [N]."""

    def __init__(self, denoiser: Any, schedule: Schedule, target: int | Tensor | None) -> None:
        self.denoiser, self.schedule, self.target = denoiser, schedule, target

    def unconditional(self, x: Tensor, t: Any) -> Tensor:
        """Without a label; a conditional network gets the null token."""
        output: Tensor = self.denoiser(x, self.schedule.network_time(t))
        return output

    def conditional(self, x: Tensor, t: Any) -> Tensor:
        """With the target's label in every row."""
        return self._labelled(x, t, len(x))

    def both(self, x: Tensor, t: Any) -> Tensor:
        """Conditional rows, then rows with the null token (classifier-free guidance)."""
        return self._labelled(x, t, len(x) // 2)

    def _labelled(self, x: Tensor, t: Any, count: int) -> Tensor:
        label = torch.full((len(x),), self.denoiser.null, device=x.device)
        assert self.target is not None
        label[:count] = self.target
        output: Tensor = self.denoiser(x, self.schedule.network_time(t), label)
        return output
