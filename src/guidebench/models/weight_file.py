"""The tensors in a file of weights, and what a file is in which there are none."""

import pickle
import re
import warnings
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from guidebench.pipeline.errors import UserError

# below which a state dict may lie in a torch file
NESTED = ("state_dict", "model_state_dict", "model", "net", "network")
ALLOWED = (
    "a state dict of tensors alone, in safetensors or as torch.save(network.state_dict(), ...) "
    "writes it"
)
ZIP = b"PK\x03\x04"
HEAD = 512  # bytes that tell what a file is
State = dict[str, Tensor]


def tensors(path: Path, whole: Callable[[State], bool]) -> State:
    """The tensors of a file by name; no code that it may hold is run.

    Of several state dicts the one by a usual key, unless a network is `whole` in another, too; else
    all of them, with their keys before their names. UserError `checkpoint: found ..., allowed: ...`
    where it has none, or tensors without values in each place.
    """
    content = None
    try:
        # before torch opens it, which would warn of a TorchScript archive
        said = _kind(path)
        if said is None and path.suffix == ".safetensors":
            content = load_file(path)
        elif said is None:
            with warnings.catch_warnings():  # of tensors that are refused below
                warnings.simplefilter("ignore")
                content = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        said = error.strerror or str(error)
        raise UserError(
            f"checkpoint: found {path} ({said}), allowed: a file that can be read"
        ) from error
    except Exception as error:  # whatever a damaged file makes torch or safetensors raise
        said = _fault(error)
    if said:
        raise UserError(f"checkpoint: found {path} ({said}), allowed: {ALLOWED}")
    states = _states(content)
    if not states:
        keys = ", ".join(map(str, content)) if isinstance(content, Mapping) else "none"
        raise UserError(f"checkpoint: found {path} (keys: {keys[:80]}), allowed: {ALLOWED}")
    state = _chosen(states, whole)
    for name, tensor in state.items():
        if tensor.is_meta or tensor.layout != torch.strided:
            kind = "on the device meta, without values" if tensor.is_meta else str(tensor.layout)
            said = f"{name} is {kind.removeprefix('torch.')}"
            raise UserError(f"checkpoint: found {path} ({said}), allowed: dense tensors")
    return state


def _states(content: Any) -> dict[tuple[str, ...], State]:
    """Mappings of names to tensors by the keys that they lie below: a usual one's, or one more."""
    if not isinstance(content, Mapping) or not content:
        return {}
    if all(isinstance(value, Tensor) for value in content.values()):
        return {(): {str(name): tensor for name, tensor in content.items()}}
    return {
        (str(key), *keys): state
        for key, value in content.items()
        for keys, state in _states(value).items()
        if key in NESTED or not keys
    }


def _chosen(states: dict[tuple[str, ...], State], whole: Callable[[State], bool]) -> State:
    """One state dict, or all of them, as `tensors`."""
    usual = [keys for keys in states if all(key in NESTED for key in keys)]
    if len(usual) == 1 and not any(whole(states[keys]) for keys in states if keys != usual[0]):
        return states[usual[0]]
    return {
        ".".join((*keys, name)): tensor
        for keys, state in states.items()
        for name, tensor in state.items()
    }


def _kind(path: Path) -> str | None:
    """What a file is by its first bytes, if that is no file of weights with that ending."""
    with path.open("rb") as file:
        head = file.read(HEAD)
    if not head:
        return "it is empty"
    if head.startswith(ZIP):
        return _archive(path)
    if head[8:9] == b"{":  # after the length of its header
        named = path.suffix == ".safetensors"
        return None if named else "safetensors by its content: its name must end so, too"
    # the last letter may be cut
    text = head.decode(errors="replace").removesuffix("\N{REPLACEMENT CHARACTER}")
    if text.replace("\n", "").replace("\r", "").replace("\t", "").isprintable():
        return f"a text that begins with {text.strip().partition(chr(10))[0].strip()[:40]!r}"
    if path.suffix == ".safetensors":
        return "not in safetensors' format"
    return None if head.startswith(b"\x80") else "not in the format of torch.save"


def _archive(path: Path) -> str | None:
    """What a zip file is, if it is not a whole one of torch.save's with that ending."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = {name.rpartition("/")[2] for name in archive.namelist()}
    except zipfile.BadZipFile:
        return "a zip file that is cut short or damaged"
    if "constants.pkl" in names:
        return "a TorchScript archive: a network with its code"
    if "data.pkl" not in names:
        return "a zip file that torch.save did not write"
    named = path.suffix == ".safetensors"
    return "torch.save's by its content: its name must end in .pth" if named else None


def _fault(error: Exception) -> str:
    """Why the reader of a file's own format does not take it; torch advises to run its code."""
    said = (str(error).splitlines() or [""])[0]
    if not isinstance(error, pickle.UnpicklingError):
        return f"cut short or damaged: {type(error).__name__} {said}".rstrip()
    if found := re.search(r"GLOBAL ([\w.]+)", str(error)):
        return f"a pickle of a whole network or other objects ({found[1]}), whose code would run"
    return "it is damaged, or holds objects whose code would run"
