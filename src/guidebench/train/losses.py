"""The losses of a training, looked at now and then."""

import math
from pathlib import Path

import torch
from accelerate import Accelerator
from torch import Tensor

from guidebench.pipeline.errors import UserError


class Losses:
    """Losses and gradients' norms of the last steps, on the device until somebody looks.

    Each look stops a GPU until it has done all that it was given.

    `steps`: of the whole training; `saved`: the last one with a good checkpoint, at `path`, or 0.
    """

    def __init__(self, accelerator: Accelerator, steps: int, saved: int, path: Path) -> None:
        self.accelerator, self.steps, self.saved, self.path = accelerator, steps, saved, path
        self._unseen: list[Tensor] = []

    def add(self, loss: Tensor, norm: Tensor) -> None:
        """Note one more step."""
        self._unseen.append(torch.stack((loss.detach(), norm)))

    def look(self, done: int) -> list[float]:
        """The losses since the last look, of the steps up to `done`: means over all processes.

        UserError at the first step whose loss or gradient's norm is NaN or infinite.
        """
        rows = self.accelerator.reduce(torch.stack(self._unseen), "mean").tolist()
        self._unseen = []
        for step, (loss, norm) in enumerate(rows, done - len(rows) + 1):
            if not math.isfinite(loss) or not math.isfinite(norm):
                raise self.diverged(step, f"loss {loss:g}, gradient's norm {norm:g}")
        return [loss for loss, _ in rows]

    def diverged(self, step: int, values: str) -> UserError:
        """What to say of a training that broke at its `step`-th step."""
        good = f"step {self.saved} ({self.path})" if self.saved else "none yet"
        return UserError(
            f"step {step} of {self.steps}: found {values}, allowed: finite numbers; last "
            f"good checkpoint: {good}; a lower learning_rate may help"
        )
