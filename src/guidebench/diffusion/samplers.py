"""Samplers: one signature, each body is the algorithm of its paper.

predict(x, t, step) -> Prediction: eps, x0_pred and the guidance shift, whatever the guide is; a
second evaluation within a step says `corrector=True`. noise(step) -> standard normal noise of x's
shape. callback(step, t, x, prediction) sees each state. The grid falls from noise to clean data.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor

from guidebench.base import choices
from guidebench.diffusion.schedule import CLEAN, Schedule
from guidebench.pipeline.errors import UserError
from guidebench.pipeline.recording import Methods


class Prediction(NamedTuple):
    """What a sampler knows at x_t: eps and x0_pred like x, the scaled guidance vector or None."""

    eps: Tensor
    x0: Tensor
    shift: Tensor | None = None


class Predict(Protocol):
    """A guide, as samplers see it."""

    def __call__(self, x: Tensor, t: Any, step: int, *, corrector: bool = False) -> Prediction:
        """Evaluate once at x_t."""
        ...


# logsnr of a process that ends far in the noise (DDPM's own ends at -10 to -12), and where that is
# walked instead: beyond |9| a variance of 1e-4 is not noise, or not data
FAR, WALKED = -12.0, 9.0


def times(name: str, schedule: Schedule, steps: int) -> list[Any]:
    """The times at which a sampler takes `steps` steps, then CLEAN: the schedule's own grid.

    Where a process ends far in the noise, heun and euler_maruyama walk evenly, too, but only where
    the logsnr is within +-9: the first step of the whole would multiply what is left of an error by
    sigma / alpha, or by beta. A discrete process may have fewer times there than `steps`: then each
    step moves by one, from no further in the noise than that takes.
    """
    own = schedule.grid(steps)
    if not choices.SAMPLERS[name].walks_signal or schedule.logsnr(own[0]) >= FAR:
        return own
    noisy, clean = (
        schedule.at_logsnr(torch.tensor(level, dtype=torch.float64)) for level in (-WALKED, WALKED)
    )
    # where even the first index has more noise than +9, data are what lies below it: the last step
    # is as long as the others, not longer by a time of which a short process has few
    first, last = float(schedule.time(noisy)), float(schedule.time(clean)) if clean > 0 else 0.0
    bounded = [schedule.at_time(last + (first - last) * (1 - i / steps)) for i in range(steps)]
    if len(set(bounded)) < steps:
        start = max(bounded[0], steps - 1)
        bounded = [*range(start, start - steps, -1)]
    return [*bounded, CLEAN]


Noise = Callable[[int], Tensor]
Callback = Callable[[int, Any, Tensor, Prediction], None]


def nothing(step: int, t: Any, x: Tensor, prediction: Prediction) -> None:
    """The callback that does not look."""


def unshifted(prediction: Prediction) -> Prediction:
    """The prediction, in a sampler that cannot shift a mean; UserError when the guide asks to."""
    if prediction.shift is not None:
        with_mean = [name for name, sampler in choices.SAMPLERS.items() if sampler.has_mean]
        raise UserError(
            "sampler: its step has no mean that the guide's `shift` could move, allowed with this "
            f"guide: {', '.join(with_mean)}"
        )
    return prediction


def ancestral(
    predict: Predict,
    x: Tensor,
    schedule: Schedule,
    grid: list[Any],
    noise: Noise,
    callback: Callback = nothing,
    variance: float = 0.0,
) -> Tensor:
    """Ancestral sampling, DDPM on the full grid (Ho & Salimans 2021, eq. 4; nrCG, algorithm 1).

    `variance` v interpolates in the log between c sigma_r^2 (0) and c sigma_s^2 (1).
    """
    for step, (s, r) in enumerate(pairwise(grid)):
        prediction = predict(x, s, step)
        callback(step, s, x, prediction)
        # the clean end has infinite logsnr: exp(-inf) = 0, c = 1, and the mean is x0_pred
        ratio = torch.exp(schedule.logsnr(s) - schedule.logsnr(r))
        c = -torch.expm1(schedule.logsnr(s) - schedule.logsnr(r))
        mean = (ratio * schedule.alpha(r) / schedule.alpha(s)).to(x.dtype) * x
        mean = mean + (c * schedule.alpha(r)).to(x.dtype) * prediction.x0
        small, large = schedule.sigma(r), schedule.sigma(s)
        deviation = (torch.sqrt(c) * small ** (1 - variance) * large**variance).to(x.dtype)
        if prediction.shift is not None:
            mean = mean + deviation**2 * prediction.shift
        x = mean if r < 0 else mean + deviation * noise(step)
    return x


def euler_maruyama(
    predict: Predict,
    x: Tensor,
    schedule: Schedule,
    grid: list[Any],
    noise: Noise,
    callback: Callback = nothing,
    limit: float | None = None,
) -> Tensor:
    """Steps x + (g^2 score - f) dt + g sqrt(dt) z of the reverse SDE (Song et al. 2021, eq. 6).

    Values are clipped to [-limit, limit] after each step; no noise at the last one.
    """
    for step, (s, r) in enumerate(pairwise(grid)):
        prediction = predict(x, s, step)
        callback(step, s, x, prediction)
        amount = schedule.beta(s) * (schedule.time(s) - schedule.time(r))
        drift = x / 2 - prediction.eps / schedule.sigma(s).to(x.dtype)
        mean = x + amount.to(x.dtype) * drift
        if prediction.shift is not None:
            mean = mean + amount.to(x.dtype) * prediction.shift
        x = mean if r < 0 else mean + torch.sqrt(amount).to(x.dtype) * noise(step)
        x = x if limit is None else x.clamp(-limit, limit)
    return x


def ddim(
    predict: Predict,
    x: Tensor,
    schedule: Schedule,
    grid: list[Any],
    noise: Noise,
    callback: Callback = nothing,
    eta: float = 0.0,
) -> Tensor:
    """DDIM; eta = 0 is deterministic, eta = 1 `ancestral` with v = 0 (Song et al. 2021, eq. 12)."""
    for step, (s, r) in enumerate(pairwise(grid)):
        prediction = unshifted(predict(x, s, step))
        callback(step, s, x, prediction)
        c = -torch.expm1(schedule.logsnr(s) - schedule.logsnr(r))
        deviation = eta * torch.sqrt(c) * schedule.sigma(r)
        direction = torch.sqrt((schedule.sigma(r) ** 2 - deviation**2).clamp(min=0))
        x = schedule.alpha(r).to(x.dtype) * prediction.x0 + direction.to(x.dtype) * prediction.eps
        if r >= 0 and eta > 0:
            x = x + deviation.to(x.dtype) * noise(step)
    return x


def heun(
    predict: Predict,
    x: Tensor,
    schedule: Schedule,
    grid: list[Any],
    noise: Noise,
    callback: Callback = nothing,
) -> Tensor:
    """Heun's 2nd order method on d(x / alpha) = eps d(sigma / alpha) (Karras et al. 2022, alg. 1).

    Its first half is a DDIM step, and the last step is nothing else.
    """
    for step, (s, r) in enumerate(pairwise(grid)):
        prediction = unshifted(predict(x, s, step))
        callback(step, s, x, prediction)
        start, (alpha, sigma) = x, (schedule.alpha(r).to(x.dtype), schedule.sigma(r).to(x.dtype))
        x = alpha * prediction.x0 + sigma * prediction.eps
        if r >= 0:
            corrected = unshifted(predict(x, r, step, corrector=True))
            ratio = schedule.alpha(r) / schedule.alpha(s)
            change = (schedule.sigma(r) - ratio * schedule.sigma(s)).to(x.dtype)
            x = ratio.to(x.dtype) * start + change * (prediction.eps + corrected.eps) / 2
    return x


def dpmpp_2m(
    predict: Predict,
    x: Tensor,
    schedule: Schedule,
    grid: list[Any],
    noise: Noise,
    callback: Callback = nothing,
) -> Tensor:
    """DPM-Solver++(2M) (Lu et al. 2022, algorithm 2), first order in its first and last step."""
    before, length_before = None, None
    for step, (s, r) in enumerate(pairwise(grid)):
        prediction = unshifted(predict(x, s, step))
        callback(step, s, x, prediction)
        length = (schedule.logsnr(r) - schedule.logsnr(s)) / 2
        estimate = prediction.x0
        if before is not None and length_before is not None and r >= 0:
            weight = (length / (2 * length_before)).to(x.dtype)
            estimate = (1 + weight) * estimate - weight * before
        fade = (schedule.sigma(r) / schedule.sigma(s)).to(x.dtype)
        x = fade * x - (schedule.alpha(r) * torch.expm1(-length)).to(x.dtype) * estimate
        before, length_before = prediction.x0, length
    return x


SAMPLERS = Methods(
    ancestral=ancestral,
    euler_maruyama=euler_maruyama,
    ddim=ddim,
    heun=heun,
    dpmpp_2m=dpmpp_2m,
)


def own_options(name: str, steps: dict[str, Any]) -> dict[str, Any]:
    """The keys of `steps` (`sampling`, or a world's sampler) that this sampler alone reads."""
    return {key: steps[key] for key in choices.SAMPLERS[name].options}
