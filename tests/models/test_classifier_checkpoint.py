"""Classifiers from files of weights: what they answer, and what is said of other files."""

import copy
from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional
from torchvision import models
from torchvision.transforms.v2.functional import normalize, resize
from weight_files import LAYOUTS, prefixed, section, torchvision_model, write, write_content

from guidebench.models.architectures import last_layer, network
from guidebench.models.classifier import Classifier, load, predicted
from guidebench.models.classifier_checkpoint import read
from guidebench.pipeline.errors import UserError
from guidebench.pipeline.records.artifacts import write_json

CPU = torch.device("cpu")
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@pytest.fixture(scope="module")
def mobilenet() -> nn.Module:
    """The paper's: mobilenet_v3_small with its own last layer, for three classes."""
    return torchvision_model("mobilenet_v3_small", 3)


@pytest.fixture(scope="module")
def images() -> Tensor:
    """[6, 3, 20, 20] in [-1, 1]."""
    chance = torch.Generator().manual_seed(1)
    return torch.rand(6, 3, 20, 20, generator=chance, dtype=torch.float64) * 2 - 1


def _exact(model: nn.Module) -> Any:
    """The same weights in float64: another order of sums makes no difference."""
    return copy.deepcopy(model).double().requires_grad_(False)


def _close(found: Tensor, expected: Tensor) -> None:
    size = float(expected.detach().abs().max())
    assert size > 0.1
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-6 * size)


def _refused(*arguments: Any, **keys: Any) -> str:
    with pytest.raises(UserError) as caught:
        read(section(*arguments, **keys), 3)
    line = str(caught.value)
    assert "\n" not in line
    assert ": found " in line
    assert ", allowed: " in line
    return line


@pytest.mark.parametrize("layout", LAYOUTS)
def test_logits_are_the_plain_networks(layout, mobilenet, images, tmp_path: Path) -> None:
    """On the images resized and normalised as torchvision does it; a prefix is recognised."""
    model = read(section(write(tmp_path, mobilenet, layout), mean=MEAN, std=STD, input_size=32), 3)
    assert not model.training
    assert not any(parameter.requires_grad for parameter in model.parameters())
    seen = normalize(resize((images + 1) / 2, [32, 32], antialias=True), MEAN, STD)
    _close(_exact(model)(images), _exact(mobilenet)(seen))
    bare = read(section(write(tmp_path, mobilenet, layout)), 3)
    _close(_exact(bare)(images), _exact(mobilenet)(images))


def test_what_the_stage_writes_is_loaded(mobilenet, images, tmp_path: Path) -> None:
    """As for a trained one: weights, and config.json with the arguments."""
    keys = {"mean": MEAN, "std": STD, "input_size": 32, "outputs": [2, 0]}
    model = read(section(write(tmp_path, mobilenet), **keys), 2)
    save_file(model.state_dict(), tmp_path / "model.safetensors")
    write_json(tmp_path / "config.json", model.settings)
    again = load(tmp_path, CPU)
    x = images.float()
    assert torch.equal(again(x), model.to(memory_format=torch.channels_last)(x))


def test_gradients_are_those_of_the_whole_formula(mobilenet, images, tmp_path: Path) -> None:
    options = section(write(tmp_path, mobilenet), mean=MEAN, std=STD, input_size=32)
    model = _exact(read(options, 3))
    found, expected = images.clone().requires_grad_(), images.clone().requires_grad_()
    model.log_prob(model(found), 1).sum().backward()
    resized = functional.interpolate(expected, (32, 32), mode="bilinear", antialias=True)
    mean, std = (torch.tensor(values).double().view(1, 3, 1, 1) for values in (MEAN, STD))
    logits = _exact(mobilenet)(((resized + 1) / 2 - mean) / std)
    functional.log_softmax(logits, dim=1)[:, 1].sum().backward()
    assert found.grad is not None
    assert expected.grad is not None
    _close(found.grad, expected.grad)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("squeezenet1_1", {}),
        ("resnet18", {}),
        ("efficientnet_b0", {}),
        ("mnasnet0_5", {}),
        ("densenet121", {}),
        ("googlenet", {"aux_logits": True, "init_weights": False}),
    ],
)
def test_torchvisions_models(name, options, images, tmp_path: Path) -> None:
    """Files as published: old names, no counters of batches, heads for training."""
    plain = torchvision_model(name, 7, **options)
    state = {k: v for k, v in plain.state_dict().items() if not k.endswith("num_batches_tracked")}
    if name == "densenet121":
        for kind in ("norm1", "norm2", "conv1", "conv2"):
            old = f".{kind[:-1]}.{kind[-1]}."
            state = {
                key.replace(f".{kind}.", old) if "denselayer" in key else key: value
                for key, value in state.items()
            }
        assert "features.denseblock1.denselayer1.norm.1.weight" in state
    path = write_content(tmp_path / "weights.pth", state)
    model = read(section(path, name, outputs=[6, 2], input_size=32), 2)
    seen = functional.interpolate(images, (32, 32), mode="bilinear", antialias=True)
    expected = _exact(plain)(seen)[:, [6, 2]]
    exact = _exact(model)
    hidden, logits = exact.hidden_and_logits(images)
    _close(logits, expected)
    assert hidden.ndim == 2
    last = exact.body.get_submodule(model.last)
    assert isinstance(last, nn.Linear | nn.Conv2d)
    if isinstance(last, nn.Linear):
        _close(last(hidden), expected)
    else:  # averaged over places, before the ReLU and the mean of squeezenet
        assert hidden.shape == (6, 512)
    save_file(model.state_dict(), tmp_path / "model.safetensors")
    write_json(tmp_path / "config.json", model.settings)
    _close(_exact(load(tmp_path, CPU))(images), expected)


