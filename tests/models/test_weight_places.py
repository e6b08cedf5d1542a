"""Where a network lies in a file of weights: below which names, whole or not, one or several."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torchvision import models
from weight_files import State, prefixed, section, torchvision_model, write_content

from guidebench.models.classifier import Classifier
from guidebench.models.classifier_checkpoint import read
from guidebench.models.weight_places import places
from guidebench.pipeline.errors import UserError

WRAPPERS = ["", "module.", "model.", "classifier.", "net.module.", "_orig_mod.", "body.", "head."]


@pytest.fixture(scope="module")
def images() -> Tensor:
    """[4, 3, 32, 32] in [-1, 1]."""
    return torch.rand(4, 3, 32, 32, generator=torch.Generator().manual_seed(1)) * 2 - 1


def _ours(outputs: int = 3, hidden: int = 6, architecture: str = "small_cnn") -> Classifier:
    torch.manual_seed(outputs + hidden)
    return Classifier(architecture, 3, hidden, outputs).eval().requires_grad_(False)


def _small(outputs: int, seed: int = 0) -> State:
    """Of small_cnn, with its own last layer."""
    torch.manual_seed(seed)
    return Classifier("small_cnn", 3, None, outputs).body.state_dict()


def _refused(content: Any, folder: Path, classes: int = 3, **keys: Any) -> str:
    path = write_content(folder / "weights.pth", content)
    with pytest.raises(UserError) as caught:
        read(section(path, **{"architecture": "small_cnn"} | keys), classes)
    return str(caught.value).replace(str(path), "PATH")


@pytest.mark.parametrize("wrapper", WRAPPERS)
@pytest.mark.parametrize("named", [False, True])
@pytest.mark.parametrize("nested", [False, True])
def test_a_file_of_ours_in_a_wrapper(named, nested, wrapper, images, tmp_path: Path) -> None:
    """`module.body.` was taken for the prefix, and hidden features for outputs."""
    trained = _ours()
    state: Any = prefixed(trained.state_dict(), wrapper)
    path = write_content(tmp_path / "a.pth", {"state_dict": state} if nested else state)
    prefix = {"prefix": wrapper} if named else {}
    for outputs in (None, [2, 0]):
        options = section(path, "small_cnn", outputs=outputs, **prefix)
        model = read(options, 2 if outputs else 3)
        hidden, logits = model.hidden_and_logits(images)
        expected = trained.hidden_and_logits(images)
        torch.testing.assert_close(hidden, expected[0])
        torch.testing.assert_close(logits, expected[1][:, outputs or [0, 1, 2]])


@pytest.mark.parametrize("wrapper", ["", "module."])
@pytest.mark.parametrize("hidden", [3, 6])
def test_what_ours_takes_for_hidden_features_is_no_answer(hidden, wrapper, tmp_path: Path) -> None:
    """Also where there are as many as classes."""
    state = prefixed(_ours(hidden=hidden).state_dict(), wrapper)
    for outputs in (None, [0, 1, 2]):
        line = _refused(state, tmp_path, prefix=f"{wrapper}body.", outputs=outputs)
        assert line == (
            f"prefix: found {wrapper}body., and {wrapper}head.weight of PATH takes the {hidden} "
            f"outputs of the network below it, allowed: {repr(wrapper) if wrapper else 'null'}"
        )


def test_features_that_somebody_elses_layer_takes_are_no_answer(tmp_path: Path) -> None:
    state = prefixed(_small(64), "net.backbone.") | {
        "net.fc.weight": torch.ones(3, 64),
        "net.fc.bias": torch.ones(3),
    }
    line = _refused(state, tmp_path, prefix="net.backbone", outputs=[0, 1, 2])
    assert line == (
        "prefix: found net.backbone, and net.fc.weight of PATH takes the 64 outputs of the "
        "network below it, allowed: one of a network that gives the logits"
    )
    assert "below 'net.backbone.' (left over net.fc.weight and 1 more)" in _refused(state, tmp_path)


def test_a_layer_of_another_network_is_not_in_the_way(images, tmp_path: Path) -> None:
    """As a denoiser's of one number, a time."""
    state = prefixed(_small(1), "guide.") | {"denoiser.time.weight": torch.ones(8, 1)}
    path = write_content(tmp_path / "both.pth", state)
    model = read(section(path, "small_cnn", prefix="guide."), 2)
    assert model(images).shape == (4, 1)


