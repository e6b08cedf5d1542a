"""A classifier's own size and normalisation, and the gradient through them, written out."""

import pytest
import torch
from torch import Tensor

from guidebench.models.classifier import Classifier
from guidebench.models.preprocess import Preprocess

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def _weights(count: int, size: int) -> Tensor:
    """[size, count] of the resize: a triangle around each centre, as wide as it shrinks."""
    ratio = count / size
    centres = (torch.arange(size).double()[:, None] + 0.5) * ratio
    distances = (torch.arange(count).double()[None] + 0.5 - centres).abs() / max(ratio, 1.0)
    triangle = (1 - distances).clamp(min=0)
    return triangle / triangle.sum(dim=1, keepdim=True)


def _written_out(x: Tensor, size: int) -> Tensor:
    rows = _weights(x.shape[-1], size)
    resized = torch.einsum("ih,jw,nchw->ncij", rows, rows, x)
    mean, std = (torch.tensor(values).double().view(3, 1, 1) for values in (MEAN, STD))
    return ((resized + 1) / 2 - mean) / std


@pytest.mark.parametrize("size", [5, 8, 13, 32], ids=["smaller", "same", "larger", "four times"])
def test_values_and_gradients_are_those_of_the_formula(size: int) -> None:
    torch.manual_seed(0)
    x = (torch.rand(2, 3, 8, 8, dtype=torch.float64) * 2 - 1).requires_grad_()
    preprocess = Preprocess(MEAN, STD, size).double()
    ours, theirs = preprocess(x), _written_out(x, size)
    torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)
    push = torch.randn_like(ours)
    gradients = [torch.autograd.grad((y * push).sum(), x)[0] for y in (ours, theirs)]
    assert gradients[0].abs().min() > 0
    torch.testing.assert_close(*gradients, rtol=1e-12, atol=1e-12)


def test_none_of_them_gives_the_images_themselves() -> None:
    x = torch.rand(2, 3, 8, 8)
    assert Preprocess()(x) is x


def test_a_classifier_sees_what_it_was_made_for() -> None:
    """Gray images as three equal channels; weights and files are as without."""
    torch.manual_seed(0)
    plain = Classifier("small_cnn", 3, 6).eval().double()
    model = Classifier("small_cnn", 3, 6, mean=MEAN, std=STD, input_size=12).eval().double()
    model.load_state_dict(plain.state_dict())
    x = torch.rand(2, 1, 8, 8, dtype=torch.float64) * 2 - 1
    expected = plain(_written_out(x.repeat(1, 3, 1, 1), 12))
    torch.testing.assert_close(model(x), expected, rtol=1e-12, atol=1e-12)
    assert not torch.allclose(model(x), plain(x), rtol=1e-4)
