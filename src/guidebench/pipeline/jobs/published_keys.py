"""Keys of diffusers' config files: types, ranges, and what a file says that leaves them out.

Diffusers checks none of them: `"false"` would be true there, and `"16"` fail somewhere else.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from guidebench.pipeline.experiment.allowed_names import Mistake
from guidebench.pipeline.experiment.sections.base import Probability
from guidebench.pipeline.experiment.type_words import alternatives, of_field

SHOWN = 60  # characters of a value


def _names(*names: str) -> Any:
    """One of these names; in the first versions `UNetRes` stood before them."""
    return Field(pattern=rf"^(UNetRes)?({'|'.join(names)})$", title=", ".join(names))


Size = Annotated[int, Field(ge=1, le=100_000)]
DownBlock = Annotated[
    str,
    _names(
        "DownBlock2D",
        "AttnDownBlock2D",
        "ResnetDownsampleBlock2D",
        "SkipDownBlock2D",
        "AttnSkipDownBlock2D",
        "KDownBlock2D",
    ),
]
UpBlock = Annotated[
    str,
    _names(
        "UpBlock2D",
        "AttnUpBlock2D",
        "ResnetUpsampleBlock2D",
        "SkipUpBlock2D",
        "AttnSkipUpBlock2D",
        "KUpBlock2D",
    ),
]


class Keys(BaseModel):
    """Those of a class in a file, which may have others."""

    model_config = ConfigDict(frozen=True, strict=True, allow_inf_nan=False, extra="ignore")


class Levels(Keys):
    """What a network has whose levels are diffusers' blocks."""

    sample_size: Size | list[Size] | None = None
    in_channels: Size = 3
    out_channels: Size = 3
    down_block_types: list[DownBlock] = Field(
        ["DownBlock2D", "AttnDownBlock2D", "AttnDownBlock2D", "AttnDownBlock2D"], min_length=1
    )
    up_block_types: list[UpBlock] = Field(
        ["AttnUpBlock2D", "AttnUpBlock2D", "AttnUpBlock2D", "UpBlock2D"], min_length=1
    )
    block_out_channels: list[Size] = Field([224, 448, 672, 896], min_length=1)
    layers_per_block: Size = 2
    attention_head_dim: Size | None = 8
    norm_num_groups: Size = 32
    add_attention: bool = True
    num_class_embeds: Size | None = None


class UNet2DModel(Levels):
    """Diffusers' network."""

    center_input_sample: bool = False
    time_embedding_type: Literal["positional", "learned"] = "positional"
    time_embedding_dim: Size | None = None
    freq_shift: Annotated[float, Field(ge=0, le=1)] = 0
    flip_sin_to_cos: bool = True
    mid_block_type: str | None = "UNetMidBlock2D"
    mid_block_scale_factor: Annotated[float, Field(gt=0, le=1000)] = 1
    downsample_padding: Annotated[int, Field(ge=0, le=1)] = 1
    downsample_type: Literal["conv", "resnet"] = "conv"
    upsample_type: Literal["conv", "resnet"] = "conv"
    dropout: Probability = 0
    act_fn: Literal["silu", "swish", "mish", "gelu", "relu"] = "silu"
    attn_norm_num_groups: Size | None = None
    norm_eps: Annotated[float, Field(gt=0, le=1)] = 1e-5
    resnet_time_scale_shift: Literal["default", "scale_shift"] = "default"
    class_embed_type: None = None
    num_train_timesteps: Size | None = None


class PatchUNet(Levels):
    """Ours: such a network on patches."""

    patch: Size = 1
    sample_size: Size | None = None


class ShuffleUNet(Keys):
    """Ours."""

    in_channels: Size = 1
    channels: list[Size] = Field([28, 56, 112], min_length=1)
    embedding: Size = 256
    time_bins: Size = 100
    time_sharpness: Annotated[float, Field(gt=0, le=1e6)] = 100
    num_class_embeds: Size | None = None


class Scheduler(Keys):
    """DDPMScheduler and DDIMScheduler."""

    num_train_timesteps: Size = 1000
    beta_start: Probability = 1e-4
    beta_end: Probability = 0.02
    beta_schedule: Literal["linear", "scaled_linear", "squaredcos_cap_v2"] = "linear"
    trained_betas: Annotated[list[Probability], Field(min_length=1)] | None = None
    variance_type: str = "fixed_small"
    clip_sample: bool = True
    clip_sample_range: float = 1
    prediction_type: Literal["epsilon", "v_prediction", "sample", "score"] = "epsilon"
    thresholding: bool = False
    rescale_betas_zero_snr: bool = False


def mistakes(path: Path, content: dict[str, Any], kind: type[Keys]) -> Iterator[Mistake]:
    """Keys of a file whose values are none of those that such a file may have."""
    try:
        kind.model_validate(content)
    except ValidationError as error:
        entries: dict[str, list[int]] = {}
        for item in error.errors():
            key, *inner = item["loc"]
            # the others name the alternatives of a type
            entries.setdefault(str(key), []).extend(n for n in inner if isinstance(n, int))
        for key, numbers in entries.items():
            entry = f"{key}[{numbers[0]}]" if numbers else key
            value = content[key][numbers[0]] if numbers else content[key]
            yield refused(path, entry, value, alternatives(of_field(kind.model_fields[key])))


def refused(path: Path, key: str, value: object, allowed: str) -> Mistake:
    """A value of a file, as it stands there, that is not among those allowed."""
    found = json.dumps(value)
    found = found if len(found) <= SHOWN else f"{found[: SHOWN - 3]}..."
    return "denoiser.checkpoint", f"{key} {found} in {path}", allowed
