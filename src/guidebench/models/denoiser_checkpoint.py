"""A published denoiser: a checkpoint in diffusers' layout, opened, tried and taken over."""

from __future__ import annotations

import json
import re
from pathlib import Path

import torch
from diffusers import ModelMixin
from torch import Tensor

from guidebench.base.published import Files
from guidebench.base.seeds import normal
from guidebench.models.classifier import check_outputs, check_values, difference, fill
from guidebench.models.denoiser import SAVED, save
from guidebench.models.weight_file import State, tensors
from guidebench.pipeline.errors import UserError
from guidebench.pipeline.records.artifacts import atomic

# of attention in the files of diffusers' first versions, and today
PRESENT = {"query": "to_q", "key": "to_k", "value": "to_v", "proj_attn": "to_out.0"}
EARLY = re.compile(rf"(?<=\.)({'|'.join(PRESENT)})(?=\.(?:weight|bias)$)")


def adopt(files: Files, folder: Path, betas: list[float], prediction: str, size: int) -> None:
    """`save` a network that somebody else trained, in float32; its config stays as it is.

    `size`: the side of the images. Errors as `opened`.
    """
    save(opened(files, size), folder, betas, prediction)
    with atomic(folder / "unet/config.json") as temporary:
        temporary.write_bytes(files.config.read_bytes())


def opened(files: Files, size: int) -> ModelMixin:
    """The network of a checkpoint with its weights, in float32; it was given an image of that side.

    UserError `checkpoint: found ..., allowed: ...` as `of_config` and `weights`, and where what it
    answers is not finite; whatever a network raises that does not take such images.
    """
    # first on "meta", without numbers, where it takes neither time nor memory
    with torch.device("meta"):
        network = of_config(files.config)
    image = normal(torch.tensor([0]), 0, (network.config.in_channels, size, size))
    with torch.device("meta"):
        _answer(network, image.to("meta"))
    found = weights(files, network)
    model = of_config(files.config)
    fill(model, found)
    check_outputs(_answer(model, image), _place(files))
    return model


@torch.no_grad()
def _answer(model: ModelMixin, image: Tensor) -> Tensor:
    """What a network answers to one image at t = 0, like the image."""
    time = torch.tensor(0, device=image.device)
    label = time.expand(1) if model.config.num_class_embeds else None
    answer: Tensor = model.eval()(image, time, class_labels=label, return_dict=False)[0]
    return answer


def of_config(path: Path) -> ModelMixin:
    """The untrained network of a `config.json` in diffusers' layout.

    UserError `checkpoint: found ..., allowed: ...` for settings that are of no network.
    """
    try:
        config = json.loads(path.read_text())
        return SAVED[config["_class_name"]].from_config(config)
    except Exception as error:  # whatever a network says of settings that do not fit each other
        said = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        allowed = "settings of a network that diffusers can build"
        raise UserError(f"checkpoint: found {path} ({said}), allowed: {allowed}") from error


def weights(files: Files, network: ModelMixin) -> dict[str, Tensor]:
    """What a checkpoint's file has for its network, by the network's names.

    UserError `checkpoint: found ..., allowed: ...` for weights that are not those of its config, or
    no finite numbers, and for a file that is none, or has more than tensors.
    """

    def whole(state: State) -> bool:
        return difference(network, _renamed(state)) is None

    found: State = {}
    for path in files.weights:
        found |= _renamed(tensors(path, whole))
    place = _place(files)
    if said := difference(network, found):
        allowed = f"the tensors of {files.config}'s network, in their shapes, and no others"
        raise UserError(f"checkpoint: found {place} ({said}), allowed: {allowed}")
    check_values(network, found, place)
    return found


def _renamed(state: State) -> State:
    """By today's names of diffusers."""
    return {EARLY.sub(lambda name: PRESENT[name[1]], name): one for name, one in state.items()}


def _place(files: Files) -> Path:
    """The file of weights, or the folder with its parts."""
    return files.weights[0] if len(files.weights) == 1 else files.weights[0].parent
