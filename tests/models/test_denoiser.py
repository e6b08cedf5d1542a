"""The denoiser's files open in diffusers, and what was saved is what is loaded."""

from pathlib import Path

import pytest
import torch
from diffusers import DDPMPipeline, DDPMScheduler

from guidebench.diffusion.schedules import DDPMLinear
from guidebench.models import denoiser as module
from guidebench.models.denoiser import Denoiser, build, save
from guidebench.pipeline.errors import UserError
from guidebench.pipeline.experiment import sections

CPU = torch.device("cpu")


def _options(**changes: object) -> sections.Denoiser:
    return sections.Denoiser(**{"channels": [8, 16], "norm_groups": 4} | changes)


def _saved(folder: Path, prediction: str = "v", channels: int = 3, **changes: object):
    torch.manual_seed(0)
    model = build(_options(**changes), 8, channels, 4).eval()
    save(model, folder, DDPMLinear(20, rescale=True).betas.tolist(), prediction)
    return model


@pytest.mark.parametrize("prediction", ["eps", "v", "x0"])
def test_diffusers_opens_the_folder_and_samples(tmp_path: Path, prediction: str) -> None:
    model = _saved(tmp_path, prediction)
    pipeline = DDPMPipeline.from_pretrained(tmp_path, use_safetensors=True)
    pipeline.set_progress_bar_config(disable=True)
    scheduler = pipeline.scheduler
    assert isinstance(scheduler, DDPMScheduler)
    assert scheduler.config.prediction_type == module.PREDICTION_TYPES[prediction]
    schedule = DDPMLinear(20, rescale=True)
    expected = (schedule.alpha(torch.arange(20)) ** 2).float()
    # their table is a float32 product
    torch.testing.assert_close(scheduler.alphas_cumprod, expected, rtol=2e-6, atol=1e-9)
    images = pipeline(2, num_inference_steps=1, output_type="np").images
    assert images.shape == (2, 8, 8, 3)
    x = torch.randn(2, 3, 8, 8)
    # theirs is not in channels_last: another convolution kernel, another rounding
    torch.testing.assert_close(pipeline.unet(x, 7).sample, model(x, 7).sample, rtol=1e-4, atol=1e-5)


def test_gradients_are_the_same_in_both_modes() -> None:
    """So it is trained in that of evaluation, where diffusers copies no shortcut's input."""
    torch.manual_seed(0)
    network = build(_options(attention=[False, True]), 8, 3, 4)
    assert not network.training
    x = torch.randn(4, 3, 8, 8).contiguous(memory_format=torch.channels_last)
    found = []
    for training in (False, True):
        network.train(training).zero_grad()
        network(x, torch.arange(4), return_dict=False)[0].square().mean().backward()
        found.append([weight.grad.clone() for weight in network.parameters()])
    assert len(found[0]) > 50
    assert all(torch.equal(*pair) for pair in zip(*found, strict=True))


def test_saved_and_loaded_are_equal(tmp_path: Path) -> None:
    model = _saved(tmp_path)
    loaded = Denoiser(tmp_path, CPU)
    assert loaded.prediction == "v"
    assert not loaded.model.training
    assert not any(p.requires_grad for p in loaded.model.parameters())
    for (name, ours), (other, theirs) in zip(
        model.state_dict().items(), loaded.model.state_dict().items(), strict=True
    ):
        assert name == other
        assert torch.equal(ours, theirs)
    x = torch.randn(2, 3, 8, 8).contiguous(memory_format=torch.channels_last)
    assert torch.equal(loaded(x, 5), model(x, 5).sample)
    assert all((tmp_path / name).is_file() for name in module.FILES)


def test_it_counts_rows(tmp_path: Path) -> None:
    _saved(tmp_path)
    denoiser = Denoiser(tmp_path, CPU)
    for rows in (1, 4):
        denoiser(torch.zeros(rows, 3, 8, 8), 3)
    assert denoiser.rows == 5


def test_conditional_network_without_labels_gets_the_null_token(tmp_path: Path) -> None:
    _saved(tmp_path, condition_dropout=0.2)
    denoiser = Denoiser(tmp_path, CPU)
    assert denoiser.conditional
    assert denoiser.null == 4
    x = torch.randn(3, 3, 8, 8)
    null = denoiser(x, 5, torch.tensor([4, 4, 4]))
    assert torch.equal(denoiser(x, 5), null)
    assert not torch.allclose(denoiser(x, 5, torch.tensor([0, 1, 2])), null)


def test_unconditional_network_has_no_labels(tmp_path: Path) -> None:
    _saved(tmp_path)
    assert not Denoiser(tmp_path, CPU).conditional


@pytest.mark.parametrize("attention", [None, [False, True]])
def test_attention_is_where_the_config_says(attention: list[bool] | None) -> None:
    model = build(_options(attention=attention), 8, 3, 4)
    found = ["Attn" in type(block).__name__ for block in model.down_blocks]
    assert found == (attention or [False, False])
    assert ["Attn" in type(block).__name__ for block in model.up_blocks] == found[::-1]


def test_grayscale(tmp_path: Path) -> None:
    _saved(tmp_path, channels=1)
    assert Denoiser(tmp_path, CPU)(torch.zeros(2, 1, 8, 8), 3).shape == (2, 1, 8, 8)


def test_sizes_that_halving_does_not_divide(tmp_path: Path) -> None:
    """MNIST's 28 with three levels: 28, 14, 7."""
    model = build(_options(channels=[8, 8, 16]), 28, 1, 4)
    assert model(torch.zeros(1, 1, 28, 28), 3).sample.shape == (1, 1, 28, 28)


def test_missing_folder_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no denoiser in diffusers' layout"):
        Denoiser(tmp_path / "absent", CPU)


@pytest.mark.parametrize("name", [module.WEIGHTS, "unet/config.json"])
@pytest.mark.parametrize("keep", [0, 100])
def test_truncated_file_is_a_user_error(tmp_path: Path, name: str, keep: int) -> None:
    _saved(tmp_path)
    path = tmp_path / name
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(UserError, match="no denoiser"):
        Denoiser(tmp_path, CPU)


def test_the_notebooks_network_is_saved_and_loaded_like_the_other(tmp_path: Path) -> None:
    options = _options(architecture="shuffle_unet", condition_dropout=0.5)
    torch.manual_seed(0)
    model = build(options, 8, 1, 4).eval()
    save(model, tmp_path, DDPMLinear(10).betas.tolist(), "eps")
    denoiser = Denoiser(tmp_path, CPU)
    assert (denoiser.prediction, denoiser.conditional, denoiser.null) == ("eps", True, 4)
    x = torch.randn(2, 1, 8, 8, generator=torch.Generator().manual_seed(1))
    label = torch.tensor([1, 4])
    with torch.no_grad():
        expected = model(x, 7, class_labels=label, return_dict=False)[0]
        torch.testing.assert_close(denoiser(x, 7, label), expected, rtol=1e-4, atol=1e-5)
        null = torch.full((2,), 4)
        torch.testing.assert_close(denoiser(x, 7), denoiser(x, 7, null), rtol=0, atol=0)


@torch.no_grad()
def test_fractions_of_time_reach_the_network(tmp_path: Path) -> None:
    """Continuous schedules send 1000 t; diffusers would make 966 of a float 966.67."""
    _saved(tmp_path)
    denoiser = Denoiser(tmp_path, CPU)
    x = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(1))
    assert not torch.equal(denoiser(x, 966.67), denoiser(x, 966.0))
    assert torch.equal(denoiser(x, 966.0), denoiser(x, 966))
