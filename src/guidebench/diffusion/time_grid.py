"""The times at which a sampler evaluates: its time grid (docs/mathematics.md, Samplers)."""

from typing import Any

import torch

from guidebench.base import choices
from guidebench.diffusion.schedule import CLEAN, Schedule

# a process whose logsnr ends below FAR (DDPM's own ends at -10 to -12) is walked within +-WALKED:
# beyond that, about 1e-4 of the variance and less is signal, or noise
FAR, WALKED = -12.0, 9.0


def times(name: str, schedule: Schedule, steps: int) -> list[Any]:
    """The time grid of a sampler: `steps` falling times, then CLEAN.

    It is the schedule's own (`Schedule.grid`, whose errors it raises), but for heun and
    euler_maruyama on a process that ends far in the noise: these walk evenly, too, but only where
    the logsnr is within +-9. On the whole process the first step of heun would multiply its error
    by sigma / alpha, that of euler_maruyama by beta, and neither is bounded. A discrete process may
    have fewer times within +-9 than `steps`: then each step moves by one time, and the first is as
    much further in the noise as that needs.

    >>> from guidebench.diffusion.schedules import DDPMLinear
    >>> times("ddim", DDPMLinear(400), 4)
    [399, 299, 199, 99, -1]
    """
    own = schedule.grid(steps)
    if not choices.sampler(name).walks_signal or schedule.logsnr(own[0]) >= FAR:
        return own
    noisy, clean = (
        schedule.at_logsnr(torch.tensor(level, dtype=torch.float64)) for level in (-WALKED, WALKED)
    )
    # where already the first index is noisier than +9, the walk ends in clean data itself: the last
    # step is as long as the others, not longer by one of the few times of a short process
    first, last = float(schedule.time(noisy)), float(schedule.time(clean)) if clean > 0 else 0.0
    walk = [schedule.at_time(last + (first - last) * (1 - i / steps)) for i in range(steps)]
    if len(set(walk)) < steps:
        start = max(walk[0], steps - 1)
        walk = [*range(start, start - steps, -1)]
    return [*walk, CLEAN]
