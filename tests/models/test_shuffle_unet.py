"""The MNIST notebook's U-Net: shapes, labels and time that arrive, diffusers' files."""

from pathlib import Path

import pytest
import torch

from guidebench.models.shuffle_unet import ShuffleUNet


def _model(**options) -> ShuffleUNet:
    torch.manual_seed(0)
    return ShuffleUNet(**options).eval()


def _x(channels: int = 1, side: int = 28) -> torch.Tensor:
    return torch.randn(3, channels, side, side, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(("channels", "side"), [(1, 28), (3, 32), (1, 14)])
def test_shapes(channels: int, side: int) -> None:
    model = _model(in_channels=channels, num_class_embeds=11)
    x, label = _x(channels, side), torch.tensor([0, 5, 10])
    (output,) = model(x, 500, class_labels=label, return_dict=False)
    assert output.shape == x.shape
    assert torch.equal(model(x, 500, class_labels=label).sample, output)


def test_size_of_the_notebooks_configuration() -> None:
    """28 x (1, 2, 4) channels, embeddings of 256, 100 time bins, ten digits and the null token."""
    assert sum(p.numel() for p in _model(num_class_embeds=11).parameters()) == 352_899


@torch.no_grad()
def test_the_label_changes_the_encoders_output() -> None:
    """In the notebook's code the time overwrites it: its encoder does not depend on the label."""
    model = _model(num_class_embeds=11)
    time, (one, two) = torch.zeros(3, 256), model.label.weight[[0, 7]]
    x = torch.randn(3, 28, 28, 28, generator=torch.Generator().manual_seed(2))
    ends = [model.encoders[0](x, time, label.expand(3, -1)) for label in (one, two)]
    assert (ends[0][0] - ends[1][0]).abs().max() > 1e-3
    assert torch.equal(ends[0][1], ends[1][1])  # the shortcut carries neither, as in the notebook
    labels = [torch.full((3,), number) for number in (0, 7)]
    outputs = [model(_x(), 500, class_labels=label).sample for label in labels]
    assert (outputs[0] - outputs[1]).abs().max() > 1e-4


@torch.no_grad()
def test_time_changes_the_output_and_rows_have_their_own() -> None:
    model, x = _model(), _x()
    early, late = model(x, 100).sample, model(x, 900).sample
    assert (early - late).abs().max() > 1e-4
    mixed = model(x, torch.tensor([100.0, 900.0, 100.0])).sample
    torch.testing.assert_close(mixed, torch.stack((early[0], late[1], early[2])))


def test_time_bins() -> None:
    bins = _model().bins(torch.tensor([0.0, 0.314, 1.0]))
    torch.testing.assert_close(bins.sum(1), torch.ones(3))
    assert bins.argmax(1).tolist() == [0, 31, 99]


def test_labels_must_fit() -> None:
    with pytest.raises(ValueError, match="class_labels"):
        _model()(_x(), 1, class_labels=torch.zeros(3, dtype=torch.long))
    with pytest.raises(ValueError, match="class_labels"):
        _model(num_class_embeds=11)(_x(), 1)


@torch.no_grad()
def test_saved_and_loaded_is_the_same(tmp_path: Path) -> None:
    model = _model(num_class_embeds=4, channels=(8, 16))
    model.save_pretrained(tmp_path, safe_serialization=True)
    again = ShuffleUNet.from_pretrained(tmp_path, use_safetensors=True).eval()
    label = torch.tensor([0, 1, 3])
    assert torch.equal(
        model(_x(), 3.0, class_labels=label).sample, again(_x(), 3.0, class_labels=label).sample
    )
