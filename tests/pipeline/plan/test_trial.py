"""What only an import or a forward tells about a method, told before the first job."""

import argparse
import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny
import torch
import yaml
from checkpoints import CONFIG, NETWORK, write_checkpoint
from conftest import put
from data_folders import write_faces
from safetensors.torch import load_file, save_file

from guidebench.pipeline import commands
from guidebench.pipeline.errors import UserError
from guidebench.pipeline.experiment.reading import load
from guidebench.pipeline.jobs import parallel, sharing
from guidebench.pipeline.jobs.layout import Job, Layout
from guidebench.pipeline.jobs.sharing import Survey
from guidebench.pipeline.plan import trial

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
    [
        ("vgg11", "Output size is too small"),
        ("alexnet", "Output size is too small"),
        ("vit_b_16", "Wrong image height! Expected 224 but got 28!"),
    ],
)
def test_a_network_for_larger_images_is_one_line(name, why, smoke, tmp_path) -> None:
    (line,) = said(smoke, tmp_path, architecture=name)
    assert line.startswith(
        f"{'.'.join(CLASSIFIER)}.architecture: found {name}, allowed: one that "
        "takes images of 28 x 28 ("
    )
    assert why in line


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v3_small", "squeezenet1_1"])
def test_a_network_that_takes_them_is_not_refused(name, smoke, tmp_path) -> None:
    assert said(smoke, tmp_path, architecture=name) == []


def test_a_network_gets_images_of_its_own_size(smoke, tmp_path) -> None:
    assert said(smoke, tmp_path, architecture="alexnet", input_size=64) == []
    (line,) = said(smoke, tmp_path, architecture="vit_b_16", input_size=32)
    assert "found vit_b_16, allowed: one that takes images of 32 x 32 (" in line


def _file(folder: Path, outputs: int) -> str:
    """Weights of torchvision's smallest SqueezeNet."""
    from torchvision import models

    path = folder / "weights.pth"
    torch.save(models.squeezenet1_1(num_classes=outputs).state_dict(), path)
    return str(path)


