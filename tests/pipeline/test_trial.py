"""What only an import or a forward tells about a method, told before the first job."""

import argparse
import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from guidebench.pipeline import cli, trial
from guidebench.pipeline.errors import UserError
from guidebench.pipeline.validate import load

CLASSIFIER = ("datasets", "mnist", "classifiers", "noise_trained")


def said(values: dict[str, Any], folder: Path, **classifier: Any) -> list[str]:
    """The lines about the smoke experiment with one classifier of the digits changed."""
    values = copy.deepcopy(values)
    values["datasets"]["mnist"]["classifiers"]["noise_trained"] |= classifier
    path = folder / "exp.yaml"
    path.write_text(yaml.safe_dump(values))
    try:
        trial.check(load(str(path)), str(path))
    except UserError as error:
        return [line.removeprefix(f"{path}: ") for line in str(error).splitlines()]
    return []


@pytest.mark.parametrize(
    ("name", "why"),
    [("vgg11", "Output size is too small"), ("alexnet", "Output size is too small"),
     ("vit_b_16", "Wrong image height! Expected 224 but got 28!")],
)  # fmt: skip
def test_a_network_for_larger_images_is_one_line(name, why, smoke, tmp_path) -> None:
    (line,) = said(smoke, tmp_path, architecture=name)
    assert line.startswith(f"{'.'.join(CLASSIFIER)}.architecture: found {name}, allowed: one that "
                           "takes images of 28 x 28 (")  # fmt: skip
    assert why in line


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v3_small", "squeezenet1_1"])
def test_a_network_that_takes_them_is_not_refused(name, smoke, tmp_path) -> None:
    assert said(smoke, tmp_path, architecture=name) == []


def test_batches_of_one_image_need_more_than_one_pixel_left(smoke, tmp_path) -> None:
    assert said(smoke, tmp_path, batch_size=1) == []  # 4 x 4 are left of 28 x 28
    smoke["datasets"]["mnist"]["data"] = {"source": "sportballs", "size": 8, "canvas": 8,
                                          "train": 64, "validation": 64}  # fmt: skip
    smoke["datasets"]["mnist"] |= {"target": "baseball"}
    smoke["datasets"]["mnist"]["denoiser"] |= {"channels": [8, 16]}
    (line,) = said(smoke, tmp_path, batch_size=1)
    assert line.startswith(f"{'.'.join(CLASSIFIER)}.batch_size: found 1, allowed: at least 2 for ")
    assert "Expected more than 1 value per channel" in line


OWN = """
import torch
from torch import nn

class Shapes(nn.Module):  # a forward that needs numbers
    def __init__(self, outputs):
        super().__init__()
        self.last = nn.Linear(3, outputs)
    def forward(self, x):
        assert float(x.abs().max()) >= 0
        return self.last(x.mean((2, 3)))

class Wide(nn.Module):
    def __init__(self, outputs):
        super().__init__()
        self.last = nn.Linear(3 * 99 * 99, outputs)
    def forward(self, x):
        return self.last(x.flatten(1))
"""


@pytest.mark.parametrize(
    ("module", "text", "attribute", "why"),
    [("own_shapes", OWN, "Shapes", None), ("own_wide", OWN, "Wide", "RuntimeError: "),
     ("own_broken", "raise OSError('no licence')\ndef Net(outputs): ...", "Net",
      "OSError: no licence")],
)  # fmt: skip
def test_an_own_classifier_is_tried(
    module, text, attribute, why, smoke, tmp_path, monkeypatch
) -> None:
    (tmp_path / f"{module}.py").write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    lines = said(smoke, tmp_path, architecture=f"{module}:{attribute}")
    assert bool(lines) == bool(why)
    if why:
        assert lines[0].startswith(f"{'.'.join(CLASSIFIER)}.architecture: found {module}:")
        assert why in lines[0]


@pytest.mark.parametrize("command", ["validate", "plan", "run_pipeline"])
def test_commands_try_before_anything_starts(command, smoke, tmp_path, monkeypatch) -> None:
    smoke["datasets"]["mnist"]["classifiers"]["noise_trained"]["architecture"] = "vit_b_16"
    (tmp_path / "exp.yaml").write_text(yaml.safe_dump(smoke))
    monkeypatch.chdir(tmp_path)
    arguments = argparse.Namespace(config="exp.yaml", set=[], print_name=False,
                                   results=tmp_path / "results")  # fmt: skip
    with pytest.raises(UserError, match=r"^exp.yaml: datasets.mnist.*found vit_b_16, allowed: "):
        getattr(cli, command)(arguments)
    assert [path.name for path in tmp_path.iterdir()] == ["exp.yaml"]
