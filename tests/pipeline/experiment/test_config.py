"""The default experiment shows and explains every key, and docs/config.md is the config model."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from conftest import REPOSITORY

from guidebench.pipeline.errors import UserError
from guidebench.pipeline.experiment import classifier_consistency, consistency
from guidebench.pipeline.experiment.config import ARCHITECTURES, Config
from guidebench.pipeline.experiment.reading import load
from guidebench.pipeline.experiment.reference import document
from guidebench.pipeline.experiment.sections import SportBallsData
from guidebench.pipeline.experiment.type_words import models

EXPERIMENTS = [
    "config.yaml",
    *sorted(
        path.relative_to(REPOSITORY).as_posix()
        for path in (REPOSITORY / "workflow/config").glob("*.yaml")
    ),
]
# of stabilizers that the default experiment has none of: a user's own, and norm_clip
EXCEPTED = {
    "datasets.*.setups.*.stabilizer.options",
    "datasets.*.sensitivity.stabilizers.*.options",
    # norm_clip's
    "datasets.*.setups.*.stabilizer.max_norm",
    "datasets.*.sensitivity.stabilizers.*.max_norm",
    # workflow/config/classifiers_small.yaml shows them
    *(
        f"datasets.*.{section}.{key}"
        for section in ("classifiers.*.adversarial", "sensitivity.attack")
        for key in ("norm", "radius", "step_size", "iterations")
    ),
    # config.yaml shows them in the comment of what is off
    *(f"datasets.*.sampling.finalists.{key}" for key in ("scales", "evaluation")),
    # docs/extending.md shows them
    *(f"metrics.own.*.{key}" for key in ("name", "of", "reference", "options")),
}


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_the_repositorys_experiments_are_valid(name, monkeypatch):
    monkeypatch.chdir(REPOSITORY)
    config = load(name)
    assert config.datasets or config.worlds


def test_experiments_have_names_of_their_own(monkeypatch):
    monkeypatch.chdir(REPOSITORY)
    names = [load(name).name for name in EXPERIMENTS]
    assert len(set(names)) == len(names)


def _model_keys(path: str, model: Any) -> Iterator[str]:
    """Every key of the model, as `datasets.*.denoiser.steps`; of the data, SportBalls'."""
    for key, field in model.model_fields.items():
        below = f"{path}.{key}".lstrip(".")
        yield below
        inner = models(field.annotation)
        if inner:
            yield from _model_keys(below, SportBallsData if SportBallsData in inner else inner[0])
            continue
        for entry in (
            entry for argument in get_args(field.annotation) for entry in models(argument)
        ):
            yield from _model_keys(f"{below}.*", entry)


def _shown_keys(lines: list[str]) -> dict[str, bool]:
    """Every key of config.yaml in the same form, and whether a comment stands by it somewhere."""
    found: dict[str, bool] = {}

    def walk(node: yaml.Node, path: str, named: bool) -> None:
        if not isinstance(node, yaml.MappingNode):
            return
        for key, value in node.value:
            here = f"{path}.{'*' if named else key.value}".lstrip(".")
            line = key.start_mark.line
            comment = "  #" in lines[line] or lines[line - 1].lstrip().startswith("#")
            found[here] = found.get(here, False) or comment
            last = here.rpartition(".")[2]
            walk(value, here, last in ("datasets", "classifiers", "setups", "stabilizers"))

    walk(yaml.compose("\n".join(lines)), "", False)
    return found


def test_the_default_experiment_comments_every_key():
    shown = _shown_keys((REPOSITORY / "config.yaml").read_text().splitlines())
    # ground_truth.yaml shows what a world's keys are
    keys = {key for key in _model_keys("", Config) if not key.startswith("worlds.")}
    wanted = keys - EXCEPTED
    # either place explains what a stabilizer's keys are
    place, other = "datasets.*.setups.*.stabilizer", "datasets.*.sensitivity.stabilizers.*"
    for key in [key for key in wanted if key.startswith((f"{place}.", f"{other}."))]:
        last = key.rpartition(".")[2]
        either = [f"{place}.{last}", f"{other}.{last}"]
        shown[key] = any(shown.get(name, False) for name in either)
    assert wanted - set(shown) == set(), "not in config.yaml"
    assert {key for key in wanted if not shown[key]} == set(), "without a comment"


def test_the_documentation_is_the_models(monkeypatch):
    written = (REPOSITORY / "docs/config.md").read_text()
    assert written == document(), (
        "run `python -m guidebench.pipeline.experiment.reference > docs/config.md`"
    )


