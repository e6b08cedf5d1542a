"""The denoiser as DDPMPipeline opens it: diffusers' UNet2DModel, or a network of ours."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import diffusers
import torch
from diffusers import ModelMixin, UNet2DModel
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from guidebench.base.choices import PREDICTION_TYPES
from guidebench.models.patch_unet import PatchUNet
from guidebench.models.precision import autocast, compiled
from guidebench.models.shuffle_unet import ShuffleUNet
from guidebench.pipeline.errors import UserError
from guidebench.pipeline.recording import Methods
from guidebench.pipeline.records.artifacts import write_json

if TYPE_CHECKING:
    from guidebench.pipeline.experiment import sections

WEIGHTS = "unet/diffusion_pytorch_model.safetensors"
FILES = [WEIGHTS, "unet/config.json", "scheduler/scheduler_config.json", "model_index.json"]


def unet2d(
    options: sections.Denoiser, size: int, image_channels: int, tokens: int | None
) -> ModelMixin:
    """Diffusers' UNet2DModel, on patches or pixels, with attention on the levels that ask for it.

    In the mode of evaluation, in training, too: the gradients are the same to the last bit (it has
    no dropout and keeps no statistics), and the inputs of its shortcuts stay in channels_last.
    """
    attention = options.attention or [False] * len(options.channels)
    down = ["AttnDownBlock2D" if level else "DownBlock2D" for level in attention]
    up = ["AttnUpBlock2D" if level else "UpBlock2D" for level in reversed(attention)]
    # with patches of one pixel the network itself, which needs no guidebench to be opened
    kind = UNet2DModel if options.patch == 1 else partial(PatchUNet, options.patch)
    network = kind(
        sample_size=size,
        in_channels=image_channels,
        out_channels=image_channels,
        layers_per_block=options.layers_per_block,
        block_out_channels=tuple(options.channels),
        down_block_types=tuple(down),
        up_block_types=tuple(up),
        norm_num_groups=options.norm_groups,
        attention_head_dim=options.head_dim,
        add_attention=any(attention),
        num_class_embeds=tokens,
    )
    return network.to(memory_format=torch.channels_last).eval()


def shuffle_unet(
    options: sections.Denoiser, size: int, image_channels: int, tokens: int | None
) -> ModelMixin:
    """The MNIST notebook's network."""
    return ShuffleUNet(image_channels, tuple(options.channels), num_class_embeds=tokens)


NETWORKS: Methods[Callable[[sections.Denoiser, int, int, int | None], ModelMixin]] = Methods(
    unet2d=unet2d, shuffle_unet=shuffle_unet
)
# by the name that `save` writes
SAVED: Methods[Any] = Methods(UNet2DModel=UNet2DModel, PatchUNet=PatchUNet, ShuffleUNet=ShuffleUNet)


def build(options: sections.Denoiser, size: int, image_channels: int, classes: int) -> ModelMixin:
    """The network of a config section; a conditional one has `classes` + 1 label tokens."""
    tokens = None if options.condition_dropout is None else classes + 1
    return NETWORKS[options.architecture](options, size, image_channels, tokens)


def save(model: ModelMixin, folder: Path, betas: list[float], prediction: str) -> None:
    """Write the averaged weights and the scheduler as DDPMPipeline.from_pretrained reads them."""
    place = (folder / WEIGHTS).parent
    place.mkdir(parents=True, exist_ok=True)
    # files are replaced, never changed: another experiment may have the old ones, too
    with TemporaryDirectory(dir=place) as draft:
        model.save_pretrained(draft, safe_serialization=True)
        for path in Path(draft).iterdir():
            os.replace(path, place / path.name)
    scheduler = {
        "_class_name": "DDPMScheduler",
        "_diffusers_version": diffusers.__version__,
        "num_train_timesteps": len(betas),
        "trained_betas": betas,
        "prediction_type": PREDICTION_TYPES[prediction],
        "timestep_spacing": "trailing",
        "clip_sample": True,
    }
    write_json(folder / "scheduler/scheduler_config.json", scheduler)
    index = {
        "_class_name": "DDPMPipeline",
        "_diffusers_version": diffusers.__version__,
        "scheduler": ["diffusers", "DDPMScheduler"],
        # diffusers imports it from there
        "unet": [
            "diffusers" if isinstance(model, UNet2DModel) else type(model).__module__,
            type(model).__name__,
        ],
    }
    write_json(folder / "model_index.json", index)


def checkpointed(model: ModelMixin) -> ModelMixin:
    """The network, keeping of a UNet2DModel's residual blocks the ends alone for a gradient.

    The rest is computed again in the backward pass (Chen et al. 2016), to the same numbers.
    """

    def again(block: Callable[..., Tensor], *inputs: Any) -> Any:
        # nothing in it is random
        return checkpoint(block, *inputs, use_reentrant=False, preserve_rng_state=False)

    model.enable_gradient_checkpointing(again)
    return model


class Denoiser:
    """A frozen network as samplers call it: (x [N, C, H, W], t) -> output like x; counts rows.

    `backward_rows`: those kept for a backward pass to the input, the only one that there is;
    `gradient_checkpointing`: `checkpointed`; `precision` and `compile`: `models.precision`.
    """

    def __init__(
        self,
        folder: Path,
        device: torch.device,
        gradient_checkpointing: bool = False,
        precision: str = "float32",
        compile: bool = False,
    ) -> None:
        try:
            config = json.loads((folder / "scheduler/scheduler_config.json").read_text())
            name = json.loads((folder / "unet/config.json").read_text())["_class_name"]
            model = SAVED[name].from_pretrained(folder / "unet", use_safetensors=True)
        except (OSError, ValueError, KeyError) as error:
            raise UserError(f"{folder}: no denoiser in diffusers' layout ({error})") from error
        names = {value: key for key, value in PREDICTION_TYPES.items()}
        self.prediction = names[config["prediction_type"]]
        self.model = (
            model.to(device, memory_format=torch.channels_last).eval().requires_grad_(False)
        )
        if gradient_checkpointing:
            checkpointed(self.model)
        if compile:
            compiled(self.model, device, "sampling.compile")
        self.precision = precision
        self.rows = self.backward_rows = 0

    @property
    def conditional(self) -> bool:
        """Whether the network takes labels."""
        return self.model.config.num_class_embeds is not None

    @property
    def null(self) -> int:
        """The label of the null token: the last one."""
        return int(self.model.config.num_class_embeds) - 1

    def __call__(self, x: Tensor, t: float, label: Tensor | None = None) -> Tensor:
        """One evaluation; a conditional network without labels gets the null token."""
        self.rows += len(x)
        # UNet2DModel would truncate a fraction that is not in a tensor, and be compiled for each t
        time = torch.as_tensor(t, device=x.device)
        if label is None and self.conditional:
            label = torch.full((len(x),), self.null, device=x.device)
        with autocast(x.device, self.precision):
            output: Tensor = self.model(x, time, class_labels=label, return_dict=False)[0]
        if self.precision == "bf16":
            output = output.to(x.dtype)
        self.backward_rows += len(x) * output.requires_grad
        return output
