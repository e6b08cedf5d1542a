"""The guides that samplers see as predict(x, t, step) -> Prediction."""

from __future__ import annotations

import torch
from torch import Tensor

from guidebench.diffusion.convert import to_eps_x0
from guidebench.diffusion.samplers import Prediction
from guidebench.diffusion.schedules import DDPMLinear
from guidebench.guidance.gradients import ClassifierGradient, Network
from guidebench.guidance.stabilizers import Stabilize


class Unguided:
    """The denoiser alone; with a conditional network, `network` has its labels bound."""

    def __init__(
        self,
        network: Network,
        prediction: str,
        schedule: DDPMLinear,
        clip_x0: bool,
        recompute_eps: bool = False,
    ) -> None:
        self.network, self.prediction, self.schedule = network, prediction, schedule
        self.clip_x0, self.recompute_eps = clip_x0, recompute_eps

    def output(self, x: Tensor, t: int) -> Tensor:
        """The network's output at x, t."""
        return self.network(x, t)

    @torch.no_grad()
    def __call__(self, x: Tensor, t: int, step: int) -> Prediction:
        """Evaluate once."""
        alpha, sigma = self.schedule.alpha(t).to(x.dtype), self.schedule.sigma(t).to(x.dtype)
        eps, x0 = to_eps_x0(self.prediction, self.output(x, t), x, alpha, sigma)
        return self.finish(x, eps, x0, alpha, sigma)

    def finish(
        self, x: Tensor, eps: Tensor, x0: Tensor, alpha: Tensor, sigma: Tensor
    ) -> Prediction:
        """Clip x0_pred and, if asked, recompute eps from what is left of it."""
        if self.clip_x0:
            x0 = x0.clamp(-1, 1)
            if self.recompute_eps:
                eps = (x - alpha * x0) / sigma
        return Prediction(eps, x0)


class ClassifierFree(Unguided):
    """eps = (1 + w) eps(x, y) - w eps(x, null); both rows in one batch (Ho & Salimans 2021, eq. 6).

    `network` takes 2N rows: N conditional, then N unconditional. The combination is linear, so it
    holds for v and x0 outputs as well.
    """

    def __init__(self, weight: float, *arguments: object, **options: object) -> None:
        super().__init__(*arguments, **options)  # type: ignore[arg-type]
        self.weight = weight

    def output(self, x: Tensor, t: int) -> Tensor:
        """The combined output from one batch of 2N rows."""
        conditional, unconditional = self.network(torch.cat((x, x)), t).chunk(2)
        return (1 + self.weight) * conditional - self.weight * unconditional


class ClassifierGuided:
    """Classifier guidance with a stabilizer; injected in the mean or in the score (design, 2)."""

    def __init__(
        self,
        evaluate: ClassifierGradient,
        target: int,
        scale: float,
        stabilize: Stabilize,
        injection: str,
        recompute_eps: bool = False,
    ) -> None:
        self.evaluate, self.target, self.scale = evaluate, target, scale
        self.stabilize, self.injection = stabilize, injection
        self.recompute_eps = recompute_eps

    def __call__(self, x: Tensor, t: int, step: int) -> Prediction:
        """Evaluate once, stabilise once."""
        answer = self.evaluate(x, t, self.target)
        shift = self.scale * self.stabilize(answer.gradient)
        schedule = self.evaluate.schedule
        alpha, sigma = schedule.alpha(t).to(x.dtype), schedule.sigma(t).to(x.dtype)
        clipped = self.evaluate.clip_gradient is not None
        if self.injection == "mean":
            eps = (x - alpha * answer.x0) / sigma if clipped and self.recompute_eps else answer.eps
            return Prediction(eps, answer.x0, shift)
        eps = answer.eps - sigma * shift
        x0 = (x - sigma * eps) / alpha
        if clipped:
            x0 = x0.clamp(-1, 1)
            if self.recompute_eps:
                eps = (x - alpha * x0) / sigma
        return Prediction(eps, x0)