EVERY = [name for name in models.list_models(module=models) if not name.startswith("regnet")]


@pytest.mark.slow
@pytest.mark.parametrize("name", [*EVERY, "regnet_y_400mf"])
def test_the_last_layer_of_every_model_gives_its_logits(name: str) -> None:
    """Of RegNets one: to be built they need numbers."""
    with torch.device("cpu" if name.startswith("regnet") else "meta"):
        body = network(name, 7)
    assert body.get_submodule(last_layer(body)).weight.shape[0] == 7


def test_listed_outputs_alone_are_compared(images, tmp_path: Path) -> None:
    """log p(class | the image is of a listed one), in their order."""
    plain = torchvision_model("mobilenet_v3_small", 1000)
    model = read(section(write(tmp_path, plain), outputs=[8, 3]), 2)
    logits, whole = _exact(model)(images), _exact(plain)(images)
    _close(logits, whole[:, [8, 3]])
    pair = functional.log_softmax(whole, dim=1)[:, [8, 3]]
    given = pair - pair.logsumexp(dim=1, keepdim=True)
    for target in (0, 1):
        _close(model.log_prob(logits, target), given[:, target])
    assert torch.equal(predicted(logits), given.argmax(dim=1))


@pytest.mark.parametrize(("count", "outputs", "kept"), [(1, None, [0]), (40, [20], [20])])
def test_one_logit_is_the_evidence_for_the_second_class(
    count, outputs, kept, images, tmp_path: Path
) -> None:
    plain = torchvision_model("mobilenet_v3_small", count)
    model = read(section(write(tmp_path, plain), outputs=outputs), 2)
    logits, f = _exact(model)(images), _exact(plain)(images)[:, kept]
    _close(logits, f)
    torch.testing.assert_close(model.log_prob(logits, 1).exp(), torch.sigmoid(f[:, 0]))
    torch.testing.assert_close(model.log_prob(logits, 0).exp(), 1 - torch.sigmoid(f[:, 0]))


def test_two_logits_of_two_classes(images, tmp_path: Path) -> None:
    plain = torchvision_model("mobilenet_v3_small", 2)
    model = read(section(write(tmp_path, plain)), 2)
    logits = _exact(model)(images)
    _close(logits, _exact(plain)(images))
    _close(model.log_prob(logits, 1), functional.log_softmax(logits, dim=1)[:, 1])


@pytest.mark.parametrize("outputs", [None, [2, 0]])
def test_a_classifier_of_another_run_of_ours(outputs, images, tmp_path: Path) -> None:
    trained = Classifier("small_cnn", 3, 6, mean=MEAN, std=STD).eval()
    path = write_content(tmp_path / "model.safetensors", trained.state_dict())
    options = section(path, "small_cnn", outputs=outputs, mean=MEAN, std=STD)
    model = read(options, 2 if outputs else 3)
    hidden, logits = _exact(model).hidden_and_logits(images)
    expected = _exact(trained).hidden_and_logits(images)
    torch.testing.assert_close(hidden, expected[0])
    torch.testing.assert_close(logits, expected[1][:, outputs or [0, 1, 2]])


def test_half_precision_is_read_as_float32(mobilenet, images, tmp_path: Path) -> None:
    state = {name: tensor.half() for name, tensor in mobilenet.state_dict().items()}
    model = read(section(write_content(tmp_path / "half.safetensors", state)), 3)
    assert model(images.float()).dtype == torch.float32
    expected = copy.deepcopy(mobilenet).half().double()(images)
    _close(_exact(model)(images), expected)


