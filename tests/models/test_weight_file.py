"""Files of weights: what is said of those that hold no state dict, and what a nested one is."""

import os
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from weight_files import LAYOUTS, write_content

from guidebench.models.weight_file import tensors
from guidebench.pipeline.errors import UserError

ALLOWED = (
    "a state dict of tensors alone, in safetensors or as torch.save(network.state_dict(), ...) "
    "writes it"
)


@pytest.fixture
def network() -> nn.Module:
    """Of two layers."""
    return nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 1))


def _said(path: Path) -> str:
    """What a file is found to be."""
    with pytest.raises(UserError) as caught:
        tensors(path, bool)
    line = str(caught.value)
    start, end = f"checkpoint: found {path} (", f"), allowed: {ALLOWED}"
    assert line.startswith(start)
    assert line.endswith(end)
    assert "\n" not in line
    return line.removeprefix(start).removesuffix(end)


class _Code:
    """What a pickle may do when it is opened."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple[Any, Any]:
        return os.system, (f"touch {self.file}",)


@pytest.mark.parametrize("ending", [".pt", ".pth", ".bin"])
def test_a_pickle_with_code_is_refused_and_not_run(ending, network, tmp_path: Path) -> None:
    path, file = tmp_path / f"weights{ending}", tmp_path / "ran"
    torch.save(network.state_dict() | {"more": _Code(file)}, path)
    said = "a pickle of a whole network or other objects ({}), whose code would run"
    assert _said(path) == said.format("posix.system")
    assert not file.exists()
    torch.save(network, path)
    assert _said(path) == said.format("torch.nn.modules.container.Sequential")


def _script(path: Path) -> None:
    torch.jit.save(torch.jit.trace(nn.Linear(3, 2), torch.ones(1, 3)), path)


def _zip(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("weights.txt", "1 2 3")


WEIGHTS = {"a": torch.ones(300)}
PTH = "torch.save's by its content: its name must end in .pth"
SAFE = "safetensors by its content: its name must end so, too"


@pytest.mark.parametrize("ending", [".pth", ".safetensors"])
@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda path: path.write_bytes(b""), "it is empty"),
        (_script, "a TorchScript archive: a network with its code"),
        (_zip, "a zip file that torch.save did not write"),
        (lambda path: path.write_bytes(b"PK\x03\x04" + b"a" * 99), "a zip file that is cut short"),
        (
            lambda path: path.write_text("each epoch: 3\nloss: 0.5\n"),
            "a text that begins with 'each epoch: 3'",
        ),
        (
            lambda path: path.write_text("\n<!DOCTYPE html>\n" + "é" * 999),
            "a text that begins with '<!DOCTYPE html>'",
        ),
        (lambda path: path.write_bytes(bytes(range(1, 99))), "not in "),
    ],
    ids=["empty", "script", "zip", "cut zip", "text", "page", "bytes"],
)
def test_what_another_file_is(make, said, ending, tmp_path: Path) -> None:
    """A text in the place of weights was `KeyError: 101`, a script torch's advice to run it."""
    path = tmp_path / f"weights{ending}"
    make(path)
    assert _said(path).startswith(said)


def test_a_name_that_ends_for_another_format_is_said(tmp_path: Path) -> None:
    torch.save(WEIGHTS, tmp_path / "a.safetensors")
    assert _said(tmp_path / "a.safetensors") == PTH
    save_file(WEIGHTS, tmp_path / "a.pth")
    assert _said(tmp_path / "a.pth") == SAFE


@pytest.mark.parametrize("layout", ["torchvision's", "the paper's"])
@pytest.mark.parametrize("keep", [0, 5, 100, 2_000])
def test_a_damaged_file_is_refused(layout, keep, tmp_path: Path) -> None:
    ending, _ = LAYOUTS[layout]
    path = write_content(tmp_path / f"weights{ending}", WEIGHTS | {"b": torch.ones(1000)})
    path.write_bytes(path.read_bytes()[:keep])
    said = _said(path)
    assert "weights_only" not in said
    assert not said.endswith((":", " "))


@pytest.mark.parametrize(
    ("content", "keys"),
    [
        ({"epoch": 3, "loss": 0.5}, "keys: epoch, loss"),
        ({}, "keys: "),
        (torch.ones(3), "keys: none"),
        ({"state_dict": {"a": 1}}, "keys: state_dict"),
        ({"optimizer": {}}, "keys: optimizer"),
    ],
)
def test_a_file_without_a_state_dict_is_refused(content, keys, tmp_path: Path) -> None:
    assert _said(write_content(tmp_path / "weights.pt", content)) == keys


ONE, TWO = {"a.weight": torch.ones(1)}, {"a.weight": torch.zeros(2)}
OPTIMIZER = {"state": {0: {"exp_avg": torch.ones(3)}}, "param_groups": [{"lr": 0.1}]}


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (ONE, ONE),
        ({"state_dict": ONE, "epoch": 3, "optimizer": OPTIMIZER}, ONE),
        ({"model": {"net": ONE}, "epoch": 3}, ONE),
        (
            {"model": {"net": ONE}, "ema": TWO},
            {"model.net.a.weight": ONE["a.weight"], "ema.a.weight": TWO["a.weight"]},
        ),
        (
            {"state_dict": {"model": ONE, "ema": TWO}},
            {
                "state_dict.model.a.weight": ONE["a.weight"],
                "state_dict.ema.a.weight": TWO["a.weight"],
            },
        ),
        (
            {"model": ONE, "net": TWO},
            {"model.a.weight": ONE["a.weight"], "net.a.weight": TWO["a.weight"]},
        ),
        (
            {"guide": ONE, "judge": TWO, "optimizer": OPTIMIZER},
            {"guide.a.weight": ONE["a.weight"], "judge.a.weight": TWO["a.weight"]},
        ),
    ],
)
def test_where_a_state_dict_lies(content, expected, tmp_path: Path) -> None:
    """Of two by usual names the first was taken; those by other names were not found."""
    found = tensors(write_content(tmp_path / "weights.pt", content), bool)
    assert {name: tensor.tolist() for name, tensor in found.items()} == {
        name: tensor.tolist() for name, tensor in expected.items()
    }


def test_what_is_no_network_is_left_out_beside_a_usual_key(tmp_path: Path) -> None:
    path = write_content(tmp_path / "weights.pt", {"model": ONE, "criterion": TWO})
    found = tensors(path, lambda state: state["a.weight"].shape == (1,))
    assert found.keys() == {"a.weight"}
    assert found["a.weight"].tolist() == [1]


@pytest.mark.parametrize(
    ("tensor", "said"),
    [
        (torch.eye(3).to_sparse(), "sparse_coo"),
        (torch.eye(3).to_sparse_csr(), "sparse_csr"),
        (torch.ones(3, device="meta"), "on the device meta, without values"),
    ],
    ids=["coo", "csr", "meta"],
)
def test_tensors_without_each_value_are_one_line(tensor, said, tmp_path, recwarn) -> None:
    """They were the architecture's fault, below a warning of torch's."""
    path = write_content(tmp_path / "weights.pt", {"state_dict": {"a": torch.ones(1), "b": tensor}})
    recwarn.clear()
    with pytest.raises(UserError) as caught:
        tensors(path, bool)
    assert str(caught.value) == f"checkpoint: found {path} (b is {said}), allowed: dense tensors"
    assert not recwarn.list


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    for ending in (".pth", ".safetensors"):
        path = tmp_path / f"no{ending}"
        with pytest.raises(UserError) as caught:
            tensors(path, bool)
        assert str(caught.value).startswith(f"checkpoint: found {path} (No such file")
