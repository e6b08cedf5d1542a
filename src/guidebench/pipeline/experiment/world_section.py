"""The section of an experiment file that describes a world: a mixture and how it is sampled."""

from typing import Annotated

from pydantic import Field, PositiveFloat, PositiveInt

from guidebench.pipeline.experiment.sections import DDPMLinear, Model, Process, Setup, Steps

# squares of these are numbers in float32, too
Coordinate = Annotated[float, Field(ge=-1e6, le=1e6)]
Deviation = Annotated[float, Field(ge=1e-6, le=1e6)]


class Component(Model):
    """One Gaussian of a mixture."""

    mean: list[Coordinate] = Field(min_length=1, description="where its centre is")
    deviation: Deviation = Field(1.0, description="standard deviation in every direction")
    covariance: list[list[float]] | None = Field(
        None, description="covariance matrix, instead of `deviation`"
    )
    weight: PositiveFloat = Field(1.0, description="share, normalised over all components")
    label: int = Field(ge=0, description="its class")


class Drawn(Model):
    """A mixture with means drawn from N(0, 1), of any shape: images, for example."""

    shape: list[PositiveInt] = Field(min_length=1, description="[C, H, W] of an image, [d]")
    components: PositiveInt = Field(description="how many; component k has class k mod classes")
    classes: PositiveInt = Field(description="number of classes")
    deviation: Deviation = Field(0.3, description="standard deviation of each component")


class World(Model):
    """A Gaussian mixture: the data set of which everything is known (densities, scores, p(y|x))."""

    components: list[Component] = Field(default_factory=list, description="the Gaussians")
    drawn: Drawn | None = Field(None, description="Gaussians at random, instead of `components`")
    target: int = Field(0, ge=0, description="class to generate")
    schedule: Process = Field(default_factory=DDPMLinear, description="forward process")
    samples: int = Field(2048, ge=16, description="points per cell")
    learned_steps: int = Field(
        0,
        ge=0,
        description="training iterations of small networks in the exact ones' place, to see "
        "whether their guided fields are gradients; 0: none",
    )
    samplers: dict[str, Steps] = Field(
        min_length=1, description="by name; the first one is shown in the pictures"
    )
    setups: dict[str, Setup] = Field(
        min_length=1,
        description="ways to guide, by name; the "
        "classifiers are `clean`, p_0(y | x), and `noise_trained`, p_t(y | x_t), both exact",
    )
