"""Where in a file of weights the network of a classifier lies.

Somebody's wrapper has a name before those of the network (`classifier.`, `module.`), a file may
hold several networks, and one that a run of ours wrote has `body.` and `head.` before its names.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import accumulate
from typing import NamedTuple

from torch import Tensor, nn

from guidebench.models.classifier import COUNTER, Classifier, difference

# heads for training alone in torchvision's files, with the dot after their name
TRAINING_HEADS = ("aux1.", "aux2.", "AuxLogits.")
# names in torchvision's files of networks that have others today (densenet's, vit's)
RENAMED = (
    (re.compile(r"(denselayer\d+\.(?:norm|relu|conv))\.([12]\.)"), r"\1\2"),
    (re.compile(r"mlp\.linear_1\."), "mlp.0."),
    (re.compile(r"mlp\.linear_2\."), "mlp.3."),
)
BODY, HEAD = "body", "head"  # of a classifier of ours


class Place(NamedTuple):
    """Where in a file a network lies, or seems to."""

    prefix: str  # before its names
    tensors: dict[str, Tensor]  # by their names without it
    model: Classifier  # with a layer of ours, if there is one
    said: str | None  # how they differ from the network's, but for the number of outputs

    @property
    def last(self) -> str:
        """The name of the layer that gives the logits."""
        return self.model.last or HEAD

    @property
    def outputs(self) -> int:
        """How many there are in the file, where `said` is None."""
        return len(self.tensors[f"{self.last}.weight"])


def next_layer(weights: Mapping[str, Tensor], place: Place, classes: int) -> str | None:
    """A layer beside a network that takes its outputs, which are then no logits of classes.

    As many outputs as classes may be those, so then only a layer of the name that ours has counts.
    """
    parent = re.sub(r"[^.]*\.$", "", place.prefix)
    fits = place.outputs == classes or (place.outputs, classes) == (1, 2)
    for name, tensor in weights.items():
        beside = name.startswith(parent) and not name.startswith(place.prefix)
        if beside and name.endswith(".weight") and tensor.ndim == 2:
            named = name == f"{parent}{HEAD}.weight"
            if tensor.shape[1] == place.outputs and (named or not fits):
                return name
    return None


def places(weights: Mapping[str, Tensor], model: Classifier) -> list[Place]:
    """Every place with all names of a network; where there is none, that with most of them."""
    wanted = model.body.state_dict()
    ends = Counter(
        name.removesuffix(end)
        for name in (one for old in weights for one in {old, _renamed(old)})
        for end in _ends(name)
        if end in wanted
    )
    count = sum(not name.endswith(COUNTER) for name in wanted)
    most = max(ends, key=lambda one: (ends[one], -len(one)), default="")
    prefixes = [prefix for prefix in ends if ends[prefix] >= count] or [most]
    return [_recognised(weights, prefix, model) for prefix in prefixes]


def _recognised(weights: Mapping[str, Tensor], prefix: str, model: Classifier) -> Place:
    """The network below a prefix, with the layer of ours if that takes what the network gives."""
    if prefix == f"{BODY}." or prefix.endswith(f".{BODY}."):
        parent = prefix.removesuffix(f"{BODY}.")
        head, last = (
            weights.get(f"{name}.weight") for name in (f"{parent}{HEAD}", f"{prefix}{model.last}")
        )
        if head is not None and last is not None and head.ndim == 2 and last.ndim:
            if head.shape[1] == len(last):
                return place_at(
                    weights, parent, Classifier(**model.settings | {"hidden": len(last)})
                )
    return place_at(weights, prefix, model)


def place_at(weights: Mapping[str, Tensor], prefix: str, model: Classifier) -> Place:
    """What a file has below a prefix, beside what a network wants."""
    network, below = network_of(model), {}
    names = set(network.state_dict())
    for name in (name for name in weights if name.startswith(prefix)):
        short = name.removeprefix(prefix)
        if short not in names:
            short = _renamed(short)
            if short.endswith(COUNTER) or short.startswith(TRAINING_HEADS):
                continue
        below[short] = weights[name]
    return Place(prefix, below, model, difference(network, below, model.last or HEAD))


def network_of(model: Classifier) -> nn.Module:
    """What a file has the tensors of: with a layer of ours all of it."""
    return model if model.head is not None else model.body


def _renamed(name: str) -> str:
    """Today's name of a tensor of torchvision's."""
    for pattern, new in RENAMED:
        name = pattern.sub(new, name)
    return name


def _ends(name: str) -> Iterable[str]:
    """`a.b.c`: itself, `b.c` and `c`."""
    parts = name.split(".")
    return accumulate(reversed(parts), lambda end, part: f"{part}.{end}")
