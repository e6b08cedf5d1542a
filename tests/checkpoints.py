"""Denoisers as other people publish them: their layouts, names and keys, random weights."""

import json
from pathlib import Path
from typing import Any

import torch
from diffusers import UNet2DModel
from safetensors.torch import save_file

# google/ddpm-celebahq-256's, literally
SCHEDULER = {
    "_class_name": "DDPMScheduler",
    "_diffusers_version": "0.1.1",
    "beta_end": 0.02,
    "beta_schedule": "linear",
    "beta_start": 0.0001,
    "clip_sample": True,
    "num_train_timesteps": 1000,
    "trained_betas": None,
    "variance_type": "fixed_small",
}
# its keys and settings, in two levels of 8 x 8
NETWORK = {
    "_class_name": "UNet2DModel",
    "_diffusers_version": "0.0.4",
    "act_fn": "silu",
    "attention_head_dim": None,
    "block_out_channels": [32, 64],
    "center_input_sample": False,
    "down_block_types": ["DownBlock2D", "AttnDownBlock2D"],
    "downsample_padding": 0,
    "flip_sin_to_cos": False,
    "freq_shift": 1,
    "in_channels": 3,
    "layers_per_block": 1,
    "mid_block_scale_factor": 1,
    "norm_eps": 1e-06,
    "norm_num_groups": 32,
    "out_channels": 3,
    "resnet_time_scale_shift": "default",
    "sample_size": 8,
    "time_embedding_type": "positional",
    "up_block_types": ["AttnUpBlock2D", "UpBlock2D"],
}
INDEX = {
    "_class_name": "DDPMPipeline",
    "_diffusers_version": "0.1.1",
    "scheduler": ["diffusers", "DDPMScheduler"],
    "unet": ["diffusers", "UNet2DModel"],
}
# what an experiment says of SCHEDULER
CONFIG: dict[str, Any] = {"schedule": {"timesteps": 1000, "rescale": False}}
# of attention, in the files of early versions
EARLY = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}


def write_checkpoint(
    folder: Path,
    layout: str = "pipeline",
    weights: str = "safetensors",
    scheduler: dict[str, Any] | None = None,
    early: bool = False,
    seed: int = 0,
    **network: Any,
) -> UNet2DModel:
    """Write a network and its scheduler, some keys of which are others; the network.

    `layout`: `pipeline` (folders unet and scheduler), `flat` (all in one) or `bare` (a network
    alone); `weights`: safetensors or bin; `early`: keys of the first versions of diffusers.
    """
    unet = folder / "unet" if layout == "pipeline" else folder
    unet.mkdir(parents=True, exist_ok=True)
    content = NETWORK | network
    (unet / "config.json").write_text(json.dumps(content, indent=2))
    torch.manual_seed(seed)
    model = UNet2DModel.from_config(content).eval()
    state = {key: value.contiguous() for key, value in model.state_dict().items()}
    for ours, theirs in EARLY.items() if early else ():
        state = {key.replace(f".{ours}.", f".{theirs}."): value for key, value in state.items()}
    path = unet / f"diffusion_pytorch_model.{weights}"
    if weights == "bin":
        torch.save(state, path)
    else:
        save_file(state, path, {"format": "pt"})
    if layout != "bare":
        place = folder / "scheduler" if layout == "pipeline" else folder
        place.mkdir(exist_ok=True)
        text = json.dumps(SCHEDULER | (scheduler or {}))
        (place / "scheduler_config.json").write_text(text)
        (folder / "model_index.json").write_text(json.dumps(INDEX))
    return model
