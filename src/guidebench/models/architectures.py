"""Networks that a classifier is made of: two small ones, torchvision's by name, or a user's.

A user's `module:attribute` is a callable (outputs) -> nn.Module that maps images [N, 3, H, W] to
[N, outputs]; with an attribute `takes_time` it is called with (images, time [N] in [0, 1]).
"""

from collections.abc import Callable
from itertools import pairwise

from torch import nn

from guidebench.base.plugins import plugin
from guidebench.pipeline.errors import UserError
from guidebench.pipeline.recording import Methods


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


# with heads for training alone, which are left out
AUXILIARY = ("googlenet", "inception_v3")


def of_torchvision(architecture: str, outputs: int) -> nn.Module:
    """A classification model of torchvision, untrained; UserError for an unknown name."""
    from torchvision import models

    if architecture not in models.list_models(module=models):
        raise UserError(
            f"architecture: found {architecture}, allowed: {', '.join(ARCHITECTURES)} "
            "or a classification model of torchvision"
        )
    less = {"aux_logits": False, "init_weights": True} if architecture in AUXILIARY else {}
    body: nn.Module = models.get_model(architecture, weights=None, num_classes=outputs, **less)
    return body


def network(architecture: str, outputs: int) -> nn.Module:
    """The network of that name, untrained, with that many outputs."""
    if architecture in ARCHITECTURES:
        return ARCHITECTURES[architecture](outputs)
    if ":" in architecture:
        body: nn.Module = plugin(architecture)(outputs)
        return body
    return of_torchvision(architecture, outputs)


def last_layer(body: nn.Module) -> str:
    """The name of a network's last layer with weights: the one whose outputs are its logits."""
    kinds = (nn.Linear, nn.Conv2d)
    return [name for name, module in body.named_modules() if isinstance(module, kinds)][-1]
