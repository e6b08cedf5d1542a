"""The time as a denoiser's network sees it, before any layer that is trained."""

from diffusers import ModelMixin
from torch import Tensor

from guidebench.models.patch_unet import PatchUNet
from guidebench.models.shuffle_unet import ShuffleUNet


def time_embedding(model: ModelMixin, time: Tensor) -> Tensor:
    """Embedding [K, D] of the times [K] that a network receives (`Schedule.network_time`).

    Of a UNet2DModel diffusers' `Timesteps`, cosines and sines of falling frequency (Ho et al. 2020,
    appendix B); of a ShuffleUNet the softmax weights of its time bins.
    """
    if isinstance(model, PatchUNet):
        model = model.unet
    found: Tensor = (
        model.bins(time / 1000) if isinstance(model, ShuffleUNet) else model.time_proj(time)
    )
    return found
