"""The analysis of the forward process, and the reverse process."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, PositiveInt

from guidebench.base.choices import SAMPLERS
from guidebench.pipeline.experiment.sections.base import (
    Count,
    Model,
    Options,
    PluginName,
    Probability,
    SamplerName,
)
from guidebench.pipeline.experiment.sections.guiding import Stabilizer
from guidebench.pipeline.experiment.sections.networks import Attack

_USE_EPS = ", ".join(name for name, sampler in SAMPLERS.items() if "eps" in sampler.uses)


class Sensitivity(Model):
    """The analysis of the forward process (nrCG, section 2)."""

    images: PositiveInt = Field(64, description="held-out images for the sensitivities")
    accuracy_images: PositiveInt = Field(512, description="held-out images for accuracy against t")
    steps: PositiveInt = Field(
        50,
        description="number of t at which pairs x_t, x_{t-1} are "
        "reported; stabilizers walk every t",
    )
    noise: Literal["trajectory", "per_t"] = Field(
        "trajectory", description="one noise per image for all t, or a fresh one for each t"
    )
    stabilizers: dict[str, Stabilizer] = Field(
        default_factory=dict, description="applied to the x0 gradients (figure 4), by name"
    )
    attack: Attack | None = Field(
        None,
        description="measure each classifier's accuracy on adversarial examples of the "
        "`accuracy_images`, too; null: not",
    )
    paper_compat: list[Literal["same_time", "shared_state", "clean_at_zero"]] = Field(
        default_factory=list,
        description="choices of the public nrCG code (docs/compat.md), measured beside the "
        "corrected analysis, each alone and all together: x_{t-1} denoised with t, stabilizers "
        "that go on from x_t to x0_pred, no noise at t = 0 for the accuracy",
    )


class Steps(Model):
    """A sampler, or a user's `module:attribute`, and how many steps it takes."""

    sampler: SamplerName | PluginName = Field("ancestral", description="which sampler")
    steps: PositiveInt = Field(50, description="steps, spaced `trailing` over the T timesteps")
    variance: Probability = Field(0.0, description="ancestral: 0 small, 1 large posterior variance")
    eta: Probability = Field(0.0, description="ddim: 0 deterministic, 1 ancestral")
    limit: Annotated[float, Field(gt=0, le=1e6)] | None = Field(
        10.0, description="euler_maruyama: values of x_t are clipped to [-limit, limit]; null: not"
    )
    options: Options = Field(
        default_factory=dict, description="keyword arguments of a user's sampler"
    )


class Finalists(Model):
    """Scales that are sampled on more evaluation seeds than the others."""

    scales: PositiveInt = Field(
        1, description="of each setup, those that are best on the selection seeds"
    )
    evaluation: Count = Field(512, description="their evaluation seeds, the others' among them")


class Sampling(Steps):
    """The reverse process; an image depends on its seed only."""

    clip: bool = Field(True, description="clip x0_pred to [-1, 1]")
    clip_gradient: Literal["zero", "straight_through"] = Field(
        "straight_through", description="gradient of the clip where it saturates"
    )
    recompute_eps: bool = Field(
        True,
        description=f"eps from the clipped x0_pred, for samplers that use eps: {_USE_EPS}",
    )
    selection: Count = Field(128, description="seeds on which scales are chosen")
    evaluation: Count = Field(
        256, description="seeds behind every number that is shown, but for those of finalists"
    )
    finalists: Finalists | None = Field(
        None, description="scales that are sampled on more evaluation seeds; null: none are"
    )
    block: Count = Field(128, description="seeds per sampling job")
    micro_batch: Count = Field(64, description="rows per network call (part of the spec)")
    gradient_checkpointing: bool = Field(
        False,
        description="a gradient through the denoiser keeps the ends of its blocks alone and "
        "computes the rest again: the same images, less memory, about a quarter more time "
        "(unet2d)",
    )
    precision: Literal["float32", "tf32", "bf16"] = Field(
        "float32",
        description="of the denoiser: float32 as PyTorch has it (on GPUs with convolutions in "
        "TF32), tf32 with all matrix products in TF32, or bf16 autocast; its output, the "
        "classifier and the sampler are in float32",
    )
    compile: bool = Field(
        False,
        description="the denoiser's kernels and those of its gradient are compiled by each job, "
        "which takes about a minute (torch.compile; unet2d)",
    )
    grid_images: int = Field(
        0,
        ge=0,
        le=100_000,
        description="images of each class on a sheet of every "
        "cell, on seeds of its own; 0: no such sheets",
    )
    grid_setups: list[str] = Field(
        default_factory=list, description="setups whose cells get such a sheet; empty: all"
    )
    grid_steps: PositiveInt | None = Field(
        None, description="sampling steps of these sheets; null: as the cell's"
    )
    trajectories: int = Field(
        4,
        ge=0,
        description="images whose way from noise is kept for the "
        "report's animation (at most micro_batch)",
    )
