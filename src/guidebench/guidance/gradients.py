"""Classifier guidance's gradient g, from the evaluation that gives eps and x0_pred, too."""

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor

from guidebench.diffusion.convert import clip, to_eps_x0
from guidebench.diffusion.schedule import CLEAN, Schedule

Network = Callable[[Tensor, Any], Tensor]


class GuidingClassifier(Protocol):
    """A classifier that can guide; `time` in [0, 1] is `Schedule.time`, 0 for clean images."""

    def __call__(self, x: Tensor, time: float = 0.0) -> Tensor:
        """Logits [N, outputs] of x [N, ...]; a binary attribute has one output."""
        ...

    def log_prob(self, logits: Tensor, target: int | Tensor, temperature: float = 1.0) -> Tensor:
        """Give log p(target | input) [N] of logits, for one target or the [N] of each row.

        docs/mathematics.md, Guidance, has the definition for each kind of target.
        """
        ...


class Evaluation(NamedTuple):
    """At x_t [N, ...]: eps, x0_pred and the gradient like x, and the logits [N, outputs]."""

    eps: Tensor
    x0: Tensor
    gradient: Tensor
    logits: Tensor


class ClassifierGradient:
    """g = grad_{x_t} log p(y | input) (nrCG, eq. 1); the input is x_t or x0_pred (eq. 5).

    - `network(x, t)`: what the denoiser predicts, as `prediction` says (`diffusion.convert`).
    - `kind`: input `raw` is x_t, `x0` x0_pred with the gradient through the network, `x0_frozen`
      x0_pred with the network's output held constant: its v or its eps, as `hold` says.
    - `clip_gradient`: zero or straight_through for an x0_pred clipped to [-1, 1]; None: unclipped.
    - `temperature` > 0 divides the logits.
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
        """(eps, x0_pred) like x [N, ...] at one t, from exactly one evaluation of the network.

        At CLEAN from none, since a network is not trained there: x0_pred is x itself, and eps 0.
        """
        if t == CLEAN:
            return torch.zeros_like(x), clip(x, self.clip_gradient) if self.clip_gradient else x
        alpha, sigma = self.schedule.alpha(t).to(x.dtype), self.schedule.sigma(t).to(x.dtype)
        with torch.set_grad_enabled(self.kind == "x0" and torch.is_grad_enabled()):
            output = self.network(x, t)
            eps, x0 = to_eps_x0(self.prediction, output, x, alpha, sigma)
        # x_0 as a function of x_t with v or eps a constant: d x_0 / d x_t is alpha_t or 1 / alpha_t
        if self.kind == "x0_frozen":
            v = alpha * eps - sigma * x0
            x0 = alpha * x - sigma * v if self.hold == "v" else (x - sigma * eps) / alpha
        return eps, clip(x0, self.clip_gradient) if self.clip_gradient else x0

    def logits(self, x: Tensor, x0: Tensor, t: Any) -> Tensor:
        """The classifier's logits of its input: of x_t at its time, or of x0_pred as at time 0."""
        if self.kind == "raw":
            return self.classifier(x, float(self.schedule.time(t)))
        return self.classifier(x0, 0.0)

    def __call__(self, x: Tensor, t: Any, target: int | Tensor) -> Evaluation:
        """Evaluate x [N, ...] at one t for `target`, one class for all rows or the [N] of each."""
        with torch.enable_grad():
            x = x.detach().requires_grad_()
            # eq. 5: x0_pred
            eps, x0 = self.estimate(x, t)
            # eq. 1: grad log p(y | input); of a sum over rows, each row's gradient is its own
            logits = self.logits(x, x0, t)
            log_prob = self.classifier.log_prob(logits, target, self.temperature).sum()
            (gradient,) = torch.autograd.grad(log_prob, x)
        return Evaluation(eps.detach(), x0.detach(), gradient, logits.detach())
