"""Averaged weights of a training."""

import copy
from itertools import chain

import torch
from torch import Tensor, nn


class Average:
    """The exponential average of a model's weights and buffers, in `module`: a <- d a + (1 - d) w.

    It begins with the weights after the first step; whole numbers are the model's last.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.module, self.decay = copy.deepcopy(model), decay
        kept, now = (
            [value.detach() for value in chain(network.parameters(), network.buffers())]
            for network in (self.module, model)
        )
        pairs = list(zip(kept, now, strict=True))
        self._floats = [pair for pair in pairs if pair[0].is_floating_point()]
        self._counts = [pair for pair in pairs if not pair[0].is_floating_point()]

    def update(self, step: int) -> None:
        """After the zero-based `step`: one kernel for all weights, and nothing that stops a GPU."""
        kept: list[Tensor] = [average for average, _ in self._floats]
        now: list[Tensor] = [weight for _, weight in self._floats]
        torch._foreach_lerp_(kept, now, 1 - self.decay if step else 1.0)
        for count, last in self._counts:
            count.copy_(last)
