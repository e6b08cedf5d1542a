"""A setup: one way to guide."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, PositiveFloat, PositiveInt

from guidebench.pipeline.experiment.sections.base import (
    Beta,
    Model,
    Options,
    PluginName,
    Probability,
    SamplerName,
)


class Stabilizer(Model):
    """A stabilizer of the guidance vector (nrCG, eq. 7 and 8) or a user's `module:attribute`.

    A key that it does not read may only have its default.
    """

    name: Literal["none", "ema", "adam", "nesterov", "rmsprop", "norm_clip"] | PluginName = Field(
        "none", description="which one"
    )
    beta: Beta = Field(0.9, description="ema, nesterov: momentum; rmsprop: of the square")
    beta1: Beta = Field(0.9, description="adam: momentum of the gradient")
    beta2: Beta = Field(0.999, description="adam: momentum of its square")
    eps: PositiveFloat = Field(
        1e-4, description="adam, rmsprop: added to the root of the second moment"
    )
    max_norm: PositiveFloat = Field(
        1.0, description="norm_clip: largest L2 norm of an image's gradient"
    )
    options: Options = Field(
        default_factory=dict, description="keyword arguments of a user's stabilizer"
    )
    per_step: Literal["full_grid", "literal"] = Field(
        "full_grid",
        description="betas are meant per step of the full grid (beta^(T/n) on n "
        "steps) or taken literally",
    )


class Vary(Model):
    """Other ways of sampling with one guide: every pair is a setup of its own.

    Of setup `clean/x0` they are called `clean/x0@ddim-20`, or `@ddim` and `@20` where one key alone
    varies; what the setup itself is already is left out.
    """

    sampler: list[SamplerName] = Field(
        default_factory=list, description="samplers; empty: the setup's own"
    )
    steps: list[PositiveInt] = Field(
        default_factory=list, description="sampling steps; empty: the setup's own"
    )


class Setup(Model):
    """One way to guide, sampled at each of its scales.

    A key that its guidance does not read may only have its default.
    """

    guidance: Literal["none", "classifier", "cfg"] | PluginName = Field(
        "none", description="kind of guide"
    )
    options: Options = Field(
        default_factory=dict, description="keyword arguments of a user's guide"
    )
    conditional: bool = Field(
        False,
        description="the denoiser gets the target's label (needs "
        "condition_dropout); cfg always does, a user's guide says it "
        "itself",
    )
    classifier: str | None = Field(None, description="name of the guiding classifier")
    input: Literal["raw", "x0", "x0_frozen"] = Field(
        "raw",
        description="what the classifier sees: x_t, x0_pred with its gradient through the "
        "denoiser, or x0_pred with the denoiser's output held constant",
    )
    hold: Literal["v", "eps"] = Field(
        "v", description="x0_frozen: what is held, v (factor alpha_t) or eps (factor 1/alpha_t)"
    )
    injection: Literal["mean", "score"] = Field(
        "mean", description="shift the posterior mean (nrCG, algorithm 1) or the score"
    )
    interval: tuple[Probability, Probability] = Field(
        (0.0, 1.0), description="guide only while t/T is in here (0 clean, 1 noise)"
    )
    ramp: Literal["constant", "rising", "falling"] = Field(
        "constant",
        description="strength over t: rising from 0 at the noisy end to the full scale "
        "at the clean one, or falling",
    )
    stabilizer: Stabilizer = Field(default_factory=Stabilizer, description="of the gradient")
    clip_gradient: Literal["zero", "straight_through"] | None = Field(
        None,
        description="gradient of x0_pred's clip where it saturates; null: sampling.clip_gradient",
    )
    temperature: PositiveFloat = Field(1.0, description="log_softmax(logits / temperature)")
    sampler: SamplerName | PluginName | None = Field(
        None,
        description="sampler of this setup, with `sampling`'s options; null: sampling.sampler",
    )
    steps: PositiveInt | None = Field(
        None, description="sampling steps of this setup; null: sampling.steps"
    )
    vary: Vary | None = Field(
        None, description="samplers and steps with which it is sampled, too; null: none"
    )
    clip: bool | None = Field(
        None, description="clip x0_pred to [-1, 1] in this setup; null: sampling.clip"
    )
    scales: list[Annotated[float, Field(ge=0, le=1e30)]] = Field(
        default_factory=list, description="guidance scales (cfg: weights w), 0 or from 1e-30 on"
    )
    paper_compat: list[Literal["raw_logit", "carried_state", "half_precision"]] = Field(
        default_factory=list,
        description="choices of the public nrCG code (docs/compat.md): the raw logit instead of "
        "log p(y), the stabilizer's state carried into the block's next micro-batch, the denoiser "
        "and the gradient through it in float16",
    )
