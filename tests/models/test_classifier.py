"""Classifiers: shapes, log-probabilities, names, files."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from torchvision.models import get_model

from guidebench.models.classifier import Classifier, check_values, load, predicted
from guidebench.pipeline.errors import UserError
from guidebench.pipeline.records.artifacts import write_json

CPU = torch.device("cpu")


@pytest.mark.parametrize("architecture", ["small_cnn", "small_resnet", "mobilenet_v3_small"])
@pytest.mark.parametrize(("classes", "outputs"), [(2, 1), (3, 3), (10, 10)])
@pytest.mark.parametrize("channels", [1, 3])
def test_shapes(architecture: str, classes: int, outputs: int, channels: int) -> None:
    model = Classifier(architecture, classes, hidden=6).eval()
    x = torch.rand(2, channels, 32, 32) * 2 - 1
    with torch.no_grad():
        hidden, logits = model.hidden_and_logits(x)
        assert torch.equal(model(x), logits)
    assert hidden.shape == (2, 6)
    assert logits.shape == (2, outputs)
    assert model.head is not None
    assert torch.equal(model.head(hidden), logits)
    assert predicted(logits).shape == (2,)


def test_gray_is_repeated() -> None:
    model = Classifier("small_cnn", 3, 6).eval()
    x = torch.rand(2, 1, 8, 8)
    assert torch.equal(model(x), model(x.repeat(1, 3, 1, 1)))


def test_unknown_architecture_names_the_allowed_ones() -> None:
    with pytest.raises(UserError, match="small_cnn") as caught:
        Classifier("small_cn", 3, 6)
    assert "\n" not in str(caught.value)


def test_log_prob_of_classes() -> None:
    model = Classifier("small_cnn", 3, 6)
    logits = torch.tensor([[1.0, 2.0, 4.0], [0.0, 0.0, 0.0]], dtype=torch.float64)
    for target in range(3):
        for temperature in (1.0, 2.5):
            expected = torch.softmax(logits / temperature, dim=1)[:, target].log()
            torch.testing.assert_close(model.log_prob(logits, target, temperature), expected)


def test_log_prob_of_an_attribute() -> None:
    """log p = logsigmoid(f) when the target has it, logsigmoid(-f) when not; finite far out."""
    model = Classifier("small_cnn", 2, 6)
    f = torch.tensor([[0.3], [-2.0], [200.0], [-200.0]], dtype=torch.float64)
    has, has_not = model.log_prob(f, 1), model.log_prob(f, 0)
    torch.testing.assert_close(has[:2], torch.sigmoid(f[:2, 0]).log())
    torch.testing.assert_close(has_not[:2], torch.sigmoid(-f[:2, 0]).log())
    torch.testing.assert_close(has[:2].exp() + has_not[:2].exp(), torch.ones(2).double())
    assert has[3].item() == pytest.approx(-200.0)
    assert has_not[2].item() == pytest.approx(-200.0)
    torch.testing.assert_close(model.log_prob(f, 1, 2.0), model.log_prob(f / 2, 1))
    assert predicted(f).tolist() == [1, 0, 1, 0]


NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([[0.0, 2.0, 1.0], [NAN, NAN, NAN], [3.0, 0.0, NAN], [0.0, INF, 0.0]], [1, -1, -1, -1]),
        ([[0.5], [NAN], [-0.5], [INF], [-INF]], [1, -1, 0, -1, -1]),
    ],
)
def test_logits_that_are_not_finite_are_of_no_class(rows, expected) -> None:
    """The largest of NaN was the first, and so the target."""
    found = predicted(torch.tensor(rows))
    assert found.dtype == torch.long
    assert found.tolist() == expected


@pytest.mark.parametrize("classes", [2, 3])
def test_loss_is_the_mean_negative_log_prob(classes: int) -> None:
    model = Classifier("small_cnn", classes, 6)
    logits = torch.randn(5, 1 if classes == 2 else classes)
    labels = torch.tensor([0, 1, 1, 0, 1])
    expected = -torch.stack(
        [model.log_prob(logits[i : i + 1], int(labels[i]))[0] for i in range(5)]
    ).mean()
    torch.testing.assert_close(model.loss(logits, labels), expected)


def _saved(folder: Path) -> Classifier:
    torch.manual_seed(0)
    model = Classifier("small_cnn", 3, 6).eval()
    write_json(folder / "config.json", {"architecture": "small_cnn", "classes": 3, "hidden": 6})
    save_file(model.state_dict(), folder / "model.safetensors")
    return model


def test_saved_and_loaded_are_equal(tmp_path: Path) -> None:
    model = _saved(tmp_path)
    loaded = load(tmp_path, CPU)
    assert not loaded.training
    assert not any(p.requires_grad for p in loaded.parameters())
    x = torch.rand(2, 3, 8, 8).contiguous(memory_format=torch.channels_last)
    assert torch.equal(loaded(x), model.to(memory_format=torch.channels_last)(x))


@pytest.mark.parametrize("keep", [0, 5, 1000])
def test_truncated_weights_are_a_user_error(tmp_path: Path, keep: int) -> None:
    _saved(tmp_path)
    path = tmp_path / "model.safetensors"
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(UserError, match="not these weights"):
        load(tmp_path, CPU)


def test_weights_of_another_classifier_are_a_user_error(tmp_path: Path) -> None:
    _saved(tmp_path)
    write_json(tmp_path / "config.json", {"architecture": "small_cnn", "classes": 5, "hidden": 6})
    with pytest.raises(UserError, match="not these weights"):
        load(tmp_path, CPU)


BROKEN = {
    "type int8": torch.ones(3, dtype=torch.int8),
    "type int64": torch.ones(3, dtype=torch.int64),
    "type bool": torch.ones(3, dtype=torch.bool),
    "type complex64": torch.ones(3, dtype=torch.complex64),
    "NaN or infinite in 2 of 3": torch.tensor([float("nan"), 0, float("inf")]),
    "NaN or infinite in 1 of 3": torch.tensor([1e39, 0, 0], dtype=torch.float64),
}


@pytest.mark.parametrize("said", BROKEN)
def test_weights_are_finite_numbers(said: str) -> None:
    model, path = Classifier("small_resnet", 3, 6), Path("a.pth")
    weights = dict(model.state_dict())
    check_values(model, weights, path)
    check_values(model, {name: value.double() for name, value in weights.items()}, path)
    check_values(model, {name: value.to(torch.bfloat16) for name, value in weights.items()}, path)
    with pytest.raises(UserError) as caught:
        check_values(model, weights | {"head.bias": BROKEN[said]}, path)
    line = str(caught.value)
    assert line.startswith("checkpoint: found a.pth (head.bias is ")
    assert said in line
    assert line.endswith("), allowed: finite floating-point numbers")


def test_whole_numbers_of_a_network_may_be_of_any_type() -> None:
    """Counts of batches, and the places of a Swin transformer's patches."""
    swin = get_model("swin_t", num_classes=2)
    model = nn.Sequential(nn.BatchNorm2d(2), swin.features[1])
    names = [name for name, value in model.state_dict().items() if not value.is_floating_point()]
    assert any(name.endswith("num_batches_tracked") for name in names)
    assert any(name.endswith("relative_position_index") for name in names)
    check_values(model, model.state_dict(), Path("a.pth"))
