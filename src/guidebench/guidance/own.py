"""What a user's guide is handed, and how its answer is taken (README, "Add a method")."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from guidebench.diffusion.convert import clip, to_eps_x0
from guidebench.diffusion.samplers import Prediction
from guidebench.diffusion.schedule import CLEAN, Schedule
from guidebench.guidance.gradients import GuidingClassifier
from guidebench.guidance.guides import Unguided
from guidebench.guidance.networks import Networks
from guidebench.pipeline.errors import UserError


class Denoise:
    """The denoiser: one evaluation a call, differentiable in x."""

    def __init__(self, networks: Networks, clip_gradient: str | None) -> None:
        self.networks, self.clip_gradient = networks, clip_gradient

    def __call__(self, x: Tensor, t: Any, *, label: int | Tensor | None = None) -> Prediction:
        """Give eps and x0 like x [N, *shape] at the sampler's t; x0 is clipped as `sampling` says.

        `label`: none, one class for all rows, or one a row [N]. UserError for a label that the
        denoiser cannot take.
        """
        denoiser, schedule = self.networks.denoiser, self.networks.schedule
        if label is not None and not denoiser.conditional:
            raise UserError(
                "denoiser.condition_dropout: found null, allowed: a number, where a "
                "guide asks the denoiser for a label"
            )
        networks = Networks(denoiser, schedule, label)
        output = (networks.unconditional if label is None else networks.conditional)(x, t)
        alpha, sigma = schedule.alpha(t).to(x.dtype), schedule.sigma(t).to(x.dtype)
        eps, x0 = to_eps_x0(denoiser.prediction, output, x, alpha, sigma)
        return Prediction(eps, clip(x0, self.clip_gradient) if self.clip_gradient else x0)


class TargetClassifier:
    """The guiding classifier, with the class that each row asks for bound.

    It sees x_t at the sampler's t or, where t is left out, clean images such as x0.
    """

    def __init__(
        self, classifier: GuidingClassifier, target: int | Tensor, schedule: Schedule
    ) -> None:
        self.classifier, self.target, self.schedule = classifier, target, schedule

    def logits(self, x: Tensor, t: Any = CLEAN) -> Tensor:
        """[N, classes]: the one evidence of two classes stands beside a zero."""
        logits = self._answer(x, t)
        return logits if logits.shape[1] > 1 else torch.cat((0 * logits, logits), dim=1)

    def log_prob(self, x: Tensor, t: Any = CLEAN) -> Tensor:
        """Rows' log p(target | x) [N]: the gradient of its sum holds each row's own."""
        return self.classifier.log_prob(self._answer(x, t), self.target)

    def _answer(self, x: Tensor, t: Any) -> Tensor:
        return self.classifier(x, float(self.schedule.time(t)))


class Own:
    """A user's guide as samplers see it: x0 clipped and eps recomputed as for ours, no graph kept.

    UserError for an answer that is no `Prediction` like x.
    """

    def __init__(self, name: str, guide: Any, unguided: Unguided) -> None:
        self.name, self.guide, self.unguided = name, guide, unguided

    def __call__(self, x: Tensor, t: Any, step: int, *, corrector: bool = False) -> Prediction:
        """Evaluate once."""
        with torch.enable_grad():
            # the keyword only where it says something: most guides have no state to spare
            found = self.guide(x, t, step, **({"corrector": True} if corrector else {}))
        if not isinstance(found, Prediction):
            raise UserError(
                f"{self.name}: answered {type(found).__name__}, allowed: a Prediction "
                "of eps, x0 and shift"
            )
        for key, value in found._asdict().items():
            if value is None and key == "shift":
                continue
            said = tuple(value.shape) if isinstance(value, Tensor) else type(value).__name__
            if said != tuple(x.shape):
                raise UserError(
                    f"{self.name}: answered {key} of shape {said}, allowed: that of "
                    f"x, {tuple(x.shape)}"
                )
        shift = None if found.shift is None else found.shift.detach()
        finished = self.unguided.finish(x, found.eps.detach(), found.x0.detach(), t)
        return finished._replace(shift=shift)
