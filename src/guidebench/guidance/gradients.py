"""grad_{x_t} log p(y | input), sharing one denoiser evaluation with eps and x0_pred."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor

from guidebench.diffusion.convert import clip, to_eps_x0
from guidebench.diffusion.schedule import CLEAN, Schedule

Network = Callable[[Tensor, Any], Tensor]


class GuidingClassifier(Protocol):
    """What guidance asks of a classifier; `time` is t as a fraction, 0 for clean images."""

    def __call__(self, x: Tensor, time: float = 0.0) -> Tensor:
        """Logits [N, outputs]."""
        ...

    def log_prob(self, logits: Tensor, target: int | Tensor, temperature: float = 1.0) -> Tensor:
        """Rows' log p(target | input), for one target or one a row."""
        ...


class Answer(NamedTuple):
    """One evaluation at x_t: eps, x0_pred, the gradient like x, and the classifier's logits."""

    eps: Tensor
    x0: Tensor
    gradient: Tensor
    logits: Tensor


class ClassifierGradient:
    """Classifier guidance's vector for input `raw`, `x0` or `x0_frozen` (nrCG, eq. 1, 5, 6).

    `x0_frozen` holds v (factor alpha_t, bounded) or eps (factor 1 / alpha_t) constant.
    """

    def __init__(
        self,
        network: Network,
        prediction: str,
        schedule: Schedule,
        classifier: GuidingClassifier,
        kind: str,
        clip_gradient: str | None,
        temperature: float = 1.0,
        hold: str = "v",
    ) -> None:
        self.network, self.prediction, self.schedule = network, prediction, schedule
        self.classifier, self.kind, self.temperature = classifier, kind, temperature
        self.clip_gradient, self.hold = clip_gradient, hold

    def estimate(self, x: Tensor, t: Any) -> tuple[Tensor, Tensor]:
        """(eps, x0_pred) from exactly one denoiser evaluation, x0_pred clipped if asked.

        Clean x is its own x0_pred: a network was never asked there.
        """
        if t == CLEAN:
            return torch.zeros_like(x), clip(x, self.clip_gradient) if self.clip_gradient else x
        alpha, sigma = self.schedule.alpha(t).to(x.dtype), self.schedule.sigma(t).to(x.dtype)
        with torch.set_grad_enabled(self.kind == "x0" and torch.is_grad_enabled()):
            output = self.network(x, t)
            eps, x0 = to_eps_x0(self.prediction, output, x, alpha, sigma)
        if self.kind == "x0_frozen":
            v = alpha * eps - sigma * x0
            x0 = alpha * x - sigma * v if self.hold == "v" else (x - sigma * eps) / alpha
        return eps, clip(x0, self.clip_gradient) if self.clip_gradient else x0

    def logits(self, x: Tensor, x0: Tensor, t: Any) -> Tensor:
        """The classifier's answer to its input: x_t at its time, or x0_pred as a clean image."""
        if self.kind == "raw":
            return self.classifier(x, float(self.schedule.time(t)))
        return self.classifier(x0, 0.0)

    def __call__(self, x: Tensor, t: Any, target: int | Tensor) -> Answer:
        """Evaluate at x [N, ...] and one t for all rows; one denoiser evaluation (`estimate`)."""
        with torch.enable_grad():
            x = x.detach().requires_grad_()
            eps, x0 = self.estimate(x, t)
            logits = self.logits(x, x0, t)
            # a sum over rows: each row's gradient is its own
            log_prob = self.classifier.log_prob(logits, target, self.temperature).sum()
            (gradient,) = torch.autograd.grad(log_prob, x)
        return Answer(eps.detach(), x0.detach(), gradient, logits.detach())
