"""Which data set of an experiment is another one without its switches."""

import json
from typing import Any

import pytest

from guidebench.pipeline.experiment.config import Config
from guidebench.pipeline.experiment.reading import load
from guidebench.stages.corrected import corrected

DATA = {"source": "sportballs", "size": 16, "canvas": 64}
GUIDED = {"guidance": "classifier", "classifier": "clean", "scales": [1]}
PLAIN: dict[str, Any] = {
    "data": DATA,
    "target": "baseball",
    "classifiers": {"clean": {}, "judge": {"half": "second"}},
    "setups": {"unguided": {}},
}
ONE_DRAW = {"data": {"paper_compat": ["one_draw"]}}
TRAINED = {"denoiser": {"paper_compat": ["validation_images"]}}


def _laid(base: dict[str, Any], *edits: dict[str, Any]) -> dict[str, Any]:
    """A section with edits laid over it, key by key."""
    for edit in edits:
        inner = {k: _laid(base.get(k, {}), v) for k, v in edit.items() if isinstance(v, dict)}
        base = base | edit | inner
    return base


def _found(*edits: dict[str, Any]) -> str | None:
    datasets = {"balls": PLAIN, "public": _laid(PLAIN, *edits)}
    config = Config.model_validate_json(json.dumps({"name": "x", "datasets": datasets}))
    assert corrected(config, "balls") is None
    return corrected(config, "public")


@pytest.mark.parametrize(
    "edit",
    [
        {},
        {"setups": {"clean/x0": GUIDED | {"input": "x0", "paper_compat": ["raw_logit"]}}},
        {"sampling": {"clip_gradient": "zero"}},  # a switch, which its setups name
        {"sampling": {"grid_images": 2, "grid_setups": ["unguided"], "trajectories": 0}},
        {"sampling": {"gradient_checkpointing": True}, "denoiser": {"checkpoint_every": 7}},
        {"classifiers": {"clean": {"checkpoint_every": 7}}},
        {"sensitivity": {"images": 7}, "attributes": {}, "strip": [0.5]},
    ],
)
def test_switches_setups_and_analyses_may_differ(edit: dict[str, Any]) -> None:
    for switches in ([ONE_DRAW], [TRAINED], [ONE_DRAW, TRAINED]):
        assert _found(*switches, edit) == "balls"
    assert _found(edit) is None  # no switch


@pytest.mark.parametrize(
    "edit",
    [
        {"data": {"rotation": "in_plane"}},
        {"data": {"offsets": [0, 7]}},
        {"data": {"poses": 3}},
        {"data": {"canvas": 32}},
        {"data": {"train": 100}},
        {"target": "volleyball"},
        {"schedule": {"timesteps": 100}},
        {"denoiser": {"steps": 7}},
        {"denoiser": {"learning_rate": 1e-3}},
        {"denoiser": {"batch_size": 7}},
        {"denoiser": {"prediction": "eps"}},
        {"classifiers": {"clean": {"noise_trained": True}}},
        {"classifiers": {"clean": {"architecture": "small_resnet"}}},
        {"classifiers": {"judge": {"steps": 7}}},
        {"classifiers": {"another": {}}},
        {"sampling": {"steps": 7}},
        {"sampling": {"clip": False}},
        {"sampling": {"precision": "tf32"}},
        {"sampling": {"evaluation": 7}},
        {"sampling": {"micro_batch": 7}},
    ],
)
def test_nothing_else_may_differ(edit: dict[str, Any]) -> None:
    assert _found(ONE_DRAW, edit) is None
    assert _found(TRAINED, edit) is None


def test_pictures_from_another_folder_are_another_data_set() -> None:
    folder = {"source": "mnist", "train": 64, "validation": 64}
    plain = PLAIN | {"data": folder | {"root": "/a"}, "target": "3"}
    for root, expected in (("/a", "balls"), ("/b", None)):
        public = _laid(plain, TRAINED, {"data": {"root": root}})
        datasets = {"balls": plain, "public": public}
        config = Config.model_validate_json(json.dumps({"name": "x", "datasets": datasets}))
        assert corrected(config, "public") == expected


def test_each_data_set_of_the_ablation_has_its_corrected_one(repository) -> None:
    config = load(str(repository / "workflow/config/compat_ablation.yaml"))
    found = {name: corrected(config, name) for name in config.datasets}
    assert found == {"sportballs": None} | dict.fromkeys(
        ("all_images", "one_draw", "public"), "sportballs"
    )