def test_a_checkpoint_is_opened_and_given_an_image(smoke, tmp_path) -> None:
    key = ".".join(CLASSIFIER)
    path = _file(tmp_path, 12)
    judge = {"architecture": "squeezenet1_1", "checkpoint": path, "noise_trained": False}
    smoke["datasets"]["mnist"]["classifiers"]["noise_trained"] = judge
    every = {"outputs": list(range(10))}
    assert said(smoke, tmp_path, **every) == []
    assert said(smoke, tmp_path) == [
        f"{key}.outputs: found null, and {path} has 12 outputs, allowed: the numbers of the 10 "
        "classes' ones"
    ]
    (line,) = said(smoke, tmp_path, **every, architecture="squeezenet1_0")
    assert line.startswith(f"{key}.checkpoint: found {path} (no features.5.squeeze.weight and ")
    assert "; left over features.6.squeeze.weight and " in line
    (line,) = said(smoke, tmp_path, **every, input_size=8)
    assert line.startswith(f"{key}.architecture: found squeezenet1_1, allowed: one that takes ")
    assert "images of 8 x 8 (RuntimeError: " in line
    (line,) = said(smoke, tmp_path, **every, prefix="net")
    assert line == f"{key}.prefix: found net, allowed: null, as {path} has it"
    whole = Path(path).read_bytes()
    for content, what in (
        (b"no weights", "a text that begins with 'no weights'"),
        (b"", "it is empty"),
        (whole[: len(whole) // 2], "a zip file that is cut short or damaged"),
    ):
        Path(path).write_bytes(content)
        (line,) = said(smoke, tmp_path, **every)
        assert line.startswith(f"{key}.checkpoint: found {path} ({what}), allowed: ")


def test_a_checkpoint_gives_finite_logits(smoke, tmp_path) -> None:
    """A negative variance is a finite number, and all that comes of it NaN."""
    from torchvision import models

    key, path = ".".join(CLASSIFIER), tmp_path / "best.pth.tar"
    state = models.mobilenet_v3_small(num_classes=10).state_dict()
    keys = {"architecture": "mobilenet_v3_small", "checkpoint": str(path), "noise_trained": False}
    smoke["datasets"]["mnist"]["classifiers"]["noise_trained"] = keys
    torch.save({"state_dict": state, "epoch": 3}, path)
    assert said(smoke, tmp_path) == []
    state["features.0.1.running_var"].fill_(-1)
    torch.save(state, path)
    assert said(smoke, tmp_path) == [
        f"{key}.checkpoint: found {path} (its outputs are not finite), allowed: weights that give "
        "finite numbers"
    ]


def test_a_list_of_pictures_is_read_before_the_first_job(smoke, tmp_path, monkeypatch) -> None:
    """`prepare` found it, in the middle of a run; one picture alone is decoded for it."""
    faces = tmp_path / "faces"
    write_faces(faces, np.arange(40) % 2, train=24)
    mnist = smoke["datasets"]["mnist"]
    mnist["data"] = {"source": "celeba", "root": str(faces), "size": 28}
    mnist |= {"target": {"Male": False}}
    decoded = []
    monkeypatch.setattr("guidebench.data.pictures.picture", lambda *given: decoded.append(given))
    assert said(smoke, tmp_path) == []
    assert len(decoded) == 1
    path = faces / "list_attr_celeba.txt"
    right = path.read_text()
    path.write_text(right.replace("000003.jpg -1", "000003.jpg no"))
    assert said(smoke, tmp_path) == [
        f"datasets.mnist.data: {path}: line 5, column Male: found 'no' for 000003.jpg, allowed: "
        "-1, 0, 1, false, true"
    ]
    mnist["data"] |= {"source": "folder", "table": path.name, "train": 24, "validation": 16}
    assert said(smoke, tmp_path)[0].startswith(f"datasets.mnist.data: {path}: line 5, column Male")
    path.write_text(right)
    assert said(smoke, tmp_path) == []
    mnist["data"] |= {"validation": 17}
    (line,) = said(smoke, tmp_path)
    assert line.startswith("datasets.mnist.data.train + data.validation: found 41, allowed: at mos")


def test_pictures_that_prepare_would_refuse_are_one_line(smoke, tmp_path) -> None:
    """The first picture is opened, and the labels of all are counted."""
    faces = tmp_path / "faces"
    mnist = smoke["datasets"]["mnist"] | {"target": {"Male": False}}
    smoke["datasets"]["mnist"] = mnist
    for source in (
        {"source": "celeba"},
        {"source": "folder", "table": "list_attr_celeba.txt", "train": 24, "validation": 16},
    ):
        mnist["data"] = source | {"root": str(faces), "size": 8}
        write_faces(faces, np.arange(40) % 2, train=24)
        assert said(smoke, tmp_path) == []
        mnist["data"]["crop"] = 30
        (line,) = said(smoke, tmp_path)
        assert line.startswith("datasets.mnist.data.crop: found 30, allowed: at most 12, the short")
        del mnist["data"]["crop"]
        write_faces(faces, np.ones(40), train=24)
        assert said(smoke, tmp_path) == [
            "datasets.mnist.data.train: found 0 images of class 'Male: false', allowed: at least "
            "6 of each class",
            "datasets.mnist.data.validation: found 0 images of class 'Male: false', allowed: at "
            "least 1 of each class",
        ]


BALLS = "datasets.sportballs.denoiser.checkpoint: found"


def _balls(values: dict[str, Any], folder: Path) -> tuple[dict[str, Any], Path]:
    """The smoke experiment with a network of 16 x 16 that somebody else trained, and its file."""
    write_checkpoint(folder / "theirs", sample_size=16)
    values["datasets"]["sportballs"] |= CONFIG
    theirs = {"checkpoint": str(folder / "theirs"), "prediction": "eps"}
    values["datasets"]["sportballs"]["denoiser"] = theirs
    return values, folder / "theirs/unet/diffusion_pytorch_model.safetensors"


def _without_some(path: Path) -> None:
    keys = load_file(path)
    del keys["conv_out.bias"]
    save_file(keys | {"more": torch.ones(1)}, path)


DAMAGES: dict[str, tuple[Any, str]] = {
    "half a file": (
        lambda path: path.write_bytes(path.read_bytes()[:-100]),
        "cut short or damaged: ",
    ),
    "empty": (lambda path: path.write_bytes(b""), "it is empty), allowed: "),
    "other names": (_without_some, "no conv_out.bias; left over more), allowed: the tensors of "),
    "shape": (
        lambda path: save_file(load_file(path) | {"conv_in.bias": torch.ones(31)}, path),
        "conv_in.bias is [31], not [32]), allowed: the tensors of ",
    ),
    "whole numbers": (
        lambda path: save_file(load_file(path) | {"conv_in.bias": torch.ones(32).char()}, path),
        "conv_in.bias is of type int8), allowed: finite floating-point numbers",
    ),
    "too large together": (
        lambda path: save_file(
            load_file(path) | {"conv_out.weight": torch.full((3, 32, 3, 3), 3e38)}, path
        ),
        "its outputs are not finite), allowed: weights that give finite numbers",
    ),
    "NaN": (
        lambda path: save_file(load_file(path) | {"conv_in.bias": torch.ones(32) / 0}, path),
        "conv_in.bias is NaN or infinite in 32 of 32 values as float32), allowed: finite ",
    ),
}


@pytest.mark.parametrize("case", DAMAGES)
def test_a_denoisers_weights_are_opened(case, smoke, tmp_path) -> None:
    values, path = _balls(smoke, tmp_path)
    assert said(values, tmp_path) == []
    damage, words = DAMAGES[case]
    damage(path)
    (line,) = said(values, tmp_path)
    assert line.startswith(f"{BALLS} {path} ({words}")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"norm_num_groups": 5}, "ValueError: num_channels "),
        ({"down_block_types": ["DownBlock2D", "No2D"]}, 'down_block_types[1] "No2D" in '),
        ({"block_out_channels": [32]}, "block_out_channels [32] in "),
        ({"block_out_channels": [32, 32]}, "no "),
    ],
)
def test_a_denoisers_network_is_built(change, words, smoke, tmp_path) -> None:
    values, path = _balls(smoke, tmp_path)
    config = path.with_name("config.json")
    config.write_text(json.dumps(NETWORK | {"sample_size": 16} | change))
    (line,) = said(values, tmp_path)
    assert line.startswith(BALLS)
    assert words in line


