"""What a classifier is given of an image: its own size and normalisation."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional


class Preprocess(nn.Module):
    """Images [N, 3, H, W] in [-1, 1] to what a classifier was made for; gradients go through.

    `size`: side that they are resized to: bilinear with half-pixel centres, antialiased (a triangle
    as wide as the shrinking); None: as they are. `mean` and `std`: (x - mean) / std of each channel
    in [0, 1]; None: as they are, in [-1, 1].
    """

    def __init__(
        self,
        mean: Sequence[float] | None = None,
        std: Sequence[float] | None = None,
        size: int | None = None,
    ) -> None:
        super().__init__()
        self.size = size
        self.mean: Tensor | None
        self.std: Tensor | None
        for name, values in {"mean": mean, "std": std}.items():
            # they go to the device with the network, and into no file of its weights
            buffer = None if values is None else torch.tensor(values).view(1, -1, 1, 1)
            self.register_buffer(name, buffer, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Images [N, 3, size, size]."""
        if self.size is not None and self.size != x.shape[-1]:
            x = functional.interpolate(x, (self.size, self.size), mode="bilinear", antialias=True)
        if self.mean is None or self.std is None:
            return x
        return ((x + 1) / 2 - self.mean) / self.std
