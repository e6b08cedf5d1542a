"""Classifiers that somebody else trained: a file of weights, read into a network of a known name.

A `Classifier` with the network's own last layer comes of it; or, of a file that a run of ours wrote
(`body.` and `head.` before its names), one with a layer of ours.
"""

from __future__ import annotations

import pickle
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from guidebench.models.classifier import COUNTER, Classifier, check_values, difference, fill
from guidebench.pipeline.errors import UserError

if TYPE_CHECKING:
    from guidebench.pipeline.experiment import sections

# below which a state dict may lie in a torch file
NESTED = ("state_dict", "model_state_dict", "model", "net", "network")
# heads for training alone in torchvision's files, with the dot after their name
TRAINING_HEADS = ("aux1.", "aux2.", "AuxLogits.")
# names in torchvision's files of networks that have others today (densenet's, vit's)
RENAMED = (
    (re.compile(r"(denselayer\d+\.(?:norm|relu|conv))\.([12]\.)"), r"\1\2"),
    (re.compile(r"mlp\.linear_1\."), "mlp.0."),
    (re.compile(r"mlp\.linear_2\."), "mlp.3."),
)
ALLOWED = "a state dict of tensors alone, in safetensors or as torch.save writes it"


def read(options: sections.Classifier, classes: int) -> Classifier:
    """The classifier of a section with a checkpoint, for that many classes: frozen, on the CPU.

    Of its outputs only those of `outputs` are kept, in that order. UserError `key: found ...,
    allowed: ...` for a file that is none, or of another network or number of outputs.
    """
    path, chosen = Path(str(options.checkpoint)), options.outputs
    found, prefix = tensors(path), ""
    ours = options.prefix is None and "head.weight" in found
    ours = ours and all(name.startswith(("body.", "head.")) for name in found)
    hidden = found["head.weight"].shape[1] if ours else None
    model = _build(options, classes, hidden, len(chosen) if chosen else classes)
    if not ours:
        prefix, found = _below(found, model.body.state_dict(), options.prefix, path)
    last = model.last or "head"
    if f"{last}.weight" in found:
        count = len(found[f"{last}.weight"])
        if not chosen and (count, classes) == (1, 2):
            model = _build(options, classes, hidden, 1)
        else:
            _check(path, chosen, count, classes)
        for name in (f"{last}.weight", f"{last}.bias"):
            if chosen and name in found:
                found[name] = found[name][chosen]
    network = model if ours else model.body
    if said := difference(network, found):
        below = f" below {prefix!r}" if prefix else ""
        other = "" if options.prefix else ", or of more than that with their `prefix`"
        raise UserError(
            f"checkpoint: found {path}{below} ({said}), allowed: the weights of "
            f"{options.architecture}{other}"
        )
    check_values(network, found, path)
    fill(network, found)
    return model.eval().requires_grad_(False)


def _build(
    options: sections.Classifier, classes: int, hidden: int | None, outputs: int
) -> Classifier:
    return Classifier(
        options.architecture,
        classes,
        hidden,
        outputs,
        mean=options.mean,
        std=options.std,
        input_size=options.input_size,
    )


def _check(path: Path, chosen: list[int] | None, count: int, classes: int) -> None:
    """UserError where the outputs of a file, `count` of them, are not the classes."""
    has = f"and {path} has {count} outputs, allowed:"
    if chosen and max(chosen) >= count:
        raise UserError(f"outputs: found {chosen}, {has} numbers from 0 to {count - 1}")
    if not chosen and count != classes:
        raise UserError(f"outputs: found null, {has} the numbers of the {classes} classes' ones")


def tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a file by name; no code that it may hold is run.

    UserError `checkpoint: found ..., allowed: ...` where it has no state dict.
    """
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        content = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        said = error.strerror or error
        raise UserError(
            f"checkpoint: found {path} ({said}), allowed: a file that can be read"
        ) from error
    except pickle.UnpicklingError as error:
        # torch's own words advise to run it
        said = "it is damaged, or holds other objects, whose code would run"
        raise UserError(f"checkpoint: found {path} ({said}), allowed: {ALLOWED}") from error
    except Exception as error:  # whatever a damaged file makes torch or safetensors raise
        said = (str(error).splitlines() or [""])[0]
        raise UserError(
            f"checkpoint: found {path} ({type(error).__name__}: {said}), allowed: {ALLOWED}"
        ) from error
    state = _state_dict(content)
    if state is None:
        keys = ", ".join(map(str, content)) if isinstance(content, Mapping) else "none"
        raise UserError(f"checkpoint: found {path} (keys: {keys[:80]}), allowed: {ALLOWED}")
    return state


def _state_dict(content: Any) -> dict[str, Tensor] | None:
    """A mapping of names to tensors, itself or below one of the usual keys."""
    if not isinstance(content, Mapping) or not content:
        return None
    if all(isinstance(value, Tensor) for value in content.values()):
        return {str(name): tensor for name, tensor in content.items()}
    inner = (_state_dict(content.get(key)) for key in NESTED)
    return next((state for state in inner if state), None)


def _below(
    found: Mapping[str, Tensor], wanted: Iterable[str], named: str | None, path: Path
) -> tuple[str, dict[str, Tensor]]:
    """The prefix of a network's names in a file, and the file's tensors without it.

    A `named` one leaves out what does not begin with it; else it is the one below which most of the
    `wanted` names are, and what has another name stays.
    """
    names = set(wanted)
    if named is None:
        ends = Counter(
            name.removesuffix(end) for name in found for end in _ends(name) if end in names
        )
        prefix = max(ends, key=lambda one: (ends[one], -len(one)), default="")
    else:
        prefix = f"{named.rstrip('.')}." if named else ""
        found = {name: tensor for name, tensor in found.items() if name.startswith(prefix)}
        if not found:
            raise UserError(f"prefix: found {named}, allowed: one that names in {path} begin with")
    below = {}
    for name, tensor in found.items():
        short = name.removeprefix(prefix)
        if short not in names:
            for pattern, new in RENAMED:
                short = pattern.sub(new, short)
            if short.endswith(COUNTER) or short.startswith(TRAINING_HEADS):
                continue
        below[short] = tensor
    return prefix, below


def _ends(name: str) -> Iterable[str]:
    """`a.b.c`: itself, `b.c` and `c`."""
    parts = name.split(".")
    return accumulate(reversed(parts), lambda end, part: f"{part}.{end}")
