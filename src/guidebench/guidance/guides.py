"""The guides, as samplers call them (`diffusion.samplers.Predict`)."""

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
    2024); `ramp` constant, `rising` from 0 at the noisy end to 1 at the clean one, or
    `falling` the other way.

    >>> from guidebench.diffusion.schedules import DDPMLinear
    >>> strength = Strength(DDPMLinear(100), interval=(0.0, 0.5), ramp="rising")
    >>> [strength(t) for t in (99, 49, 24)]
    [0.0, 0.5, 0.75]
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
    """The denoiser alone: eps and x0_pred without guidance.

    `network(x, t)` with its labels, if any, bound; `prediction`: what it predicts; `clip_x0`: x0
    is clipped to [-1, 1], and `recompute_eps`: eps follows it.
    """

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
        """The network's output like x [N, ...] at one t."""
        return self.network(x, t)

    @torch.no_grad()
    def __call__(self, x: Tensor, t: Any, step: int, *, corrector: bool = False) -> Prediction:
        """Estimate at x [N, ...] and one t from one evaluation of the network."""
        alpha, sigma = self.schedule.alpha(t).to(x.dtype), self.schedule.sigma(t).to(x.dtype)
        eps, x0 = to_eps_x0(self.prediction, self.output(x, t), x, alpha, sigma)
        return self.finish(x, eps, x0, t)

    def finish(self, x: Tensor, eps: Tensor, x0: Tensor, t: Any) -> Prediction:
        """The prediction of eps and x0 like x, clipped as configured."""
        if self.clip_x0:
            x0 = x0.clamp(-1, 1)
            if self.recompute_eps:
                alpha, sigma = self.schedule.alpha(t), self.schedule.sigma(t)
                eps = (x - alpha.to(x.dtype) * x0) / sigma.to(x.dtype)
        return Prediction(eps, x0)


class ClassifierFree(Unguided):
    """Classifier-free guidance (Ho & Salimans 2021, eq. 6), with w = `weight(t)`.

    `both(x, t)` evaluates 2N rows in one batch: N with the label, then N with the null token. Where
    w is zero, `network` evaluates the N with the label. The other arguments are `Unguided`'s.
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
        """The combined output like x [N, ...] at one t."""
        weight = self.weight(t)
        if weight == 0:
            return self.network(x, t)
        # eq. 6, for v, x0 and the score as well: eps is affine in them, and the weights sum to 1
        conditional, unconditional = self.both(torch.cat((x, x)), t).chunk(2)
        return (1 + weight) * conditional - weight * unconditional


class ClassifierGuided:
    """Classifier guidance with a stabilized gradient (nrCG, algorithm 1).

    `target`: one class for all rows or the [N] of each; `injection`: mean or score
    (docs/mathematics.md, Guidance). Where `scale(t)` is zero the denoiser alone is evaluated, and
    the stabilizer does not advance.
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
        """Estimate once; the stabilizer's state advances, but not for a corrector."""
        scale = self.scale(t)
        if scale == 0:
            return self.unguided(x, t, step)
        # eps, x0_pred and g from one evaluation
        evaluation = self.evaluate(x, t, self.target)
        # lines 3 and 4: stabilize g, and let the sampler add variance * shift to its mean; a second
        # evaluation within a step works on a copy of the stabilizer's state
        stabilize = copy.deepcopy(self.stabilize) if corrector else self.stabilize
        shift = scale * stabilize(evaluation.gradient)
        if self.injection == "mean":
            return self.unguided.finish(x, evaluation.eps, evaluation.x0, t)._replace(shift=shift)
        # or add shift to the score (Ho & Salimans 2021, section 3.1); x0_pred follows eps
        schedule = self.unguided.schedule
        alpha, sigma = schedule.alpha(t).to(x.dtype), schedule.sigma(t).to(x.dtype)
        eps = evaluation.eps - sigma * shift
        return self.unguided.finish(x, eps, (x - sigma * eps) / alpha, t)
