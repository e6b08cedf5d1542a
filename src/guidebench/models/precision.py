"""Faster arithmetic of a network, for whoever asks for it: TF32 and bfloat16, compiled kernels."""

import os
import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch
from torch import nn

from guidebench.pipeline.errors import UserError


@contextmanager
def products(precision: str) -> Iterator[None]:
    """Inside, float32 matrix products are in TF32 where `precision` is tf32 and a GPU has it.

    Convolutions on such a GPU are in TF32 whatever is asked: PyTorch's default.
    """
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high" if precision == "tf32" else before)
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


def autocast(device: torch.device, precision: str) -> AbstractContextManager[object]:
    """Inside, matrix products and convolutions are in bfloat16 where `precision` is bf16.

    Else nothing changes: an autocast around it goes on.
    """
    return torch.autocast(device.type, torch.bfloat16) if precision == "bf16" else nullcontext()


def compiled(network: nn.Module, device: torch.device, key: str) -> None:
    """Have `network` compiled at its first call, and its backward pass with it, for fixed shapes.

    UserError, which names the config's `key`, where there is no compiler to do so.
    """
    variable, usual = ("CC", ("gcc", "clang")) if device.type == "cuda" else ("CXX", ("g++",))
    asked = (os.environ[variable],) if variable in os.environ else usual
    if not any(map(shutil.which, asked)):
        raise UserError(f"{key}: found true without a compiler ({asked[0]}), allowed: false")
    network.compile(dynamic=False)
