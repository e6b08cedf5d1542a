"""grad_{x_t} log p(y | input), sharing one denoiser evaluation with eps and x0_pred."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from guidebench.diffusion.convert import clip, to_eps_x0
from guidebench.diffusion.schedules import DDPMLinear
from guidebench.models.classifier import Classifier

Network = Callable[[Tensor, int], Tensor]


class Answer(NamedTuple):
    """One evaluation at x_t: eps, x0_pred, the gradient like x, and the classifier's logits."""

    eps: Tensor
    x0: Tensor
    gradient: Tensor
    logits: Tensor


class ClassifierGradient:
    """Classifier guidance's vector for input `raw`, `x0` or `x0_frozen` (nrCG, eq. 1, 5, 6).

    `x0_frozen` holds the network's output: with v-prediction the factor is alpha_t, bounded.
    """

    def __init__(
        self,
        network: Network,
        prediction: str,
        schedule: DDPMLinear,
        classifier: Classifier,
        kind: str,
        clip_gradient: str | None,
        temperature: float = 1.0,
    ) -> None:
        self.network, self.prediction, self.schedule = network, prediction, schedule
        self.classifier, self.kind, self.temperature = classifier, kind, temperature
        self.clip_gradient = clip_gradient

    def __call__(self, x: Tensor, t: int, target: int) -> Answer:
        """Evaluate at x [N, C, H, W] and one t for all rows; exactly one denoiser evaluation."""
        alpha, sigma = self.schedule.alpha(t).to(x.dtype), self.schedule.sigma(t).to(x.dtype)
        with torch.enable_grad():
            x = x.detach().requires_grad_()
            with torch.set_grad_enabled(self.kind == "x0"):
                output = self.network(x, t)
            eps, x0 = to_eps_x0(self.prediction, output, x, alpha, sigma)
            if self.clip_gradient:
                x0 = clip(x0, self.clip_gradient)
            logits = self.classifier(x if self.kind == "raw" else x0)
            # a sum over rows: each row's gradient is its own
            log_prob = self.classifier.log_prob(logits, target, self.temperature).sum()
            (gradient,) = torch.autograd.grad(log_prob, x)
        return Answer(eps.detach(), x0.detach(), gradient, logits.detach())
