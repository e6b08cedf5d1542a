"""The MNIST notebook's U-Net of ShuffleNet units, with softmax time bins and label embeddings."""

from itertools import pairwise

import torch
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from diffusers.models.unets.unet_2d import UNet2DOutput
from torch import Tensor, nn
from torch.nn import functional


def _conv(inputs: int, outputs: int) -> nn.Sequential:
    """1x1 convolution, batch norm, SiLU."""
    return nn.Sequential(nn.Conv2d(inputs, outputs, 1), nn.BatchNorm2d(outputs), nn.SiLU())


def _depthwise(channels: int, stride: int) -> nn.Sequential:
    """3x3 convolution of each channel by itself, batch norm."""
    return nn.Sequential(
        nn.Conv2d(channels, channels, 3, stride, 1, groups=channels), nn.BatchNorm2d(channels)
    )


def _shuffle(x: Tensor) -> Tensor:
    """Interleave the two halves of the channels."""
    n, c, h, w = x.shape
    return x.view(n, 2, c // 2, h, w).transpose(1, 2).reshape(n, c, h, w)


class Bottleneck(nn.Module):
    """ShuffleNet v2's basic unit: each half of the channels has a branch of its own."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        half = inputs // 2
        self.branch1 = nn.Sequential(_depthwise(half, 1), _conv(half, outputs // 2))
        self.branch2 = nn.Sequential(
            _conv(half, half), _depthwise(half, 1), _conv(half, outputs // 2)
        )

    def forward(self, x: Tensor) -> Tensor:
        """[N, inputs, H, W] to [N, outputs, H, W]."""
        one, two = x.chunk(2, dim=1)
        return _shuffle(torch.cat((self.branch1(one), self.branch2(two)), dim=1))


class Downsample(nn.Module):
    """ShuffleNet v2's unit that halves the side."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        half = outputs // 2
        self.branch1 = nn.Sequential(_depthwise(inputs, 2), _conv(inputs, half))
        self.branch2 = nn.Sequential(_conv(inputs, half), _depthwise(half, 2), _conv(half, half))

    def forward(self, x: Tensor) -> Tensor:
        """[N, inputs, H, W] to [N, outputs, ceil(H / 2), ceil(W / 2)]."""
        return _shuffle(torch.cat((self.branch1(x), self.branch2(x)), dim=1))


class Embedded(nn.Module):
    """Adds an embedding [N, E] to feature maps, through two linear layers, then SiLU."""

    def __init__(self, embedding: int, hidden: int, channels: int) -> None:
        super().__init__()
        self.mlp = nn.Sequential(
            nn.Linear(embedding, hidden), nn.SiLU(), nn.Linear(hidden, channels)
        )

    def forward(self, x: Tensor, embedding: Tensor | None) -> Tensor:
        """Like x [N, channels, H, W]; without an embedding x itself."""
        if embedding is None:
            return x
        return functional.silu(x + self.mlp(embedding)[:, :, None, None])


def _bottlenecks(channels: int, outputs: int, count: int = 3) -> nn.Sequential:
    units = [Bottleneck(channels, channels) for _ in range(count)]
    return nn.Sequential(*units, Bottleneck(channels, outputs))


class Encoder(nn.Module):
    """One level down. Label and time both go on: the notebook overwrites the label by the time."""

    def __init__(self, inputs: int, outputs: int, embedding: int) -> None:
        super().__init__()
        self.units = _bottlenecks(inputs, outputs // 2)
        self.label = Embedded(embedding, outputs, outputs // 2)
        self.time = Embedded(embedding, outputs, outputs // 2)
        self.down = Downsample(outputs // 2, outputs)

    def forward(self, x: Tensor, time: Tensor, label: Tensor | None) -> tuple[Tensor, Tensor]:
        """(next level, shortcut to the decoder)."""
        shortcut = self.units(x)
        return self.down(self.time(self.label(shortcut, label), time)), shortcut


class Decoder(nn.Module):
    """One level up."""

    def __init__(self, inputs: int, outputs: int, embedding: int) -> None:
        super().__init__()
        self.units = _bottlenecks(inputs, inputs // 2)
        self.label = Embedded(embedding, inputs, inputs // 2)
        self.time = Embedded(embedding, inputs, inputs // 2)
        self.last = Bottleneck(inputs // 2, outputs // 2)

    def forward(self, x: Tensor, shortcut: Tensor, time: Tensor, label: Tensor | None) -> Tensor:
        """The level above, at the shortcut's side."""
        x = functional.interpolate(x, size=shortcut.shape[2:], mode="bilinear")
        x = self.units(torch.cat((x, shortcut), dim=1))
        return self.last(self.time(self.label(x, label), time))


class ShuffleUNet(ModelMixin, ConfigMixin):  # type: ignore[misc]
    """Called like diffusers' UNet2DModel; the time arrives as 1000 t, t in [0, 1].

    A discrete schedule of T steps sends its index, and so uses the first T / 10 bins.
    """

    @register_to_config  # type: ignore[untyped-decorator]
    def __init__(
        self,
        in_channels: int = 1,
        channels: tuple[int, ...] = (28, 56, 112),
        embedding: int = 256,
        time_bins: int = 100,
        time_sharpness: float = 100.0,
        num_class_embeds: int | None = None,
    ) -> None:
        super().__init__()
        levels = list(pairwise(channels))
        self.first = nn.Sequential(
            nn.Conv2d(in_channels, channels[0], 3, 1, 1), nn.BatchNorm2d(channels[0]), nn.SiLU()
        )
        self.time = nn.Linear(time_bins, embedding)
        self.register_buffer("centres", (torch.arange(time_bins) + 0.5) / time_bins)
        self.label = nn.Embedding(num_class_embeds, embedding) if num_class_embeds else None
        self.encoders = nn.ModuleList(Encoder(a, b, embedding) for a, b in levels)
        self.middle = _bottlenecks(channels[-1], channels[-1] // 2, 2)
        self.decoders = nn.ModuleList(Decoder(b, a, embedding) for a, b in reversed(levels))
        self.last = nn.Conv2d(channels[0] // 2, in_channels, 1)

    def bins(self, t: Tensor) -> Tensor:
        """Softmax weights [N, bins] of the distance of t [N] in [0, 1] from each bin's centre."""
        distance = (t[:, None] - self.centres).abs()
        return torch.softmax(-self.config.time_sharpness * distance, dim=1)

    def forward(
        self,
        sample: Tensor,
        timestep: Tensor | float,
        class_labels: Tensor | None = None,
        return_dict: bool = True,
    ) -> UNet2DOutput | tuple[Tensor]:
        """Output like sample [N, C, H, W]; ValueError when labels do not fit the network."""
        if (self.label is None) != (class_labels is None):
            raise ValueError("class_labels belong to a network with label embeddings, and only to")
        t = torch.as_tensor(timestep, dtype=sample.dtype, device=sample.device) / 1000
        time = self.time(self.bins(t.expand(len(sample))))
        label = self.label(class_labels) if self.label is not None else None
        x, shortcuts = self.first(sample), []
        for encoder in self.encoders:
            x, shortcut = encoder(x, time, label)
            shortcuts.append(shortcut)
        x = self.middle(x)
        for decoder, shortcut in zip(self.decoders, reversed(shortcuts), strict=True):
            x = decoder(x, shortcut, time, label)
        output = self.last(x)
        return UNet2DOutput(sample=output) if return_dict else (output,)
