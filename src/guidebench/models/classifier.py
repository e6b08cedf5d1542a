"""Classifiers: a network by its name, with a last layer of ours or with its own."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional

from guidebench.models.architectures import last_layer, network
from guidebench.models.preprocess import Preprocess
from guidebench.pipeline.errors import UserError
from guidebench.pipeline.records.artifacts import read_json

# of batch normalisation; old files have none, and nothing reads it but a training
COUNTER = "num_batches_tracked"


class Classifier(nn.Module):
    """Images [N, 1 or 3, H, W] in [-1, 1] to logits [N, outputs], with a last hidden layer.

    `hidden`: width of a last hidden layer of ours, after the network of that `architecture`; None:
    the network's own last layer gives the logits, as in a checkpoint of somebody else's. Two
    classes of an attribute use one logit f, the evidence for class 1; `outputs`: how many there are
    where a checkpoint has another number. `log_prob` is over these alone: of a checkpoint that
    knows more classes, given that the image is of one of ours. The other arguments are
    `Preprocess`'s.
    """

    def __init__(
        self,
        architecture: str,
        classes: int,
        hidden: int | None,
        outputs: int | None = None,
        mean: Sequence[float] | None = None,
        std: Sequence[float] | None = None,
        input_size: int | None = None,
    ) -> None:
        super().__init__()
        optional = {"outputs": outputs, "mean": mean, "std": std, "input_size": input_size}
        # the keyword arguments that make it anew
        named: dict[str, Any] = {"architecture": architecture, "classes": classes, "hidden": hidden}
        self.settings = named | {k: value for k, value in optional.items() if value is not None}
        count = outputs or (1 if classes == 2 else classes)
        self.body = network(architecture, hidden or count)
        for module in self.body.modules():
            # mobilenet_v3's momentum 0.01 leaves running statistics wrong after a short training
            if isinstance(module, nn.BatchNorm2d):
                module.momentum = 0.1
        self.head = nn.Linear(hidden, count) if hidden else None
        self.last = "" if hidden else last_layer(self.body)
        self.preprocess = Preprocess(mean, std, input_size)

    def hidden_and_logits(self, x: Tensor, time: Tensor | float = 0.0) -> tuple[Tensor, Tensor]:
        """The last hidden layer [N, hidden], on which fd and cfd of the judge are computed, and
        the logits [N, outputs]; gray images are repeated to three channels.

        Of a network without a layer of ours it is what its last layer gets, averaged over places
        where that is a map. `time` [N] or one number, a fraction of the process, reaches bodies
        with `takes_time`.
        """
        x = self.preprocess(x.expand(-1, 3, -1, -1))
        if self.head is not None:
            hidden = functional.silu(self._through(x, time))
            return hidden, self.head(hidden)
        given: list[Tensor] = []
        last = self.body.get_submodule(self.last)
        with last.register_forward_pre_hook(lambda module, inputs: given.append(inputs[0])):
            logits = self._through(x, time)
        hidden = given[-1]
        return (hidden.mean((2, 3)) if hidden.ndim == 4 else hidden), logits

    def _through(self, x: Tensor, time: Tensor | float) -> Tensor:
        """What the body answers to images as it is given them."""
        given = [x]
        if getattr(self.body, "takes_time", False):
            given.append(torch.as_tensor(time, dtype=x.dtype, device=x.device).expand(len(x)))
        answer: Tensor = self.body(*given)
        return answer

    def forward(self, x: Tensor, time: Tensor | float = 0.0) -> Tensor:
        """Logits [N, outputs]."""
        return self.hidden_and_logits(x, time)[1]

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
    """Class numbers [N] from logits; -1, which is no class, where a row is not finite.

    The largest of logits that are all NaN would be the first.
    """
    classes = (logits[:, 0] > 0).long() if logits.shape[1] == 1 else logits.argmax(dim=1)
    return classes.where(logits.isfinite().all(dim=1), -1)


def fill(model: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Give a network these weights; what else it has of state counts batches of training alone.

    Not by `load_state_dict`: torchvision's mnasnet takes none that was in a file of safetensors.
    """
    with torch.no_grad():
        for name, value in model.state_dict().items():
            value.copy_(weights.get(name, value))


def difference(
    model: nn.Module, weights: Mapping[str, Tensor], last: str | None = None
) -> str | None:
    """How weights differ from a network's by name or shape, in words; None: they do not.

    The layer `last` may have another number of outputs.
    """
    wanted = model.state_dict()
    named = [name for name in wanted if not name.endswith(COUNTER)]
    missing = [name for name in named if name not in weights]
    left = [name for name in weights if name not in wanted]
    if words := list(filter(None, [listed("no", missing), listed("left over", left)])):
        return "; ".join(words)
    for name in named:
        found, shape = list(weights[name].shape), list(wanted[name].shape)
        if name in (f"{last}.weight", f"{last}.bias"):
            shape[:1] = weights[f"{last}.weight"].shape[:1]
        if found != shape:
            return f"{name} is {found}, not {shape}"
    return None


def listed(verb: str, names: Sequence[str]) -> str | None:
    """`no a.weight and 3 more`; None of no names."""
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return f"{verb} {names[0]}{more}" if names else None


def check_values(model: nn.Module, weights: Mapping[str, Tensor], path: Path) -> None:
    """UserError where weights of a file are no finite numbers as the network keeps them.

    What the network has of whole numbers, as counts of batches and positions, may be of any type.
    """
    for name, wanted in model.state_dict().items():
        if name not in weights or not wanted.is_floating_point():
            continue
        found, said = weights[name], ""
        if not found.is_floating_point():
            said = f"of type {str(found.dtype).removeprefix('torch.')}"
        elif broken := int((~found.to(wanted.dtype).isfinite()).sum()):
            kept = str(wanted.dtype).removeprefix("torch.")
            said = f"NaN or infinite in {broken} of {found.numel()} values as {kept}"
        if said:
            allowed = "finite floating-point numbers"
            raise UserError(f"checkpoint: found {path} ({name} is {said}), allowed: {allowed}")


def check_outputs(outputs: Tensor, path: Path) -> None:
    """UserError where what a network with weights of a file answers to images is not finite.

    So it may be of finite weights, as with a negative variance in batch normalisation.
    """
    if not outputs.isfinite().all():
        allowed = "weights that give finite numbers"
        raise UserError(
            f"checkpoint: found {path} (its outputs are not finite), allowed: {allowed}"
        )


def load(folder: Path, device: torch.device) -> Classifier:
    """A classifier as its stage wrote it, frozen and in eval mode."""
    model, path = Classifier(**read_json(folder / "config.json")), folder / "model.safetensors"
    try:
        weights = load_file(path)
    except (OSError, SafetensorError) as error:
        raise UserError(f"{path}: not these weights ({error})") from error
    if said := difference(model, weights):
        raise UserError(f"{path}: not these weights ({said})")
    fill(model, weights)
    return model.to(device).to(memory_format=torch.channels_last).eval().requires_grad_(False)