def test_a_denoisers_network_is_given_an_image(smoke, tmp_path) -> None:
    """Of 9 x 9 pixels, a level down and up again are 8 x 8."""
    values, _ = _balls(smoke, tmp_path)
    values["datasets"]["sportballs"]["data"] |= {"size": 9, "canvas": 9}
    write_checkpoint(tmp_path / "theirs", sample_size=9)
    (line,) = said(values, tmp_path)
    assert line.startswith(f"{BALLS} {tmp_path}/theirs/unet/config.json (RuntimeError: ")
    assert line.endswith("allowed: a network that takes images of 9 x 9")


def test_batches_of_one_image_need_more_than_one_pixel_left(smoke, tmp_path) -> None:
    assert said(smoke, tmp_path, batch_size=1) == []  # 4 x 4 are left of 28 x 28
    smoke["datasets"]["mnist"]["data"] = tiny.BALLS | {"train": 64, "validation": 64}
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


NET = "\ndef Net(outputs): ..."


@pytest.mark.parametrize(
    ("module", "text", "attribute", "why"),
    [
        ("own_shapes", OWN, "Shapes", None),
        ("own_wide", OWN, "Wide", "RuntimeError: "),
        ("own_broken", "raise OSError('no licence')" + NET, "Net", "OSError: no licence"),
        ("own_leaving", "raise SystemExit('no GPU')" + NET, "Net", "SystemExit: no GPU"),
    ],
)
def test_an_own_classifier_is_tried(
    module, text, attribute, why, smoke, tmp_path, monkeypatch
) -> None:
    (tmp_path / f"{module}.py").write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    lines = said(smoke, tmp_path, architecture=f"{module}:{attribute}")
    assert len(lines) == bool(why)
    if why:
        assert lines[0].startswith(f"{'.'.join(CLASSIFIER)}.architecture: found {module}:")
        assert why in lines[0]


KEYS = {
    ("worlds", "two", "setups", "mine", "guidance"): "worlds.two.setups.mine.guidance",
    ("worlds", "two", "setups", "cfg", "stabilizer"): "worlds.two.setups.cfg.stabilizer.name",
    (*CLASSIFIER[:2], "setups", "mine", "guidance"): "datasets.mnist.setups.mine.guidance",
    (
        *CLASSIFIER[:2],
        "setups",
        "noise_trained/raw",
        "stabilizer",
    ): "datasets.mnist.setups.noise_trained/raw.stabilizer.name",
    (
        *CLASSIFIER[:2],
        "sensitivity",
        "stabilizers",
        "mine",
    ): "datasets.mnist.sensitivity.stabilizers.mine.name",
    (*CLASSIFIER[:2], "data", "source"): "datasets.mnist.data.source",
}


