"""The sections of an experiment file that say how to train, guide, sample and analyse."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt

from guidebench.base.choices import SAMPLERS

Probability = Annotated[float, Field(ge=0, le=1)]
Beta = Annotated[float, Field(ge=0, lt=1)]
NoiseStep = Annotated[float, Field(gt=0, lt=1)]
# a title says a pattern in words, for messages and docs/config.md
PluginName = Annotated[
    str, Field(pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$", title="module:attribute of your own")
]
FINITE = 1e30  # above it, float32 overflows before a training can say that it diverged
PEAK = "peak rate of AdamW (its betas 0.9 and 0.999, its eps 1e-8)"
CLIPPED = "largest L2 norm of all gradients together, which are scaled down to it; null: not"
_USE_EPS = ", ".join(name for name, sampler in SAMPLERS.items() if "eps" in sampler.uses)
Options = dict[str, str | int | float | bool | None]


class Model(BaseModel):
    """Base of all config models: unknown keys, wrong types, nan and inf are mistakes."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class DDPMLinear(Model):
    """The forward process x_t = alpha_t x_0 + sigma_t eps in T steps (DDPM)."""

    name: Literal["ddpm_linear"] = Field("ddpm_linear", description="betas linear in t")
    timesteps: int = Field(400, ge=2, le=100_000, description="T; t runs from 0 to T-1")
    beta_start: NoiseStep = Field(1e-4, description="first beta")
    beta_end: NoiseStep = Field(0.02, description="last beta")
    rescale: bool = Field(
        True,
        description="multiply the betas by 1000/T, so that a short "
        "schedule ends in noise too; false: as in the papers",
    )


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
    b_max: PositiveFloat = Field(10.0, description="beta at t = 1")


class LogSNR(Continuous):
    """A process given by its logsnr between two bounds (the CFG paper)."""

    name: Literal["logsnr_cosine", "logsnr_uniform"] = Field(
        description="-2 log tan(a t + b), or linear in t"
    )
    logsnr_min: float = Field(-20.0, description="log(alpha^2 / sigma^2) at the noisy end")
    logsnr_max: float = Field(20.0, description="and at the clean end")


Process = DDPMLinear | VPSDE | LogSNR


class Denoiser(Model):
    """diffusers' UNet2DModel and how it is trained."""

    channels: list[PositiveInt] = Field([32, 64], min_length=1, description="width of each level")
    layers_per_block: PositiveInt = Field(1, description="residual blocks per level")
    attention: list[bool] | None = Field(None, description="self-attention per level; null: none")
    head_dim: PositiveInt = Field(8, description="with attention: channels per head")
    norm_groups: PositiveInt = Field(8, description="groups of the group normalisation")
    architecture: Literal["unet2d", "shuffle_unet"] = Field(
        "unet2d",
        description="diffusers' UNet2DModel, or the MNIST notebook's ShuffleNet-style "
        "U-Net (`channels`: its width, then that of each level)",
    )
    prediction: Literal["eps", "v", "x0", "score"] = Field(
        "v", description="what the network predicts"
    )
    time_sampling: Literal["uniform", "logsnr_cosine"] = Field(
        "uniform",
        description="training times: uniform in t, or with the logsnr of the cosine "
        "schedule on [-20, 20]",
    )
    loss: Literal["mse", "l1", "huber"] = Field("mse", description="training loss")
    steps: PositiveInt = Field(1000, description="training iterations")
    batch_size: PositiveInt = Field(64, description="images per iteration")
    learning_rate: float = Field(2e-3, gt=0, le=FINITE, description=PEAK)
    rate: Literal["warmup_cosine", "one_cycle"] = Field(
        "warmup_cosine",
        description="linear warm-up and cosine decay, or PyTorch's one-cycle rate (pct_start 0.25)",
    )
    warmup: int = Field(50, ge=0, description="iterations of linear warm-up; cosine decay follows")
    weight_decay: float = Field(0.0, ge=0, description="AdamW's weight decay")
    clip_norm: PositiveFloat | None = Field(1.0, description=CLIPPED)
    weight_average: Beta = Field(0.995, description="decay of the averaged weights that are saved")
    condition_dropout: Probability | None = Field(
        None, description="null: unconditional; else the share of labels replaced by the null token"
    )
    flip: bool = Field(False, description="random horizontal flips")
    mixed_precision: Literal["no", "bf16"] = Field("no", description="autocast in training")
    gpus: PositiveInt = Field(
        1,
        description="GPUs that train it, each on its part of the batch "
        "(without GPUs: as many processes)",
    )
    nodes: PositiveInt = Field(1, description="machines that these are spread over (SLURM)")
    checkpoint_every: PositiveInt = Field(100, description="iterations between resume checkpoints")


class Classifier(Model):
    """A classifier and how it is trained."""

    architecture: str = Field(
        "small_cnn",
        description="small_cnn, small_resnet, a model of torchvision by name, or "
        "`module:attribute` of your own",
    )
    hidden: PositiveInt = Field(64, description="width of the last hidden layer")
    noise_trained: bool = Field(
        False, description="train on x_t, t uniform (the paper's robust classifier)"
    )
    half: Literal["first", "second"] = Field(
        "first", description="half of the training images that it sees; the judge sees the other"
    )
    steps: PositiveInt = Field(300, description="training iterations")
    batch_size: PositiveInt = Field(64, description="images per iteration")
    learning_rate: float = Field(2e-3, gt=0, le=FINITE, description=PEAK)
    warmup: int | None = Field(
        None,
        ge=0,
        description="iterations of linear warm-up, cosine decay "
        "follows; null: a twentieth of steps",
    )
    weight_decay: float = Field(1e-2, ge=0, description="AdamW's weight decay")
    clip_norm: PositiveFloat | None = Field(1.0, description=CLIPPED)
    flip: bool = Field(False, description="random horizontal flips")
    checkpoint_every: PositiveInt = Field(200, description="iterations between resume checkpoints")


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
    temperature: PositiveFloat = Field(1.0, description="log_softmax(logits / temperature)")
    steps: PositiveInt | None = Field(
        None, description="sampling steps of this setup; null: sampling.steps"
    )
    scales: list[Annotated[float, Field(ge=0)]] = Field(
        default_factory=list, description="guidance scales (cfg: weights w)"
    )


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


class Steps(Model):
    """A sampler, or a user's `module:attribute`, and how many steps it takes."""

    sampler: Literal["ancestral", "euler_maruyama", "ddim", "dpmpp_2m", "heun"] | PluginName = (
        Field("ancestral", description="which sampler")
    )
    steps: PositiveInt = Field(50, description="steps, spaced `trailing` over the T timesteps")
    variance: Probability = Field(0.0, description="ancestral: 0 small, 1 large posterior variance")
    eta: Probability = Field(0.0, description="ddim: 0 deterministic, 1 ancestral")
    limit: PositiveFloat | None = Field(
        10.0, description="euler_maruyama: values of x_t are clipped to [-limit, limit]; null: not"
    )
    options: Options = Field(
        default_factory=dict, description="keyword arguments of a user's sampler"
    )


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
    selection: PositiveInt = Field(128, description="seeds on which scales are chosen")
    evaluation: PositiveInt = Field(256, description="seeds behind every number that is shown")
    block: PositiveInt = Field(128, description="seeds per sampling job")
    micro_batch: PositiveInt = Field(64, description="rows per network call (part of the spec)")
    grid_images: int = Field(
        0,
        ge=0,
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