@pytest.mark.parametrize("prefixes", [("guide.", "judge."), ("a.net.", "b.net.")])
def test_of_two_networks_one_must_be_named(prefixes, images, tmp_path: Path) -> None:
    """That with the shorter prefix was recognised."""
    first, second = _small(3, 1), _small(3, 2)
    state = prefixed(first, prefixes[0]) | prefixed(second, prefixes[1])
    line = _refused(state, tmp_path)
    assert line == (
        f"prefix: found null, and PATH has small_cnn 2 times, allowed: {prefixes[0]!r} or "
        f"{prefixes[1]!r}"
    )
    path = tmp_path / "weights.pth"
    logits = [read(section(path, "small_cnn", prefix=p), 3)(images) for p in prefixes]
    assert len({tuple(one.flatten().tolist()) for one in logits}) == len(logits)
    other = read(section(write_content(tmp_path / "b.pth", second), "small_cnn"), 3)
    assert torch.equal(logits[-1], other(images))


@pytest.mark.parametrize(
    ("keys", "prefixes"),
    [
        (("state_dict", "state_dict_ema"), ("state_dict.", "state_dict_ema.")),
        (("model", "model_ema"), ("model.", "model_ema.module.")),
        (("state_dict", "ema"), ("state_dict.model.", "ema.module.")),
    ],
)
@pytest.mark.parametrize("trained", [False, True])
def test_of_weights_and_their_average_one_must_be_named(
    keys, prefixes, trained, images, tmp_path: Path
) -> None:
    """The weights were taken, and their average could not be asked for."""
    states = [_small(3, seed) for seed in (0, 1)]
    content: dict[str, Any] = {
        key: prefixed(state, prefix.removeprefix(f"{key}."))
        for key, prefix, state in zip(keys, prefixes, states, strict=True)
    }
    if "module" in prefixes[1]:
        content[keys[1]]["n_averaged"] = torch.tensor(3)
    if trained:
        optimizer = {"state": {0: {"exp_avg": torch.ones(3)}}}
        content |= {"epoch": 3, "optimizer": optimizer, "loss": {"weight": torch.ones(3)}}
    line = _refused(content, tmp_path)
    allowed = " or ".join(map(repr, prefixes))
    assert line == f"prefix: found null, and PATH has small_cnn 2 times, allowed: {allowed}"
    for prefix, state in zip(prefixes, states, strict=True):
        model = read(section(tmp_path / "weights.pth", "small_cnn", prefix=prefix), 3)
        assert torch.equal(model.body.state_dict()["0.0.weight"], state["0.0.weight"])


def test_what_is_no_network_beside_the_weights_is_left_out(tmp_path: Path) -> None:
    """An average of the parameters alone lacks what batch normalisation counts."""
    state = _small(3)
    parameters = {name: one for name, one in state.items() if "running" not in name}
    assert len(parameters) < len(state)
    content = {"model": state, "ema": parameters, "norm": {"mean": torch.ones(3)}}
    path = write_content(tmp_path / "weights.pth", content)
    assert read(section(path, "small_cnn"), 3)


def test_another_network_than_the_weights_can_be_named(images, tmp_path: Path) -> None:
    """The architecture that is asked for, by another key than the usual one."""
    resnet = Classifier("small_resnet", 3, None, 3).body.state_dict()
    content = {"model": resnet, "judge": _small(3)}
    line = _refused(content, tmp_path)
    assert line.startswith("checkpoint: found PATH below 'judge.' (left over model.")
    options = section(tmp_path / "weights.pth", "small_cnn", prefix="judge")
    assert read(options, 3)(images).shape == (4, 3)


def test_one_network_beside_another_without_a_prefix(images, tmp_path: Path) -> None:
    """The names without one were taken for the other's, too."""
    state = _small(3, 1) | prefixed(_small(3, 2), "ema.")
    line = _refused(state, tmp_path)
    assert line.startswith("checkpoint: found PATH below 'ema.' (left over 0.0.weight and ")
    model = read(section(tmp_path / "weights.pth", "small_cnn", prefix="ema."), 3)
    other = read(section(write_content(tmp_path / "b.pth", _small(3, 2)), "small_cnn"), 3)
    assert torch.equal(model(images), other(images))