@pytest.mark.parametrize("path", KEYS, ids=KEYS.values())
def test_own_methods_are_imported_wherever_they_are_named(
    path, smoke, tmp_path, monkeypatch
) -> None:
    """One that is broken was found by the job that asked for it, of a world always."""
    (tmp_path / "own_unlicensed.py").write_text("raise OSError('no licence')\nMine = 1\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    *parents, last = path
    name = "own_unlicensed:Mine"
    if last == "guidance":
        value: Any = {"scales": [1], "guidance": name}
        put(smoke, tuple(parents), value)
    elif last == "source":
        put(
            smoke,
            tuple(parents),
            {"source": name, "classes": ["a", "b"], "train": 80, "validation": 80},
        )
        smoke["datasets"]["mnist"] |= {"target": "a"}
    else:
        put(smoke, path, {"name": name})
    smoke["worlds"]["two"]["setups"]["cfg"] |= {
        "guidance": "classifier",
        "classifier": "clean",
        "injection": "score",
    }
    assert said(smoke, tmp_path) == [
        f"{KEYS[path]}: found {name}, allowed: a module that can be imported (OSError: no licence)"
    ]


@pytest.mark.parametrize("command", ["validate", "plan", "run_pipeline"])
def test_commands_try_before_anything_starts(command, smoke, tmp_path, monkeypatch) -> None:
    smoke["datasets"]["mnist"]["classifiers"]["noise_trained"]["architecture"] = "vit_b_16"
    (tmp_path / "exp.yaml").write_text(yaml.safe_dump(smoke))
    monkeypatch.chdir(tmp_path)
    arguments = argparse.Namespace(
        config="exp.yaml", set=[], print_name=False, results=tmp_path / "results"
    )
    with pytest.raises(UserError, match=r"^exp.yaml: datasets.mnist.*found vit_b_16, allowed: "):
        getattr(commands, command)(arguments)
    assert [path.name for path in tmp_path.iterdir()] == ["exp.yaml"]


@pytest.fixture
def without_gpu(monkeypatch) -> None:
    """A machine on which torch sees none."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(parallel, "machine_gpus", list)


def test_a_gpu_that_is_not_there_is_said_before_the_first_job(
    smoke, tmp_path, monkeypatch, without_gpu
) -> None:
    (tmp_path / "exp.yaml").write_text(yaml.safe_dump(smoke | {"device": "cuda"}))
    monkeypatch.chdir(tmp_path)
    arguments = argparse.Namespace(
        config="exp.yaml", set=[], results=Path("results"), cores=1, snakemake=[], profile=None
    )
    started: list[Any] = []
    monkeypatch.setattr(
        "guidebench.pipeline.run.runner.run", lambda *given: started.append(given) or 7
    )
    with pytest.raises(UserError) as caught:
        commands.run_pipeline(arguments)
    assert str(caught.value) == (
        "exp.yaml: device: found cuda, allowed: auto or cpu (torch sees no GPU here)"
    )
    assert started == []
    # other machines have their own
    arguments.snakemake = ["--executor", "kubernetes"]
    assert commands.run_pipeline(arguments) == 7
    assert len(started) == 1


@pytest.mark.parametrize(
    ("device", "listed", "stage", "words"),
    [
        ("cuda", [], "sample", "found cuda"),
        ("auto", ["0"], "features", "found auto and GPUs"),
        ("auto", [], "sample", None),
        ("cpu", ["0"], "sample", None),
        ("cuda", [], "plots", None),
    ],
)
def test_only_jobs_with_a_network_need_one(
    device, listed, stage, words, edited, tmp_path, monkeypatch, without_gpu
) -> None:
    """What a cluster computed can be drawn on a laptop."""
    config, layout = edited({("device",): device}), Layout(tmp_path, "smoke")
    monkeypatch.setattr(parallel, "machine_gpus", lambda: listed)
    monkeypatch.setattr(sharing, "survey", lambda *_: Survey({Job(stage): "why"}, {}, {}))
    if words is None:
        trial.gpu(config, "exp.yaml", layout)
        return
    with pytest.raises(UserError, match=f"^exp.yaml: device: {words}"):
        trial.gpu(config, "exp.yaml", layout)


@pytest.mark.parametrize(("shown", "listed"), [("", ["0"]), ("0", [])], ids=["hidden", "SLURM's"])
def test_a_gpu_counts_where_the_driver_has_it_and_nobody_hides_it(
    shown, listed, edited, tmp_path, monkeypatch, without_gpu
) -> None:
    """A user hides those of a machine; SLURM may name some that are none: the CPU runs."""
    config, layout = edited({("device",): "auto"}), Layout(tmp_path, "smoke")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", shown)
    monkeypatch.setattr(parallel, "machine_gpus", lambda: listed)
    monkeypatch.setattr(sharing, "survey", lambda *_: Survey({Job("sample"): "why"}, {}, {}))
    trial.gpu(config, "exp.yaml", layout)
    assert not parallel.on_gpu("auto")