def test_a_named_prefix_leaves_out_the_rest(mobilenet, images, tmp_path: Path) -> None:
    """Otherwise what has another is left over."""
    state = prefixed(mobilenet.state_dict(), "judge.net.") | {"denoiser.weight": torch.ones(2)}
    path = write_content(tmp_path / "both.pth", state)
    for prefix in ("judge.net.", "judge.net"):
        model = read(section(path, prefix=prefix), 3)
        _close(_exact(model)(images), _exact(mobilenet)(images))
    line = _refused(path)
    assert line.startswith(
        f"checkpoint: found {path} below 'judge.net.' (left over denoiser.weight), allowed: "
    )
    assert line.endswith(
        "the weights of mobilenet_v3_small, or of more than that with their `prefix`"
    )
    assert _refused(path, prefix="guide") == (
        f"prefix: found guide, allowed: 'judge.net.', as {path} has it"
    )
    assert _refused(path, "resnet18", prefix="guide") == (
        f"prefix: found guide, allowed: one that names in {path} begin with"
    )


LAST, FIRST = "classifier.3.weight", "features.0.0.weight"


def _without(state: Any) -> Any:
    del state[FIRST], state["features.0.1.bias"]
    return state


def _renamed(state: Any) -> Any:
    return OrderedDict((k.replace("classifier.3", "classifier.4"), v) for k, v in state.items())


def _wider(state: Any) -> Any:
    return state | {FIRST: torch.zeros(16, 1, 3, 3)}


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (_without, f"no {FIRST} and 1 more"),
        (lambda state: state | {"head.bias": torch.ones(1)}, "left over head.bias"),
        (_renamed, f"no {LAST} and 1 more; left over classifier.4.weight and 1 more"),
        (_wider, f"{FIRST} is [16, 1, 3, 3], not [16, 3, 3, 3]"),
    ],
    ids=["missing", "left over", "renamed", "shape"],
)
def test_names_and_shapes_of_another_network_are_one_line(
    edit, said, mobilenet, tmp_path: Path
) -> None:
    state = edit(OrderedDict(mobilenet.state_dict()))
    path = write_content(tmp_path / "weights.pth", state)
    assert f"found {path} ({said}), allowed: the weights of mobilenet_v3_small" in _refused(path)
    path = write_content(tmp_path / "wrapped.pth", prefixed(state, "classifier."))
    assert f"found {path} below 'classifier.' ({said}), allowed: " in _refused(path)


@pytest.mark.parametrize("ending", [".pth", ".safetensors"])
@pytest.mark.parametrize(
    ("kind", "value", "said"),
    [
        (torch.int8, 1, "of type int8"),
        (torch.float32, float("nan"), "NaN or infinite in 1 of 3 values as float32"),
        (torch.float16, float("inf"), "NaN or infinite in 1 of 3 values as float32"),
    ],
)
def test_weights_that_are_no_finite_numbers_are_one_line(
    kind, value, said, ending, mobilenet, tmp_path: Path
) -> None:
    bias = torch.tensor([value, 0, 1]).to(kind)
    state = OrderedDict(mobilenet.state_dict()) | {"classifier.3.bias": bias}
    path = write_content(tmp_path / f"weights{ending}", state)
    assert _refused(path) == (
        f"checkpoint: found {path} (classifier.3.bias is {said}), allowed: finite floating-point "
        "numbers"
    )


def test_another_architecture_is_one_line(mobilenet, tmp_path: Path) -> None:
    path = write(tmp_path, mobilenet)
    line = _refused(path, "resnet18")
    assert "(no conv1.weight and " in line
    assert "left over features.0.0.weight and " in line
    assert "allowed: the weights of resnet18" in line


@pytest.mark.parametrize(
    ("outputs", "classes", "said"),
    [
        (None, 2, "found null, and {} has 3 outputs, allowed: the numbers of the 2 classes' ones"),
        (None, 4, "found null, and {} has 3 outputs, allowed: the numbers of the 4 classes' ones"),
        ([0, 3], 2, "found [0, 3], and {} has 3 outputs, allowed: numbers from 0 to 2"),
    ],
)
def test_another_number_of_outputs_is_one_line(
    outputs, classes, said, mobilenet, tmp_path: Path
) -> None:
    path = write(tmp_path, mobilenet)
    with pytest.raises(UserError) as caught:
        read(section(path, outputs=outputs), classes)
    assert str(caught.value) == f"outputs: {said.format(path)}"
