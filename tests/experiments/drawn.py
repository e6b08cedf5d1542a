"""Experiments drawn from the config's own model: tiny ones, edited anywhere, valid in the end.

Every key of the model is drawn from its type and range; a key that is new there is drawn, too. What
a type cannot say (names of methods, files) and sizes that would take minutes are in the tables.
"""

import copy
import json
from pathlib import Path
from typing import Any

import tiny
from hypothesis import strategies as st
from model_edits import DROP, Edit, Tables
from model_edits import edits as model_edits
from pydantic import BaseModel
from tiny import TRAINED

from guidebench.pipeline.errors import UserError
from guidebench.pipeline.experiment import config as models
from guidebench.pipeline.experiment import sections, world_section
from guidebench.pipeline.experiment.config import Config
from guidebench.pipeline.experiment.reading import load
from guidebench.pipeline.jobs import demands
from guidebench.pipeline.plan import trial

NAMES = ["b", "A-b_1", "0", "no", "judge", "two words", "ünï", "b.c", "b/c+0.9", "floor"]
NAMES += ["x" * 60, "x" * 250, "-"]
COUNTS = {"train": 160, "validation": 160}
# new entries, and keys whose defaults take long
TINY: dict[type[BaseModel], dict[str, Any]] = {
    sections.SportBallsData: tiny.BALLS | COUNTS,
    sections.IdxData: {"source": "mnist"} | COUNTS,
    sections.CustomData: COUNTS
    | {"source": "own_methods:gray", "classes": ["dark", "bright"], "size": 8},
    sections.DDPMLinear: {"name": "ddpm_linear", "timesteps": 20},
    sections.DDPMScaledLinear: {"name": "ddpm_scaled_linear", "timesteps": 20},
    sections.DDPMCosine: {"name": "ddpm_cosine", "timesteps": 20},
    sections.DDPMBetas: {"name": "ddpm_betas", "timesteps": 20, "betas": [0.1] * 20},
    sections.VPSDE: {"name": "vp_sde", "timesteps": 20},
    sections.LogSNR: {"name": "logsnr_cosine", "timesteps": 20},
    sections.Denoiser: tiny.DENOISER,
    sections.Classifier: TRAINED,
    sections.Attack: {"radius": 0.5, "iterations": 2},
    sections.Attributes: {"steps": 3, "batch_size": 8},
    sections.Sensitivity: tiny.SENSITIVITY,
    sections.Steps: {"steps": 2},
    sections.Sampling: tiny.SAMPLING,
    world_section.Component: {"mean": [0.0, 1.0], "label": 0},
    world_section.Drawn: {"shape": [2], "components": 2, "classes": 2},
    world_section.World: {
        "drawn": {"shape": [3], "components": 3, "classes": 2},
        "samples": 16,
        "schedule": {"timesteps": 20},
        "samplers": {"ddim": {"steps": 2}},
        "setups": {"unguided": {}},
    },
    models.Metrics: {"jackknife_blocks": 4},
    models.OwnMetric: {"name": "own_methods:spread"},
}
# texts that mean something, and keys that name files or start other processes
TEXTS: dict[str, list[Any]] = {
    "source": ["own_methods:gray", "own_methods:one_class", "own_methods:unlabelled"],
    "architecture": [
        "small_cnn",
        "small_resnet",
        "own_methods:tiny",
        "alexnet",
        "mobilenet_v3_small",
    ],
    "guidance": ["own_methods:Nudge"],
    "name": ["own_methods:Sign", "own_methods:spread"],
    "sampler": ["own_methods:euler"],
    "classifier": ["clean", "judge", "noise_trained"],
    "target": ["baseball", "3", "dark", "each", "only", "Male: true"],
    "attribute": ["Male", "Smiling"],
    "split": ["official"],  # by identity it is another number of images: tests/data
    "device": ["cpu"],
    "classes": [["dark", "bright"], ["only"], []],
    "grid_setups": [["unguided"], []],
    "learning_rate": [1e-6, 1.0],  # larger: a training that breaks, tests/train
    "weight_decay": [0.0, 1.0],  # larger: the same
    "train": [160, 161],
    "validation": [1, 2, 160],  # fewer: tests/data
    "seed": [0, 2**63 - 1],
    "root": [None],
    "otherwise": ["stop"],
    "download": [False],
    "weights": [None],
    "checkpoint": [None],  # tests/experiments/test_checkpoint.py
    "revision": [None],
    "sha256": [None],
    "learned_steps": [0, 3],
    "compile": [False],  # a minute for each job: tests/models/test_precision.py
    "gpus": [1],
    "nodes": [1],
    "options": [{}],
    "description": ["ö <b>"],
}
NO_CLASS = {"source": "own_methods:unlabelled", "classes": []}


