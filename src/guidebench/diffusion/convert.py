"""What a network predicts, as eps and x0_pred, and what it is trained to predict.

`prediction` is eps, v, x0 or score throughout (docs/mathematics.md, What a network predicts).
"""

import torch
from torch import Tensor


def to_eps_x0(
    prediction: str, output: Tensor, x: Tensor, alpha: Tensor, sigma: Tensor
) -> tuple[Tensor, Tensor]:
    """(eps, x0_pred), each like x, from a network's output at x_t.

    `output` like x [N, ...]; `alpha` and `sigma` [] or [N, 1, ...] in (0, 1). v is that of
    Salimans & Ho 2022, appendix D; score = -eps / sigma (Song et al. 2021, eq. 7).

    >>> x, alpha, sigma = torch.tensor([1.0]), torch.tensor(0.8), torch.tensor(0.6)
    >>> to_eps_x0("eps", torch.tensor([1.0]), x, alpha, sigma)
    (tensor([1.]), tensor([0.5000]))
    """
    if prediction == "v":
        # the rotation (x_t, v) -> (x_0, eps)
        return sigma * x + alpha * output, alpha * x - sigma * output
    # otherwise one of the two is given, and x_t = alpha x_0 + sigma eps the other
    if prediction == "x0":
        return (x - alpha * output) / sigma, output
    eps = -sigma * output if prediction == "score" else output
    return eps, (x - sigma * eps) / alpha


def target(prediction: str, x0: Tensor, noise: Tensor, alpha: Tensor, sigma: Tensor) -> Tensor:
    """What a network is trained to output at x_t = alpha x0 + sigma noise; all like x0 [N, ...].

    For score it is the target of sigma times the output: -noise, the weighting sigma_t^2 of
    denoising score matching (Song et al. 2021, eq. 7).
    """
    if prediction == "v":
        return alpha * noise - sigma * x0
    if prediction == "x0":
        return x0
    return -noise if prediction == "score" else noise


class _StraightThroughClip(torch.autograd.Function):
    """clamp(-1, 1) whose gradient is the identity."""

    @staticmethod
    def forward(ctx: object, x: Tensor) -> Tensor:
        return x.clamp(-1, 1)

    @staticmethod
    def backward(ctx: object, *gradients: Tensor) -> Tensor:
        return gradients[0]


def clip(x0: Tensor, gradient: str) -> Tensor:
    """x0_pred clipped to [-1, 1], its `gradient` zero or straight_through where it saturates.

    >>> x0 = torch.tensor([3.0], requires_grad=True)
    >>> [torch.autograd.grad(clip(x0, kind), x0)[0].item() for kind in ("zero", "straight_through")]
    [0.0, 1.0]
    """
    return x0.clamp(-1, 1) if gradient == "zero" else _StraightThroughClip.apply(x0)
