"""Diffusers' UNet2DModel on patches of the image: fewer positions, more channels at each."""

from diffusers import ConfigMixin, ModelMixin, UNet2DModel
from diffusers.configuration_utils import register_to_config
from diffusers.models.unets.unet_2d import UNet2DOutput
from torch import Tensor, channels_last
from torch.nn import functional


class PatchUNet(ModelMixin, ConfigMixin):  # type: ignore[misc]
    """A UNet2DModel, and called like it, to which a patch's pixels are the channels of a position.

    Space to depth and back (pixel shuffle, Shi et al. 2016): a convolution of as many channels on
    patches as on pixels costs `patch`^2 times less. The other keys are UNet2DModel's, those of
    these names.
    """

    _supports_gradient_checkpointing = True

    @register_to_config  # type: ignore[untyped-decorator]
    def __init__(
        self,
        patch: int = 1,
        sample_size: int | None = None,
        in_channels: int = 3,
        out_channels: int = 3,
        layers_per_block: int = 2,
        block_out_channels: tuple[int, ...] = (224, 448, 672, 896),
        down_block_types: tuple[str, ...] = ("DownBlock2D", *["AttnDownBlock2D"] * 3),
        up_block_types: tuple[str, ...] = (*["AttnUpBlock2D"] * 3, "UpBlock2D"),
        norm_num_groups: int = 32,
        attention_head_dim: int | None = 8,
        add_attention: bool = True,
        num_class_embeds: int | None = None,
    ) -> None:
        super().__init__()
        self.unet = UNet2DModel(
            sample_size=sample_size and sample_size // patch,
            in_channels=in_channels * patch**2,
            out_channels=out_channels * patch**2,
            layers_per_block=layers_per_block,
            block_out_channels=block_out_channels,
            down_block_types=down_block_types,
            up_block_types=up_block_types,
            norm_num_groups=norm_num_groups,
            attention_head_dim=attention_head_dim,
            add_attention=add_attention,
            num_class_embeds=num_class_embeds,
        )

    def forward(
        self,
        sample: Tensor,
        timestep: Tensor | float,
        class_labels: Tensor | None = None,
        return_dict: bool = True,
    ) -> UNet2DOutput | tuple[Tensor]:
        """Output like sample [N, C, H, W], whose sides are multiples of `patch`."""
        patch = self.config.patch
        patches = functional.pixel_unshuffle(sample, patch).contiguous(memory_format=channels_last)
        answer = self.unet(patches, timestep, class_labels=class_labels, return_dict=False)[0]
        output = functional.pixel_shuffle(answer, patch)
        return UNet2DOutput(sample=output) if return_dict else (output,)
