"""The sections of an experiment file that say how to train, guide, sample and analyse."""

from guidebench.pipeline.experiment.sections.base import (
    Model,
    Options,
    PluginName,
)
from guidebench.pipeline.experiment.sections.guiding import (
    Setup,
    Stabilizer,
)
from guidebench.pipeline.experiment.sections.networks import (
    Attributes,
    Classifier,
    Denoiser,
)
from guidebench.pipeline.experiment.sections.processes import (
    VPSDE,
    Continuous,
    DDPMLinear,
    LogSNR,
    Process,
)
from guidebench.pipeline.experiment.sections.sampling import (
    Sampling,
    Sensitivity,
    Steps,
)

__all__ = [
    "VPSDE",
    "Attributes",
    "Classifier",
    "Continuous",
    "DDPMLinear",
    "Denoiser",
    "LogSNR",
    "Model",
    "Options",
    "PluginName",
    "Process",
    "Sampling",
    "Sensitivity",
    "Setup",
    "Stabilizer",
    "Steps",
]
