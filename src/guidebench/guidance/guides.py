"""The guides that samplers see as predict(x, t, step) -> Prediction."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from guidebench.diffusion.convert import to_eps_x0
from guidebench.diffusion.samplers import Prediction
from guidebench.diffusion.schedule import Schedule
from guidebench.guidance.gradients import ClassifierGradient, Network
from guidebench.guidance.stabilizers import Stabilize


class Strength:
    """The factor of the guidance scale at t: an interval of the process, and a ramp over it.

    `interval` [low, high] in fractions of the process, both ends included (Kynkaanniemi et al.
    2024); `rising` grows from 0 at the noisy end to 1 at the clean one, `falling` the other way.
    """

    def __init__(
        self, schedule: Schedule, interval: tuple[float, float] = (0, 1), ramp: str = "constant"
    ) -> None:
        self.schedule, self.interval, self.ramp = schedule, interval, ramp

    def __call__(self, t: Any) -> float:
        """Strength in [0, 1]."""
        time = float(self.schedule.time(t))
        if not self.interval[0] <= time <= self.interval[1]:
            return 0.0
        return {"constant": 1.0, "rising": 1 - time, "falling": time}[self.ramp]


class Unguided:
    """The denoiser alone; with a conditional network, `network` has its labels bound."""

    def __init__(
        self,
        network: Network,
        prediction: str,
        schedule: Schedule,
        clip_x0: bool,
        recompute_eps: bool = False,
    ) -> None:
        self.network, self.prediction, self.schedule = network, prediction, schedule
        self.clip_x0, self.recompute_eps = clip_x0, recompute_eps

    def output(self, x: Tensor, t: Any) -> Tensor:
        """The network's output at x, t."""
        return self.network(x, t)

    @torch.no_grad()
    def __call__(self, x: Tensor, t: Any, step: int, *, corrector: bool = False) -> Prediction:
        """Evaluate once."""
        alpha, sigma = self.schedule.alpha(t).to(x.dtype), self.schedule.sigma(t).to(x.dtype)
        eps, x0 = to_eps_x0(self.prediction, self.output(x, t), x, alpha, sigma)
        return self.finish(x, eps, x0, t)

    def finish(self, x: Tensor, eps: Tensor, x0: Tensor, t: Any) -> Prediction:
        """Clip x0_pred and, if asked, recompute eps from what is left of it."""
        if self.clip_x0:
            x0 = x0.clamp(-1, 1)
            if self.recompute_eps:
                alpha, sigma = self.schedule.alpha(t), self.schedule.sigma(t)
                eps = (x - alpha.to(x.dtype) * x0) / sigma.to(x.dtype)
        return Prediction(eps, x0)


class ClassifierFree(Unguided):
    """eps = (1 + w) eps(x, y) - w eps(x, null); both rows in one batch (Ho & Salimans 2021, eq. 6).

    `both` takes 2N rows: N conditional, then N unconditional. The combination is linear, so it
    holds for v, x0 and score outputs as well. Where w is zero, `network` gives N conditional rows.
    """

    def __init__(
        self,
        both: Network,
        weight: Callable[[Any], float],
        *arguments: object,
        **options: object,
    ) -> None:
        super().__init__(*arguments, **options)  # type: ignore[arg-type]
        self.both, self.weight = both, weight

    def output(self, x: Tensor, t: Any) -> Tensor:
        """The combined output from one batch of 2N rows."""
        weight = self.weight(t)
        if weight == 0:
            return self.network(x, t)
        conditional, unconditional = self.both(torch.cat((x, x)), t).chunk(2)
        return (1 + weight) * conditional - weight * unconditional


class ClassifierGuided:
    """Classifier guidance, stabilized, injected in the mean or the score (docs/mathematics.md).

    Where the scale is zero the denoiser alone is asked, and the stabilizer does not advance.
    """

    def __init__(
        self,
        evaluate: ClassifierGradient,
        target: int | Tensor,
        scale: Callable[[Any], float],
        stabilize: Stabilize,
        injection: str,
        unguided: Unguided,
    ) -> None:
        self.evaluate, self.target, self.scale = evaluate, target, scale
        self.stabilize, self.injection, self.unguided = stabilize, injection, unguided

    def __call__(self, x: Tensor, t: Any, step: int, *, corrector: bool = False) -> Prediction:
        """Evaluate once; the stabilizer's state advances, but not for a corrector."""
        scale = self.scale(t)
        if scale == 0:
            return self.unguided(x, t, step)
        answer = self.evaluate(x, t, self.target)
        stabilize = copy.deepcopy(self.stabilize) if corrector else self.stabilize
        shift = scale * stabilize(answer.gradient)
        if self.injection == "mean":
            return self.unguided.finish(x, answer.eps, answer.x0, t)._replace(shift=shift)
        schedule = self.unguided.schedule
        alpha, sigma = schedule.alpha(t).to(x.dtype), schedule.sigma(t).to(x.dtype)
        eps = answer.eps - sigma * shift
        return self.unguided.finish(x, eps, (x - sigma * eps) / alpha, t)