def test_the_network_that_fits_is_the_one(images, tmp_path: Path) -> None:
    """Of names alike, that whose shapes are right; of several, that of the architecture."""
    wide = {name: torch.cat([tensor, tensor]) for name, tensor in _small(3).items() if tensor.ndim}
    resnet = Classifier("small_resnet", 3, None, 3).body.state_dict()
    state = prefixed(wide, "a.") | prefixed(_small(3), "b.") | prefixed(resnet, "c.")
    line = _refused(state, tmp_path)
    assert line.startswith("checkpoint: found PATH below 'b.' (left over a.0.0.weight and ")
    for prefix, architecture in {"b.": "small_cnn", "c": "small_resnet"}.items():
        options = section(tmp_path / "weights.pth", architecture, prefix=prefix)
        assert read(options, 3)(images).shape == (4, 3)
    line = _refused(state, tmp_path, prefix="c.")
    assert line == "prefix: found c., allowed: 'b.', as PATH has it"
    line = _refused(prefixed(_small(3), "a.b."), tmp_path, prefix="a.")
    assert line == "prefix: found a., allowed: 'a.b.', as PATH has it"


def test_a_last_layer_that_is_no_layer_is_one_line(tmp_path: Path) -> None:
    for shape, name in (((), "weight"), ((2, 5), "weight"), ((7,), "bias"), ((), "bias")):
        state = _small(3) | {f"6.{name}": torch.ones(shape)}
        line = _refused(state, tmp_path, outputs=[0, 1, 2])
        assert line.startswith(f"checkpoint: found PATH (6.{name} is {list(shape)}, not [")


def _families() -> Iterator[str]:
    """A small model of each of torchvision's modules of classifiers."""
    size = {name: len(name) for name in models.list_models(module=models)}
    module = {name: models.get_model_builder(name).__module__ for name in size}
    small = ("resnet18", "vgg11", "densenet121", "mnasnet0_5", "shufflenet_v2_x0_5")
    for one in sorted(set(module.values())):
        names = sorted(name for name in size if module[name] == one)
        yield next((name for name in names if name in small), names[0])


@pytest.mark.parametrize("wrapper", ["", "module.body."])
@pytest.mark.parametrize("name", _families())
def test_every_family_of_torchvision(name: str, wrapper: str) -> None:
    """With its own last layer, and with a layer of ours."""
    numbers = name.startswith("regnet")  # to be built they need them
    with torch.device("cpu" if numbers else "meta"):
        template = Classifier(name, 3, None, 3)
        others, ours = Classifier(name, 3, None, 9), Classifier(name, 3, 5, 9)
        (place,) = places(prefixed(others.body.state_dict(), wrapper), template)
        assert (place.prefix, place.said, place.outputs) == (wrapper, None, 9)
        (place,) = places(prefixed(ours.state_dict(), wrapper), template)
        assert (place.prefix, place.said, place.outputs) == (wrapper, None, 9)
        assert place.model.settings["hidden"] == 5


def test_published_names_of_vit_are_known() -> None:
    with torch.device("meta"):
        template = Classifier("vit_b_32", 5, None, 5)
        names = template.body.state_dict()
        old = {
            name.replace("mlp.0.", "mlp.linear_1.").replace("mlp.3.", "mlp.linear_2."): tensor
            for name, tensor in names.items()
        }
        assert set(old) != set(names)
        (place,) = places(prefixed(old, "net."), template)
    assert (place.prefix, place.said) == ("net.", None)
    assert set(place.tensors) == set(names)


def test_a_published_file_in_a_wrapper(images, tmp_path: Path) -> None:
    plain = torchvision_model("squeezenet1_1", 9)
    state = prefixed(plain.state_dict(), "model.module.")
    path = write_content(tmp_path / "a.safetensors", state)
    model = read(section(path, "squeezenet1_1", outputs=[8, 0]), 2)
    torch.testing.assert_close(model(images), plain(images)[:, [8, 0]])
