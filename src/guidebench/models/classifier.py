"""Classifiers: two small ones, any of torchvision's by name, or a user's `module:attribute`.

A user's is a callable (outputs) -> nn.Module that maps images [N, 3, H, W] to [N, outputs]; with
an attribute `takes_time` it is called with (images, time [N] in [0, 1]).
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional

from guidebench.base.plugins import plugin
from guidebench.pipeline.errors import UserError
from guidebench.pipeline.recording import Methods
from guidebench.pipeline.records.artifacts import read_json


def small_cnn(outputs: int) -> nn.Module:
    """Four convolutions of stride 1, 2, 2, 2 and global average pooling."""
    widths = [3, 32, 64, 96, 128]
    blocks = [
        nn.Sequential(
            nn.Conv2d(a, b, 3, stride=1 if a == 3 else 2, padding=1, bias=False),
            nn.BatchNorm2d(b),
            nn.SiLU(),
        )
        for a, b in pairwise(widths)
    ]
    return nn.Sequential(*blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(128, outputs))


def small_resnet(outputs: int) -> nn.Module:
    """A torchvision ResNet with one BasicBlock per stage."""
    # torchvision takes seconds to import: only for the classifiers that need it
    from torchvision.models.resnet import BasicBlock, ResNet

    return ResNet(BasicBlock, [1, 1, 1, 1], num_classes=outputs)


ARCHITECTURES: Methods[Callable[[int], nn.Module]] = Methods(
    small_cnn=small_cnn, small_resnet=small_resnet
)


def of_torchvision(architecture: str, outputs: int) -> nn.Module:
    """A classification model of torchvision, untrained; UserError for an unknown name."""
    from torchvision import models

    if architecture not in models.list_models(module=models):
        raise UserError(
            f"architecture: found {architecture}, allowed: {', '.join(ARCHITECTURES)} "
            "or a classification model of torchvision"
        )
    body: nn.Module = models.get_model(architecture, weights=None, num_classes=outputs)
    return body


class Classifier(nn.Module):
    """Images [N, 1 or 3, H, W] in [-1, 1] to logits [N, outputs], with a last hidden layer.

    Two classes of an attribute use one logit f, the evidence for class 1. `features` [N, hidden]
    are the last hidden layer's, on which fd and cfd of the judge are computed.
    """

    def __init__(self, architecture: str, classes: int, hidden: int) -> None:
        super().__init__()
        if architecture in ARCHITECTURES:
            self.body = ARCHITECTURES[architecture](hidden)
        elif ":" in architecture:
            self.body = plugin(architecture)(hidden)
        else:
            self.body = of_torchvision(architecture, hidden)
        for module in self.body.modules():
            # mobilenet_v3's momentum 0.01 leaves running statistics wrong after a short training
            if isinstance(module, nn.BatchNorm2d):
                module.momentum = 0.1
        self.head = nn.Linear(hidden, 1 if classes == 2 else classes)

    def features(self, x: Tensor, time: Tensor | float = 0.0) -> Tensor:
        """The last hidden layer [N, hidden]; gray images are repeated to three channels.

        `time` [N] or one number, a fraction of the process, reaches bodies with `takes_time`.
        """
        x = x.expand(-1, 3, -1, -1)
        if getattr(self.body, "takes_time", False):
            times = torch.as_tensor(time, dtype=x.dtype, device=x.device).expand(len(x))
            hidden: Tensor = self.body(x, times)
        else:
            hidden = self.body(x)
        return functional.silu(hidden)

    def forward(self, x: Tensor, time: Tensor | float = 0.0) -> Tensor:
        """Logits [N, outputs]."""
        logits: Tensor = self.head(self.features(x, time))
        return logits

    def log_prob(self, logits: Tensor, target: int | Tensor, temperature: float = 1.0) -> Tensor:
        """Rows' log p(target | input): log_softmax, or logsigmoid(+-f) (docs/mathematics.md).

        `target`: one class number for all rows, or one a row [N].
        """
        logits = logits / temperature
        rows = torch.as_tensor(target, device=logits.device).expand(len(logits))
        if logits.shape[1] == 1:
            return functional.logsigmoid(torch.where(rows == 1, logits[:, 0], -logits[:, 0]))
        return functional.log_softmax(logits, dim=1).gather(1, rows[:, None])[:, 0]

    def loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Cross entropy, averaged over rows."""
        if logits.shape[1] == 1:
            return functional.binary_cross_entropy_with_logits(logits[:, 0], labels.to(logits))
        return functional.cross_entropy(logits, labels)


def predicted(logits: Tensor) -> Tensor:
    """Class numbers [N] from logits."""
    return (logits[:, 0] > 0).long() if logits.shape[1] == 1 else logits.argmax(dim=1)


def load(folder: Path, device: torch.device) -> Classifier:
    """A trained classifier, frozen and in eval mode."""
    config = read_json(folder / "config.json")
    model = Classifier(config["architecture"], config["classes"], config["hidden"])
    try:
        model.load_state_dict(load_file(folder / "model.safetensors"))
    except (OSError, RuntimeError, SafetensorError) as error:
        raise UserError(f"{folder / 'model.safetensors'}: not these weights ({error})") from error
    return model.to(device).to(memory_format=torch.channels_last).eval().requires_grad_(False)
