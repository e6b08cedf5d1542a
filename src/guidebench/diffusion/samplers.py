"""Samplers: one signature, each body the algorithm of its paper (docs/mathematics.md, Samplers).

A sampler takes, and returns the clean images like x:

- `predict(x, t, step)`: a guide; a second evaluation within a step says `corrector=True`.
- `x` [N, ...]: the state at the first time, standard normal noise where the process ends in noise.
- `schedule`: the forward process that levels and times are of.
- `grid`: a time grid (`time_grid.times`); a step goes from its time s to the next, r.
- `noise(step)`: standard normal noise like x, for the step from grid[step] to grid[step + 1].
- `callback(step, t, x, prediction)`: sees each state before its step.
- options of its own, which `base.choices.SAMPLERS` names.

Levels are computed in float64 and used in the dtype of x.

>>> from guidebench.diffusion.schedules import DDPMLinear
>>> schedule, image = DDPMLinear(100, rescale=True), torch.tensor([[0.5]])
>>> def predict(x, t, step):  # the exact denoiser of a single image
...     return Prediction((x - schedule.alpha(t) * image) / schedule.sigma(t), image)
>>> x = ancestral(predict, torch.randn(1, 1), schedule, schedule.grid(10), lambda step: image)
>>> x.tolist()
[[0.5]]
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import torch
from torch import Tensor

from guidebench.base import choices
from guidebench.diffusion.schedule import Schedule
from guidebench.pipeline.errors import UserError
from guidebench.pipeline.recording import Methods

if TYPE_CHECKING:
    from guidebench.pipeline.experiment import sections


class Prediction(NamedTuple):
    """A guide's estimate at x_t: eps and x0_pred, each like x, and the push of the mean.

    `shift` like x is scale * stabilized gradient, to be multiplied by the step's variance; None
    where the guide moves no mean.
    """

    eps: Tensor
    x0: Tensor
    shift: Tensor | None = None


class Predict(Protocol):
    """A guide, as samplers see it."""

    def __call__(self, x: Tensor, t: Any, step: int, *, corrector: bool = False) -> Prediction:
        """Estimate eps and x0_pred at x [N, ...] and one t; `corrector`: again in this step."""
        ...


Noise = Callable[[int], Tensor]
Callback = Callable[[int, Any, Tensor, Prediction], None]


def no_callback(step: int, t: Any, x: Tensor, prediction: Prediction) -> None:
    """The callback of a caller who wants the images alone."""


def unshifted(prediction: Prediction) -> Prediction:
    """The prediction, in a step without a mean; UserError where its guide shifts the mean."""
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
    callback: Callback = no_callback,
    variance: float = 0.0,
) -> Tensor:
    """Ancestral sampling (Ho & Salimans 2021, eq. 4); DDPM on the full grid (nrCG, algorithm 1).

    `variance` in [0, 1] is their v: 0 takes the small variance, 1 the large one.
    """
    for step, (s, r) in enumerate(pairwise(grid)):
        prediction = predict(x, s, step)
        callback(step, s, x, prediction)
        # exp(l_s - l_r) and c; the clean end has l_r = inf: 0 and 1, and the mean is x0_pred
        ratio = torch.exp(schedule.logsnr(s) - schedule.logsnr(r))
        c = -torch.expm1(schedule.logsnr(s) - schedule.logsnr(r))
        # posterior mean of x_r given x_s and x0_pred
        mean = (ratio * schedule.alpha(r) / schedule.alpha(s)).to(x.dtype) * x
        mean = mean + (c * schedule.alpha(r)).to(x.dtype) * prediction.x0
        # its deviation, between sqrt(c) sigma_r and sqrt(c) sigma_s
        small, large = schedule.sigma(r), schedule.sigma(s)
        deviation = (torch.sqrt(c) * small ** (1 - variance) * large**variance).to(x.dtype)
        # guidance: mean + scale * variance * g (nrCG, algorithm 1)
        if prediction.shift is not None:
            mean = mean + deviation**2 * prediction.shift
        # draw x_r; the last step takes its mean
        x = mean if r < 0 else mean + deviation * noise(step)
    return x


def euler_maruyama(
    predict: Predict,
    x: Tensor,
    schedule: Schedule,
    grid: list[Any],
    noise: Noise,
    callback: Callback = no_callback,
    limit: float | None = None,
) -> Tensor:
    """Euler's method for the reverse SDE (Song et al. 2021, eq. 6).

    x is clipped to [-limit, limit] after each step; None: not.
    """
    for step, (s, r) in enumerate(pairwise(grid)):
        prediction = predict(x, s, step)
        callback(step, s, x, prediction)
        # g^2 dt, and (score - f / g^2) with f = -beta x / 2 and g^2 = beta
        amount = schedule.beta(s) * (schedule.time(s) - schedule.time(r))
        drift = x / 2 - prediction.eps / schedule.sigma(s).to(x.dtype)
        # Euler step of the drift
        mean = x + amount.to(x.dtype) * drift
        # guidance: grad log p(y | x_t) joins the score, with the factor g^2 dt of the score
        if prediction.shift is not None:
            mean = mean + amount.to(x.dtype) * prediction.shift
        # diffusion g sqrt(dt) z, but for the last step
        x = mean if r < 0 else mean + torch.sqrt(amount).to(x.dtype) * noise(step)
        x = x if limit is None else x.clamp(-limit, limit)
    return x


def ddim(
    predict: Predict,
    x: Tensor,
    schedule: Schedule,
    grid: list[Any],
    noise: Noise,
    callback: Callback = no_callback,
    eta: float = 0.0,
) -> Tensor:
    """DDIM (Song, Meng & Ermon 2021, eq. 12, its sigma_t from eq. 16).

    `eta` in [0, 1]: 0 is deterministic, 1 is `ancestral` with variance 0.
    """
    for step, (s, r) in enumerate(pairwise(grid)):
        prediction = unshifted(predict(x, s, step))
        callback(step, s, x, prediction)
        # sigma_t of eq. 16: eta times the small deviation of `ancestral`
        c = -torch.expm1(schedule.logsnr(s) - schedule.logsnr(r))
        deviation = eta * torch.sqrt(c) * schedule.sigma(r)
        # predicted x_0, and the direction pointing to x_t
        direction = torch.sqrt((schedule.sigma(r) ** 2 - deviation**2).clamp(min=0))
        x = schedule.alpha(r).to(x.dtype) * prediction.x0 + direction.to(x.dtype) * prediction.eps
        # random noise
        if r >= 0 and eta > 0:
            x = x + deviation.to(x.dtype) * noise(step)
    return x


def heun(
    predict: Predict,
    x: Tensor,
    schedule: Schedule,
    grid: list[Any],
    noise: Noise,
    callback: Callback = no_callback,
) -> Tensor:
    """Heun's 2nd order method (Karras et al. 2022, algorithm 1, lines 4 to 8).

    Their x is x_t / alpha_t and their t is sigma_t / alpha_t, so that d_i is eps; it draws no
    noise.
    """
    for step, (s, r) in enumerate(pairwise(grid)):
        # d_i
        prediction = unshifted(predict(x, s, step))
        callback(step, s, x, prediction)
        # Euler step to r, which is a DDIM step
        start, (alpha, sigma) = x, (schedule.alpha(r).to(x.dtype), schedule.sigma(r).to(x.dtype))
        x = alpha * prediction.x0 + sigma * prediction.eps
        if r >= 0:
            # d_i' at r, and the step again from s along the mean of both: the trapezoidal rule
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
    callback: Callback = no_callback,
) -> Tensor:
    """DPM-Solver++(2M) (Lu et al. 2022, algorithm 2); it draws no noise.

    Their lambda is logsnr / 2. The first step is of first order, as theirs, and so is the last.
    """
    before, length_before = None, None
    for step, (s, r) in enumerate(pairwise(grid)):
        prediction = unshifted(predict(x, s, step))
        callback(step, s, x, prediction)
        # h_i
        length = (schedule.logsnr(r) - schedule.logsnr(s)) / 2
        # D_i: x0_pred, extrapolated with that of the step before by 1 / (2 r_i)
        estimate = prediction.x0
        if before is not None and length_before is not None and r >= 0:
            weight = (length / (2 * length_before)).to(x.dtype)
            estimate = (1 + weight) * estimate - weight * before
        # exact in the linear part: sigma_r / sigma_s x - alpha_r (exp(-h_i) - 1) D_i
        fade = (schedule.sigma(r) / schedule.sigma(s)).to(x.dtype)
        x = fade * x - (schedule.alpha(r) * torch.expm1(-length)).to(x.dtype) * estimate
        before, length_before = prediction.x0, length
    return x


SAMPLERS: Methods[Callable[..., Tensor]] = Methods(
    ancestral=ancestral,
    euler_maruyama=euler_maruyama,
    ddim=ddim,
    heun=heun,
    dpmpp_2m=dpmpp_2m,
)


def own_options(name: str, steps: sections.Steps) -> dict[str, Any]:
    """The keys of `steps` (`sampling`, or a world's sampler) that this sampler alone reads."""
    if ":" in name:
        return dict(steps.options)
    return {key: getattr(steps, key) for key in choices.SAMPLERS[name].options}