def test_the_documented_defaults_are_what_a_file_without_the_keys_gets(tmp_path):
    (tmp_path / "least.yaml").write_text(
        yaml.safe_dump(
            {
                "name": "least",
                "datasets": {
                    "balls": {
                        "data": {"source": "sportballs"},
                        "target": "baseball",
                        "classifiers": {"judge": {}},
                        "setups": {"unguided": {"stabilizer": {}}},
                        "sensitivity": {"stabilizers": {"none": {}}},
                    }
                },
            }
        )
    )
    values = load(str(tmp_path / "least.yaml")).model_dump(mode="json")
    balls = values["datasets"]["balls"]
    sections = {
        "Top level": values,
        "`metrics`": values["metrics"],
        "`metrics.inception`": values["metrics"]["inception"],
        "`datasets.<name>.data` (source: sportballs)": balls["data"],
        "`datasets.<name>.classifiers.<name>`": balls["classifiers"]["judge"],
        "`datasets.<name>.setups.<name>`": balls["setups"]["unguided"],
        "`datasets.<name>.setups.<name>.stabilizer`": balls["setups"]["unguided"]["stabilizer"],
        **{
            f"`datasets.<name>.{key}`": balls[key]
            for key in ("denoiser", "sensitivity", "sampling")
        },
        "`datasets.<name>.schedule` (name: ddpm_linear)": balls["schedule"],
    }
    checked = 0
    for title, section in sections.items():
        part = document().split(f"## {title}\n")[1].partition("\n## ")[0]
        rows = [line.split(" | ") for line in part.splitlines() if line.startswith("| `")]
        assert [row[0] for row in rows] == [f"| `{key}`" for key in section]
        for row in rows:
            if row[2].startswith("`"):
                assert section[row[0].strip("| `")] == json.loads(row[2].strip("`"))
                checked += 1
    assert checked > 50


@pytest.mark.parametrize(("seeds", "wrong"), [(4, True), (8, False)])
def test_every_class_in_turn_needs_images_with_neighbours(seeds, wrong):
    values = yaml.safe_load((REPOSITORY / "workflow/config/smoke.yaml").read_text())
    values["datasets"]["sportballs"] |= {"target": "each"}
    values["datasets"]["sportballs"]["sampling"] |= {"selection": seeds}
    said = consistency.mistakes(Config.model_validate(values))
    key = "datasets.sportballs.sampling.selection: found 4, allowed: more than 3 images"
    assert [line.startswith(key) for line in said] == [True] * wrong


def test_every_key_has_a_meaning():
    rows = [line for line in document().splitlines() if line.startswith("| `")]
    assert len(rows) > 110
    assert all(row.count(" | ") == 4 and not row.endswith("|  |") for row in rows)


def test_the_named_architectures_are_the_classifiers_own():
    from guidebench.models import architectures

    assert list(architectures.ARCHITECTURES) == ARCHITECTURES
    for name in ("small_cnn", "resnet18", "mobilenet_v3_small", "googlenet"):
        assert list(classifier_consistency._architecture("key", name)) == []
    assert len(list(classifier_consistency._architecture("key", "resnet19"))) == 1


def test_a_file_is_laid_over_its_base(tmp_path: Path) -> None:
    base = REPOSITORY / "workflow/config/smoke.yaml"
    (tmp_path / "smoke.yaml").write_text(base.read_text())
    (tmp_path / "more.yaml").write_text(
        "base: smoke.yaml\nname: more\ndatasets: {mnist: {denoiser: {steps: 99}, target: '4'}}\n"
    )
    (tmp_path / "most.yaml").write_text("base: more.yaml\nname: most\n")
    smoke, most = load(str(base)), load(str(tmp_path / "most.yaml"))
    expected = smoke.model_dump(mode="json")
    expected["name"] = "most"
    expected["datasets"]["mnist"]["denoiser"]["steps"] = 99
    expected["datasets"]["mnist"]["target"] = "4"
    assert most.model_dump(mode="json") == expected


