"""A small network that reads numbers off an image, such as where something lies."""

from itertools import pairwise

from torch import Tensor, nn

WIDTHS = (3, 16, 32, 64, 64)
HIDDEN = 64


class Regressor(nn.Module):
    """Images [N, 1 or 3, S, S] in [-1, 1] to numbers [N, K] of given mean and deviation [K].

    Convolutions of stride 2, then linear layers that see every place: nothing is pooled.
    """

    def __init__(self, size: int, mean: Tensor, deviation: Tensor) -> None:
        super().__init__()
        self.mean: Tensor
        self.deviation: Tensor
        self.register_buffer("mean", mean.float())
        self.register_buffer("deviation", deviation.float())
        layers: list[nn.Module] = []
        for a, b in pairwise(WIDTHS):
            layers += [nn.Conv2d(a, b, 3, stride=2, padding=1), nn.GroupNorm(8, b), nn.SiLU()]
            size = (size + 1) // 2
        layers += [nn.Flatten(), nn.Linear(WIDTHS[-1] * size**2, HIDDEN), nn.SiLU()]
        self.body = nn.Sequential(*layers, nn.Linear(HIDDEN, len(mean)))

    def forward(self, x: Tensor) -> Tensor:
        """The numbers [N, K]."""
        standard: Tensor = self.body(x.expand(-1, 3, -1, -1))
        return self.mean + self.deviation * standard

    def loss(self, predicted: Tensor, true: Tensor) -> Tensor:
        """Mean square error, each number in units of its deviation."""
        return ((predicted - true) / self.deviation).square().mean()
