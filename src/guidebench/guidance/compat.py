"""What the public nrCG code guides by where it differs from the paper (docs/compat.md)."""

from __future__ import annotations

import torch
from torch import Tensor

from guidebench.guidance.gradients import GuidingClassifier


class RawLogit:
    """A classifier of several classes that guides by its target's raw logit f_y.

    In the place of log p(y | input) = f_y - logsumexp(f): the other classes' logits are not pushed
    down, and the gradient does not vanish where the classifier is certain.
    """

    def __init__(self, classifier: GuidingClassifier) -> None:
        self.classifier = classifier

    def __call__(self, x: Tensor, time: float = 0.0) -> Tensor:
        """Logits [N, outputs] of x [N, ...]."""
        return self.classifier(x, time)

    def log_prob(self, logits: Tensor, target: int | Tensor, temperature: float = 1.0) -> Tensor:
        """Give f_y / temperature [N] of logits [N, outputs], for one target or the [N] of rows."""
        rows = torch.as_tensor(target, device=logits.device).expand(len(logits))
        return logits.gather(1, rows[:, None])[:, 0] / temperature
