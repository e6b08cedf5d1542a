"""The networks and how they are trained."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, PositiveFloat, PositiveInt

from guidebench.pipeline.experiment.sections.base import Beta, Model, Probability

Revision = Annotated[
    str, Field(pattern=r"^[0-9a-f]{40}$", title="a commit: 40 hex digits in lower case")
]
FINITE = 1e30  # above it, float32 overflows before a training can say that it diverged
PEAK = "peak rate of AdamW (its betas 0.9 and 0.999, its eps 1e-8)"
# at least 1e-3: that of images in [0, 255] is about 4e-3
Deviation = Annotated[float, Field(ge=1e-3, le=1)]
CLIPPED = "largest L2 norm of all gradients together, which are scaled down to it; null: not"


class Denoiser(Model):
    """The denoising network and how it is trained, or where a trained one lies."""

    checkpoint: Annotated[str, Field(min_length=1, title="a folder or an id")] | None = Field(
        None,
        description="a trained one in diffusers' layout, instead of a training: its folder, or "
        "with `revision` a hub id `owner/name` (docs/checkpoints.md); null: trained here",
    )
    revision: Revision | None = Field(
        None, description="commit of a hub id's files; null: `checkpoint` is a folder"
    )
    channels: list[PositiveInt] = Field([32, 64], min_length=1, description="width of each level")
    patch: PositiveInt = Field(
        1,
        description="side of the squares of pixels that are one position of the network, and its "
        "channels (space to depth): with 2 as many channels cost a quarter",
    )
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
    mixed_precision: Literal["no", "tf32", "bf16"] = Field(
        "no", description="of the training, as `sampling.precision` (no: float32)"
    )
    compile: bool = Field(
        False, description="train with compiled kernels, as `sampling.compile` (unet2d, one GPU)"
    )
    gpus: PositiveInt = Field(
        1,
        description="GPUs that train it, each on its part of the batch "
        "(without GPUs: as many processes)",
    )
    nodes: PositiveInt = Field(1, description="machines that these are spread over (SLURM)")
    checkpoint_every: PositiveInt = Field(100, description="iterations between resume checkpoints")
    paper_compat: list[Literal["validation_images"]] = Field(
        default_factory=list,
        description="choices of the public nrCG code (docs/compat.md): trained on the held-out "
        "images, too, as its SportBalls denoiser",
    )


class Attack(Model):
    """Adversarial examples of clean images, found by projected gradient ascent (Madry et al. 2018).

    Pixels are in [-1, 1], so a radius here is half of that in [0, 1]. Examples stay in that range.
    """

    norm: Literal["l2", "linf"] = Field(
        "l2",
        description="of what an example differs from its image by: over all pixels and channels "
        "the root of the sum of squares, or the largest",
    )
    radius: PositiveFloat = Field(
        description="largest such norm; below the one at which every image can become gray: linf "
        "1, l2 the root of the number of pixels times channels"
    )
    step_size: PositiveFloat | None = Field(
        None,
        description="norm of a step, at most twice the radius; null: 2.5 radius / iterations",
    )
    iterations: PositiveInt = Field(
        7, description="steps of the ascent, from a random point within the radius"
    )


class Classifier(Model):
    """A classifier and how it is trained; or, with `checkpoint`, one that somebody else trained.

    A checkpoint's keys of training may only have their defaults. Where it has more outputs than the
    experiment has classes, `outputs` says which are these, and `log p` is over them alone: the
    log-probability of a class, given that the image is of one of them.
    """

    architecture: str = Field(
        "small_cnn",
        description="small_cnn, small_resnet, a model of torchvision by name, or "
        "`module:attribute` of your own",
    )
    checkpoint: str | None = Field(
        None,
        description="weights of that architecture, with its own last layer: a file .safetensors, "
        ".pt, .pth, .bin, .ckpt or .tar (a state dict); null: it is trained here "
        "(docs/checkpoints.md)",
    )
    prefix: str | None = Field(
        None,
        description="before the names of its tensors, as `classifier.`; those without it are left "
        "out; null: recognised, and no tensor is left out",
    )
    outputs: list[Annotated[int, Field(ge=0)]] | None = Field(
        None,
        description="its outputs that are the classes, in their order; of two classes also one, "
        "the logit of the second; null: all",
    )
    mean: tuple[Probability, Probability, Probability] | None = Field(
        None,
        description="of the three channels of images in [0, 1], subtracted from them; "
        "null: images in [-1, 1] are given",
    )
    std: tuple[Deviation, Deviation, Deviation] | None = Field(
        None, description="and what they are divided by then"
    )
    input_size: int | None = Field(
        None,
        ge=8,
        le=1024,
        description="side that images are resized to (bilinear, antialiased), inside the gradient, "
        "too; null: as they are",
    )
    hidden: PositiveInt = Field(64, description="width of the last hidden layer")
    noise_trained: bool = Field(
        False,
        description="train on x_t, t uniform (the paper's robust classifier); of a checkpoint: "
        "whether it was",
    )
    adversarial: Attack | None = Field(
        None,
        description="train on adversarial examples (an adversarially robust classifier); of a "
        "checkpoint: whether it was; null: not",
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


class Attributes(Model):
    """A small network that reads from an image where its ball lies and how large it is."""

    steps: PositiveInt = Field(1000, description="training iterations")
    batch_size: PositiveInt = Field(64, description="images per iteration")
    learning_rate: float = Field(2e-3, gt=0, le=FINITE, description=PEAK)
