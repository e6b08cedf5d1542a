"""The forward processes."""

from typing import Annotated, Literal

from pydantic import Field

from guidebench.pipeline.experiment.sections.base import Model

# long before its ends, alpha or sigma is 0 in float32; beyond them exp(logsnr / 2) is no number
Level = Annotated[float, Field(ge=-1000, le=1000)]
NoiseStep = Annotated[float, Field(gt=0, lt=1)]


class Discrete(Model):
    """The forward process x_t = alpha_t x_0 + sigma_t eps in T steps (DDPM)."""

    name: str = Field(description="which process")
    timesteps: int = Field(400, ge=2, le=100_000, description="T; t runs from 0 to T-1")


class DDPMLinear(Discrete):
    """The forward process x_t = alpha_t x_0 + sigma_t eps in T steps (DDPM)."""

    name: Literal["ddpm_linear"] = Field("ddpm_linear", description="betas linear in t")
    beta_start: NoiseStep = Field(1e-4, description="first beta")
    beta_end: NoiseStep = Field(0.02, description="last beta")
    rescale: bool = Field(
        True,
        description="multiply the betas by 1000/T, so that a short "
        "schedule ends in noise too; false: as in the papers",
    )


class DDPMScaledLinear(Discrete):
    """As `ddpm_linear`, with square roots of the betas that are linear in t (latent diffusion)."""

    name: Literal["ddpm_scaled_linear"] = Field(description="roots of the betas linear in t")
    beta_start: NoiseStep = Field(1e-4, description="first beta")
    beta_end: NoiseStep = Field(0.02, description="last beta")


class DDPMCosine(Discrete):
    """As `ddpm_linear`, with the cosine schedule of Nichol & Dhariwal 2021."""

    name: Literal["ddpm_cosine"] = Field(
        description="alpha_t^2 a squared cosine of t, betas at most 0.999"
    )


class DDPMBetas(Discrete):
    """As `ddpm_linear`, with betas that are given one by one, as some checkpoints have them."""

    name: Literal["ddpm_betas"] = Field(description="the betas of a list")
    betas: list[NoiseStep] = Field(description="all of them, from t = 0 to T-1")


class Continuous(Model):
    """A forward process with t in (0, 1]."""

    timesteps: int = Field(
        1000,
        ge=2,
        le=100_000,
        description="steps of the full grid that "
        "stabilizers' betas and the sensitivity analysis refer to",
    )


class VPSDE(Continuous):
    """The variance-preserving SDE, beta(t) = b_min + t (b_max - b_min) (the MNIST notebook)."""

    name: Literal["vp_sde"] = Field(description="beta linear in t, t in (0, 1]")
    b_min: float = Field(0.01, ge=0, description="beta at t = 0")
    # long before it, alpha is 0 in float32
    b_max: float = Field(10.0, gt=0, le=1000, description="beta at t = 1")


class LogSNR(Continuous):
    """A process given by its logsnr between two bounds (the CFG paper)."""

    name: Literal["logsnr_cosine", "logsnr_uniform"] = Field(
        description="-2 log tan(a t + b), or linear in t"
    )
    logsnr_min: Level = Field(-20.0, description="log(alpha^2 / sigma^2) at the noisy end")
    logsnr_max: Level = Field(20.0, description="and at the clean end")


Process = DDPMLinear | DDPMScaledLinear | DDPMCosine | DDPMBetas | VPSDE | LogSNR