@pytest.mark.parametrize("section", ["datasets: {target: %s}", "defaults: %s"])
def test_a_target_is_replaced_and_not_merged(section: str, tmp_path: Path) -> None:
    """Though it is a mapping; a data set of that name is a section like any other."""
    faces = "{data: {source: celeba, root: x}, target: {Male: false}, setups: {unguided: {}}}"
    (tmp_path / "below.yaml").write_text(section % faces)
    own = "{data: {attribute: Smiling}, target: {Smiling: true}, classifiers: {judge: {}}}"
    (tmp_path / "own.yaml").write_text(f"base: below.yaml\nname: x\ndatasets: {{target: {own}}}")
    (dataset,) = load(str(tmp_path / "own.yaml")).datasets.values()
    assert dataset.target == {"Smiling": True}
    assert (dataset.data.root, dataset.data.attribute) == ("x", "Smiling")
    assert list(dataset.setups) == ["unguided"]


def test_defaults_are_laid_under_each_data_set(tmp_path: Path) -> None:
    (tmp_path / "below.yaml").write_text(
        "seed: 3\n"
        "defaults:\n"
        "  denoiser: {steps: 7, warmup: 2}\n"
        "  classifiers: {judge: {hidden: 8}}\n"
        "  setups: {unguided: {}}\n"
    )
    text = (
        "base: below.yaml\nname: x\ndatasets:\n"
        "  one: {data: {source: sportballs}, target: baseball, denoiser: {steps: 9}}\n"
        "  two:\n"
        "    {data: {source: mnist, train: 80, validation: 40}, target: 3, setups: {again: {}}}\n"
    )
    (tmp_path / "own.yaml").write_text(text)
    config = load(str(tmp_path / "own.yaml"), ["datasets.two.denoiser.warmup=1"])
    one, two = config.datasets["one"], config.datasets["two"]
    assert [(d.denoiser.steps, d.denoiser.warmup) for d in (one, two)] == [(9, 2), (7, 1)]
    assert (list(one.setups), list(two.setups)) == (["unguided"], ["unguided", "again"])
    assert {d.classifiers["judge"].hidden for d in (one, two)} == {8}
    # of the same file as the data sets, too
    (tmp_path / "all.yaml").write_text(
        (tmp_path / "below.yaml").read_text() + text.partition("\n")[2]
    )
    values = [load(str(tmp_path / name)).model_dump() for name in ("own.yaml", "all.yaml")]
    assert values[0] == values[1]


@pytest.mark.parametrize(
    ("own", "said"),
    [
        ("", r"datasets: found none, allowed: at least one data set"),
        (
            "datasets: {b: {data: {source: sportballs}, setup: {}}}",
            r"datasets\.b\.setup: unknown key",
        ),
        ("datasets: {b: 3}", r"datasets\.b: found 3, allowed: keys and values"),
        ("datasets: 3", r"datasets: found 3, allowed: named entries"),
        (
            "datasets: {b: {data: {source: sportballs}, target: baseball, "
            "setups: {ungided: {scale: [1]}}}}",
            r"setups\.ungided: found no such setup in .*\(did you mean unguided\?\)",
        ),
    ],
)
def test_a_mistake_over_defaults_is_one_of_the_data_set(own: str, said: str, tmp_path: Path):
    (tmp_path / "below.yaml").write_text(
        "defaults: {classifiers: {judge: {}}, setups: {unguided: {}}}\n"
    )
    (tmp_path / "own.yaml").write_text(f"base: below.yaml\nname: x\n{own}\n")
    with pytest.raises(UserError, match=said):
        load(str(tmp_path / "own.yaml"))


def test_defaults_that_are_no_section_are_one_line(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text("name: x\ndefaults: 3\ndatasets: {b: {}}\n")
    with pytest.raises(
        UserError, match=r"own.yaml: defaults: found 3, allowed: keys of a data set"
    ):
        load(str(tmp_path / "own.yaml"))


def test_a_mistake_names_the_base_too(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text("name: x\nseeds: 3\nworlds: {}\n")
    (tmp_path / "own.yaml").write_text("base: base.yaml\nname: y\n")
    with pytest.raises(UserError, match=r"own.yaml \(over \S*base.yaml\): seeds: .*mean seed"):
        load(str(tmp_path / "own.yaml"))


@pytest.mark.parametrize("base", ["nowhere.yaml", "own.yaml", "../{here}/own.yaml", "[a]", "."])
def test_a_base_that_is_no_other_file_is_one_line(base: str, tmp_path: Path) -> None:
    named = base.format(here=tmp_path.name)
    (tmp_path / "own.yaml").write_text(f"base: {named}\nname: x\n")
    with pytest.raises(UserError, match=r"own.yaml: base: found .*, allowed: another exp") as error:
        load(str(tmp_path / "own.yaml"))
    assert "\n" not in str(error.value)
