"""The experiment file as a tree of typed models: default, range and meaning of every key."""

from typing import Annotated, Literal

from pydantic import Field

from guidebench.pipeline.experiment.sections import (
    Attributes,
    Classifier,
    Data,
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

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$", title="64 hex digits in lower case")]


class Dataset(Model):
    """One data set with everything trained, sampled and measured on it."""

    data: Data = Field(description="where from")
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
    paper_compat: list[Literal["drawn_reference"]] = Field(
        default_factory=list,
        description="choices of the public nrCG code (docs/compat.md): distances are also measured "
        "from as many training images as evaluation seeds, drawn with replacement",
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
