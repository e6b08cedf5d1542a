"""What a network predicts (eps, v, x0 or score) as eps and x0_pred, and as training targets."""

from __future__ import annotations

import torch
from torch import Tensor


def to_eps_x0(
    prediction: str, output: Tensor, x: Tensor, alpha: Tensor, sigma: Tensor
) -> tuple[Tensor, Tensor]:
    """(eps, x0_pred) from a network's output at x_t; alpha and sigma broadcast against x.

    v = alpha eps - sigma x_0 (Salimans & Ho 2022, appendix D); score = -eps / sigma;
    x_t = alpha x_0 + sigma eps.
    """
    if prediction == "v":
        return sigma * x + alpha * output, alpha * x - sigma * output
    if prediction == "x0":
        return (x - alpha * output) / sigma, output
    eps = -sigma * output if prediction == "score" else output
    return eps, (x - sigma * eps) / alpha


def target(prediction: str, x0: Tensor, noise: Tensor, alpha: Tensor, sigma: Tensor) -> Tensor:
    """What the network is trained to output for `prediction` in eps, v, x0.

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
    """x0_pred clipped to [-1, 1]; its `gradient` where it saturates: zero or straight_through."""
    return x0.clamp(-1, 1) if gradient == "zero" else _StraightThroughClip.apply(x0)
