"""What the public nrCG code guides by where it differs from the paper (docs/compat.md)."""

from typing import Any

import torch
from torch import Tensor

from guidebench.guidance.gradients import GuidingClassifier, Network


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


class HalfPrecision:
    """A network that is evaluated in float16, and so is the gradient through it.

    Parts of the gradient below 6e-8, the smallest float16, are lost.
    """

    def __init__(self, network: Network) -> None:
        self.network = network

    def __call__(self, x: Tensor, t: Any) -> Tensor:
        """The network's output like x [N, ...] at one t."""
        with torch.autocast(x.device.type, torch.float16):
            output = self.network(x, t)
        return output.to(x.dtype)
