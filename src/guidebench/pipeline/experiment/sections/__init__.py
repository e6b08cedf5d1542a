"""The sections of an experiment file: what data, and how to train, guide, sample and analyse."""

from guidebench.pipeline.experiment.sections.base import (
    Model,
    Options,
    PluginName,
)
from guidebench.pipeline.experiment.sections.data import (
    CelebaData,
    CustomData,
    Data,
    FolderData,
    IdxData,
    Pictures,
    SportBallsData,
)
from guidebench.pipeline.experiment.sections.guiding import (
    Setup,
    Stabilizer,
    Vary,
)
from guidebench.pipeline.experiment.sections.networks import (
    Attack,
    Attributes,
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
    "Attack",
    "Attributes",
    "CelebaData",
    "Classifier",
    "Continuous",
    "CustomData",
    "DDPMBetas",
    "DDPMCosine",
    "DDPMLinear",
    "DDPMScaledLinear",
    "Data",
    "Denoiser",
    "Discrete",
    "FolderData",
    "IdxData",
    "LogSNR",
    "Model",
    "Options",
    "Pictures",
    "PluginName",
    "Process",
    "Sampling",
    "Sensitivity",
    "Setup",
    "SportBallsData",
    "Stabilizer",
    "Steps",
    "Vary",
]
