"""Randomness that depends on names and numbers only, never on batch, block, process or order."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

_MASK = 0xFFFFFFFF
_MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
_WEYL = (0x9E3779B9, 0xBB67AE85)


def derive(*names: object) -> int:
    """A seed in [0, 2^63) from the names that the randomness may depend on.

    >>> derive(7, "mnist", "noise") == derive(7, "mnist", "noise") != derive(8, "mnist", "noise")
    True
    """
    text = "\x1f".join(str(name) for name in names)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little") >> 1


def philox(counter: list[torch.Tensor], key: list[torch.Tensor]) -> list[torch.Tensor]:
    """Four words of random bits by Philox4x32-10 (Salmon et al. 2011, section 3.3).

    `counter`: four words, `key`: two. All are broadcastable int64 tensors that hold uint32.
    """
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(10):
        # the signed 64-bit product wraps, yet its upper and lower words are the unsigned ones
        p0, p1 = c0 * _MULTIPLIERS[0], c2 * _MULTIPLIERS[1]
        c0, c1, c2, c3 = (
            ((p1 >> 32) & _MASK) ^ c1 ^ k0,
            p1 & _MASK,
            ((p0 >> 32) & _MASK) ^ c3 ^ k1,
            p0 & _MASK,
        )
        k0, k1 = (k0 + _WEYL[0]) & _MASK, (k1 + _WEYL[1]) & _MASK
    return [c0, c1, c2, c3]


def normal(seeds: torch.Tensor, stream: int, shape: tuple[int, ...]) -> torch.Tensor:
    """Standard normal float32 noise [N, *shape]; row i depends on seeds[i] and stream alone.

    `seeds` [N]: int64, non-negative; `stream` in [0, 2^32). Box-Muller on Philox4x32-10.

    >>> import torch
    >>> rows = normal(torch.tensor([5, 6]), stream=0, shape=(1, 8, 8))
    >>> bool((normal(torch.tensor([6]), stream=0, shape=(1, 8, 8)) == rows[1:]).all())
    True
    """
    import torch

    size = torch.Size(shape).numel()
    index = torch.arange(-(-size // 4), device=seeds.device)[None]
    zero = torch.zeros_like(index)
    seed = seeds[:, None]
    words = philox([index, zero + stream, zero, zero], [seed & _MASK, (seed >> 32) & _MASK])
    # (0, 1]: the logarithm below is finite
    uniform = torch.stack(words).to(torch.float32).add_(1.0).mul_(2.0**-32)
    radius = torch.sqrt(-2 * torch.log(uniform[0::2]))
    angle = (2 * torch.pi) * uniform[1::2]
    pairs = torch.stack((radius * torch.cos(angle), radius * torch.sin(angle)), dim=-1)
    return pairs.permute(1, 2, 0, 3).reshape(len(seeds), -1)[:, :size].reshape(-1, *shape)
