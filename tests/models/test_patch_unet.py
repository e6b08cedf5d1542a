"""A network on patches is diffusers' network on the pixels of each patch as channels."""

from pathlib import Path

import pytest
import torch
from diffusers import DDPMPipeline, UNet2DModel

from guidebench.base.published import at
from guidebench.models.denoiser import Denoiser, build, checkpointed, save
from guidebench.models.denoiser_checkpoint import opened
from guidebench.models.patch_unet import PatchUNet
from guidebench.pipeline.experiment import sections

CPU = torch.device("cpu")


def _network(patch: int, **changes: object):
    torch.manual_seed(0)
    options = {"channels": [8, 16], "norm_groups": 4, "patch": patch} | changes
    return build(sections.Denoiser(**options), 16, 3, 4)


def test_patches_of_one_pixel_are_diffusers_own_network() -> None:
    assert isinstance(_network(1), UNet2DModel)


@pytest.mark.parametrize("patch", [2, 4])
def test_it_is_the_network_on_rearranged_pixels(patch: int) -> None:
    model = _network(patch)
    assert isinstance(model, PatchUNet)
    x = torch.randn(2, 3, 16, 16)
    # written out: channel c, row r and column s of a patch are channel (c patch + r) patch + s
    side = 16 // patch
    cells = x.reshape(2, 3, side, patch, side, patch).permute(0, 1, 3, 5, 2, 4)
    answer = model.unet(cells.reshape(2, 3 * patch**2, side, side), 7).sample
    cells = answer.reshape(2, 3, patch, patch, side, side).permute(0, 1, 4, 2, 5, 3)
    expected = cells.reshape(2, 3, 16, 16)
    torch.testing.assert_close(model(x, 7).sample, expected, rtol=1e-5, atol=1e-6)


def test_saved_opened_and_adopted_are_equal(tmp_path: Path) -> None:
    model = _network(2, condition_dropout=0.5, attention=[False, True])
    save(model, tmp_path, [0.1] * 20, "v")
    x, label = torch.randn(2, 3, 16, 16), torch.tensor([1, 4])
    x = x.contiguous(memory_format=torch.channels_last)
    loaded = Denoiser(tmp_path, CPU)
    assert loaded.conditional
    assert torch.equal(loaded(x, 5, label), model(x, 5, label).sample)
    published = opened(at(tmp_path), 16)
    for ours, theirs in zip(model.parameters(), published.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_diffusers_pipeline_opens_it_and_samples(tmp_path: Path) -> None:
    model = _network(2)
    save(model, tmp_path, [0.1] * 20, "v")
    pipeline = DDPMPipeline.from_pretrained(tmp_path, use_safetensors=True)
    assert isinstance(pipeline.unet, PatchUNet)
    pipeline.set_progress_bar_config(disable=True)
    images = pipeline(2, num_inference_steps=1, output_type="np").images
    assert images.shape == (2, 16, 16, 3)
    x = torch.randn(2, 3, 16, 16)
    torch.testing.assert_close(pipeline.unet(x, 7).sample, model(x, 7).sample, rtol=1e-4, atol=1e-5)


def test_with_gradient_checkpointing_the_gradient_is_the_same() -> None:
    x = torch.randn(2, 3, 16, 16, requires_grad=True)
    found = []
    for model in (_network(2), checkpointed(_network(2))):
        (gradient,) = torch.autograd.grad(model(x, 3).sample.square().sum(), x)
        found.append(gradient)
    assert torch.equal(*found)
