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
    Classifier,
    Denoiser,
)
from guidebench.pipeline.experiment.sections.processes import (
    VPSDE,
    Continuous,
    DDPMBetas,
    DDPMCosine,
    DDPMLinear,
    DDPMScaledLinear,
    Discrete,
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
    "Classifier",
    "Continuous",
    "DDPMBetas",
    "DDPMCosine",
    "DDPMLinear",
    "DDPMScaledLinear",
    "Denoiser",
    "Discrete",
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
