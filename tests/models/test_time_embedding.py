"""The drawn time embedding is what the network's first trained layer receives."""

import math

import pytest
import torch

from guidebench.models.denoiser import build
from guidebench.models.time_embedding import time_embedding
from guidebench.pipeline.experiment import sections


@pytest.mark.parametrize(
    ("options", "layer"),
    [
        (sections.Denoiser(channels=[8, 16]), "time_embedding"),
        (sections.Denoiser(channels=[8, 16], patch=2), "unet.time_embedding"),
        (sections.Denoiser(architecture="shuffle_unet", channels=[8, 16]), "time"),
    ],
)
def test_it_is_what_the_network_uses(options: sections.Denoiser, layer: str) -> None:
    model = build(options, 8, 1, 0).eval()
    received: list[torch.Tensor] = []
    model.get_submodule(layer).register_forward_pre_hook(lambda _, given: received.append(given[0]))
    times = torch.tensor([0.0, 12.0, 700.5])
    with torch.no_grad():
        for time in times:
            model(torch.zeros(1, 1, 8, 8), time)
    found = time_embedding(model, times)
    torch.testing.assert_close(found, torch.cat(received), rtol=0, atol=1e-6)
    assert found.std(0).max() > 0.1


def test_sines_and_cosines_of_falling_frequency() -> None:
    """cos(t w_i), then sin(t w_i), with w_i = 10,000^(-i / 8) (Ho et al. 2020)."""
    found = time_embedding(build(sections.Denoiser(channels=[16]), 8, 1, 0), torch.tensor([30.0]))
    angles = [30 * 10_000 ** (-i / 8) for i in range(8)]
    expected = [*map(math.cos, angles), *map(math.sin, angles)]
    assert found[0].tolist() == pytest.approx(expected, abs=1e-5)