GUIDED = {"guidance": "classifier", "classifier": "clean", "scales": [1.0]}
COMMON = {
    "schedule": TINY[sections.DDPMLinear],
    "denoiser": TINY[sections.Denoiser],
    "sensitivity": TINY[sections.Sensitivity],
    "sampling": TINY[sections.Sampling],
}
JUDGE = {"judge": TRAINED | {"architecture": "small_resnet", "half": "second"}}
BOTH = COMMON | {
    "classifiers": JUDGE | {"clean": TRAINED},
    "setups": {"unguided": {}, "clean/raw": GUIDED},
}
BALLS = {"data": TINY[sections.SportBallsData], "target": "baseball"}
TINY[models.Dataset] = BOTH | BALLS
TABLES = Tables(TINY, NAMES, TEXTS)


def bases(folder: Path) -> dict[str, dict[str, Any]]:
    """A valid experiment of each kind; `folder` has CelebA's files."""
    plain = {"setups": {"unguided": {}}}
    faces = {"source": "celeba", "root": str(folder), "size": 8} | COUNTS
    listed = faces | {"source": "folder", "table": "list_attr_celeba.txt"}
    own = TINY[sections.CustomData]
    sets = {
        "balls": BOTH | BALLS,
        "halved": BOTH
        | BALLS
        | {
            "sampling": tiny.SAMPLING | {"finalists": {"scales": 1, "evaluation": 12}},
            "setups": {"unguided": {}, "clean/raw": GUIDED | {"scales": [1.0, 10.0]}},
        },
        "digits": BOTH
        | {
            "data": TINY[sections.IdxData],
            "target": "each",
            "denoiser": TINY[sections.Denoiser] | {"condition_dropout": 0.2},
        },
        "own": BOTH | {"data": own, "target": "dark"},
        "faces": BOTH | {"data": faces, "target": {"Male": False}},
        "listed": BOTH | {"data": listed, "target": {"Male": False}},
        "alone": COMMON | BALLS | {"classifiers": JUDGE} | plain,
        "bare": COMMON | {"data": own | NO_CLASS} | plain,
        "none": COMMON | {"data": faces | {"attribute": None}} | plain,
    }
    world = {"worlds": {"world": TINY[world_section.World]}}
    found: dict[str, Any] = {name: {"datasets": {name: dataset}} for name, dataset in sets.items()}
    found |= {"world": world, "both": world | found["none"]}
    shared = {"name": "drawn", "metrics": TINY[models.Metrics]}
    return {name: shared | one for name, one in found.items()}


@st.composite
def experiments(draw: st.DrawFn, folder: Path) -> tuple[dict[str, Any], list[Edit]]:
    """A base and edits of it, each drawn on what the ones before have left."""
    base = draw(st.sampled_from(list(bases(folder).values())))
    values = copy.deepcopy(base)
    edits: list[Edit] = []
    for _ in range(draw(st.integers(0, 10))):
        places = list(model_edits(Config, values, TABLES))
        # first the key: setups have most of the places
        key = draw(st.sampled_from(sorted({name for name, _ in places})))
        edit = draw(draw(st.sampled_from([place for name, place in places if name == key])))
        put(values, edit)
        edits.append(edit)
    return base, edits


def settled(base: dict[str, Any], edits: list[Edit], path: Path) -> tuple[Config, list[Edit]]:
    """The config of a base and those of its edits that fit each other, as its file is read.

    Each line about the others must name a key and say what is allowed.
    """
    edits = list(edits)
    while True:
        values = copy.deepcopy(base)
        for edit in edits:
            put(values, edit)
        path.write_text(json.dumps(values))
        config, refusal = _loaded(path)
        if config is not None:
            return config, edits
        lines = refusal.splitlines()
        for line in lines:
            assert line.startswith(f"{path}: "), line
            assert "allowed: " in line, line
        assert edits, refusal
        key = lines[0].removeprefix(f"{path}: ").partition(": ")[0]
        wrong = _nearest(edits, tuple(key.split(".")))
        # what was drawn inside goes with it
        edits = [edit for edit in edits if edit.path[: len(wrong.path)] != wrong.path]


def _loaded(path: Path) -> tuple[Config | None, str]:
    """The config as a run reads it before its first job, or what it says."""
    try:
        config = load(str(path), [])
        demands.check(config, str(path), path.parent)
        trial.check(config, str(path))
    except UserError as error:
        return None, str(error)
    return config, ""


def put(values: dict[str, Any], edit: Edit) -> None:
    for part in edit.path[:-1]:
        values = values.setdefault(part, {})
    if edit.value is DROP:
        values.pop(edit.path[-1], None)
    else:
        values[edit.path[-1]] = copy.deepcopy(edit.value)


def _nearest(edits: list[Edit], key: tuple[str, ...]) -> Edit:
    """The edit with the longest part of its path in common with a key."""

    def common(edit: Edit) -> int:
        path = ".".join(edit.path).split(".")
        pairs = list(zip(path, key, strict=False))
        return next((n for n, (a, b) in enumerate(pairs) if a != b), len(pairs))

    return max(reversed(edits), key=common)
