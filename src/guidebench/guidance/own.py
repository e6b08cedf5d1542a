"""What a user's guide is handed, and how its prediction is taken (docs/extending.md)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from guidebench.diffusion.convert import clip, to_eps_x0
from guidebench.diffusion.samplers import Prediction
from guidebench.diffusion.schedule import CLEAN, Schedule
from guidebench.guidance.answers import check_like, without_chance
from guidebench.guidance.gradients import GuidingClassifier
from guidebench.guidance.guides import Unguided
from guidebench.guidance.networks import BoundDenoiser
from guidebench.pipeline.errors import UserError


class Denoise:
    """The denoiser, differentiable in x; each call evaluates the network once."""

    def __init__(self, networks: BoundDenoiser, clip_gradient: str | None) -> None:
        self.networks, self.clip_gradient = networks, clip_gradient

    def __call__(self, x: Tensor, t: Any, *, label: int | Tensor | None = None) -> Prediction:
        """Give eps and x0 like x [N, *shape] at the sampler's t; x0 is clipped as `sampling` says.

        `label`: None, one class for all rows, or the [N] of each. UserError for a label where the
        denoiser is trained without any.
        """
        denoiser, schedule = self.networks.denoiser, self.networks.schedule
        if label is not None and not denoiser.conditional:
            raise UserError(
                "denoiser.condition_dropout: found null, allowed: a number, where a "
                "guide gives the denoiser a label"
            )
        if label is not None:
            labels = torch.as_tensor(label)
            if labels.min() < 0 or labels.max() > denoiser.null:
                raise UserError(
                    f"a guide's label: found {int(labels.min())} to {int(labels.max())}, allowed: "
                    f"0 to {denoiser.null - 1}, and {denoiser.null} for none"
                )
        networks = BoundDenoiser(denoiser, schedule, label)
        output = (networks.unconditional if label is None else networks.conditional)(x, t)
        alpha, sigma = schedule.alpha(t).to(x.dtype), schedule.sigma(t).to(x.dtype)
        eps, x0 = to_eps_x0(denoiser.prediction, output, x, alpha, sigma)
        return Prediction(eps, clip(x0, self.clip_gradient) if self.clip_gradient else x0)


class TargetClassifier:
    """The guiding classifier with its target bound, one class for all rows or the [N] of each.

    Its input is x_t [N, *shape] with the sampler's t, or clean images such as x0 without t.
    """

    def __init__(
        self, classifier: GuidingClassifier, target: int | Tensor, schedule: Schedule
    ) -> None:
        self.classifier, self.target, self.schedule = classifier, target, schedule

    def logits(self, x: Tensor, t: Any = CLEAN) -> Tensor:
        """Logits [N, classes]; the single output of a binary attribute comes beside a zero."""
        logits = self._logits(x, t)
        return logits if logits.shape[1] > 1 else torch.cat((0 * logits, logits), dim=1)

    def log_prob(self, x: Tensor, t: Any = CLEAN) -> Tensor:
        """Give log p(target | x) [N]; the gradient of its sum is each row's own."""
        return self.classifier.log_prob(self._logits(x, t), self.target)

    def _logits(self, x: Tensor, t: Any) -> Tensor:
        return self.classifier(x, float(self.schedule.time(t)))


class Own:
    """A user's guide as samplers call it.

    x0 is clipped and eps recomputed as for the guides here, and no graph is kept.
    """

    # of x_t = alpha x0 + sigma eps, relative to 1 + |x_t|; rounding is a thousandth of it
    APART = 1e-3

    def __init__(self, name: str, guide: Any, unguided: Unguided) -> None:
        self.name, self.guide, self.unguided = name, guide, unguided

    def __call__(self, x: Tensor, t: Any, step: int, *, corrector: bool = False) -> Prediction:
        """Call the guide once; UserError where it returns no `Prediction` of tensors like x.

        Its eps and x0 belong together, x = alpha x0 + sigma eps, but for a clip of x0.
        """
        version = x._version  # counts changes in place
        with torch.enable_grad(), without_chance(self.name):
            # guides without state need no keyword `corrector`: it is left out where it is False
            prediction = self.guide(x, t, step, **({"corrector": True} if corrector else {}))
        if x._version != version:
            raise UserError(f"{self.name}: changed x in its place, allowed: a copy (x.clone())")
        if not isinstance(prediction, Prediction):
            raise UserError(
                f"{self.name}: answered {type(prediction).__name__}, allowed: a Prediction "
                "of eps, x0 and shift"
            )
        for key, value in prediction._asdict().items():
            if value is None and key == "shift":
                continue
            check_like(f"{self.name}: answered {key}", value, x, "x")
        shift = None if prediction.shift is None else prediction.shift.detach()
        eps, x0 = prediction.eps.detach(), prediction.x0.detach()
        self._together(x, eps, x0, t)
        # an eps that is not finite is no image, also where x0 alone is used
        x0 = x0 + torch.where(eps.isfinite(), 0, torch.nan)
        clipped = self.unguided.finish(x, eps, x0, t)
        return clipped._replace(shift=shift)

    def _together(self, x: Tensor, eps: Tensor, x0: Tensor, t: Any) -> None:
        """UserError where eps and x0 are of two different images; NaN and inf are seen later."""
        schedule = self.unguided.schedule
        alpha, sigma = schedule.alpha(t).to(x.dtype), schedule.sigma(t).to(x.dtype)
        of_eps, answered = (x - sigma * eps) / alpha, x0
        if self.unguided.clip_x0:
            of_eps, answered = of_eps.clamp(-1, 1), answered.clamp(-1, 1)
        apart = alpha * (answered - of_eps).abs()
        if (apart > self.APART * (1 + x.abs())).any():
            clip = ", both clipped to [-1, 1]" if self.unguided.clip_x0 else ""
            most = float(apart.nan_to_num().max() / alpha)
            raise UserError(
                f"{self.name}: answered an x0 that is {most:.2g} away from its eps's, allowed: "
                f"an eps and an x0 of one image, x = alpha x0 + sigma eps{clip}"
            )
