"""What the types of a forward process cannot see, of a data set as of a world."""

from collections.abc import Iterator

from guidebench.pipeline.experiment.allowed_names import Mistake
from guidebench.pipeline.experiment.sections import (
    VPSDE,
    DDPMBetas,
    DDPMLinear,
    DDPMScaledLinear,
    Discrete,
    LogSNR,
    Process,
)


def schedule_mistakes(schedule: Process) -> Iterator[Mistake]:
    """Keys of a process that do not fit each other."""
    match schedule:
        case DDPMLinear() | DDPMScaledLinear() if schedule.beta_start > schedule.beta_end:
            allowed = f"at most beta_end ({schedule.beta_end})"
            yield "schedule.beta_start", schedule.beta_start, allowed
        case DDPMBetas() if (count := len(schedule.betas)) != schedule.timesteps:
            allowed = f"as many as schedule.timesteps ({schedule.timesteps})"
            yield "schedule.betas", f"{count} of them", allowed
        case VPSDE() if schedule.b_min > schedule.b_max:
            yield "schedule.b_min", schedule.b_min, f"at most b_max ({schedule.b_max})"
        case LogSNR() if schedule.logsnr_min >= schedule.logsnr_max:
            allowed = f"below logsnr_max {schedule.logsnr_max}"
            yield "schedule.logsnr_min", schedule.logsnr_min, allowed


def step_mistakes(key: str, steps: int | None, schedule: Process) -> Iterator[Mistake]:
    """More steps than a discrete process has."""
    if isinstance(schedule, Discrete) and (steps or 0) > schedule.timesteps:
        yield key, steps, f"at most schedule.timesteps ({schedule.timesteps})"
