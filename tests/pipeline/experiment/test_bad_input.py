"""Every mistake in an experiment file is one line: file, key, what was found, what is allowed."""

import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import put
from crash_cases import CASES as LAST
from mistake_cases import CASES as EARLIER
from mistake_cases import M, S
from processes import completed
from unread_cases import CASES as UNREAD
from world_cases import CASES as LATER

from guidebench.pipeline.errors import UserError
from guidebench.pipeline.experiment.consistency import mistakes
from guidebench.pipeline.experiment.reading import load
from guidebench.pipeline.experiment.yaml12 import parse

CASES = EARLIER | LATER | LAST | UNREAD
BIN = Path(sys.executable).parent


def messages(values: Any, folder: Path) -> list[str]:
    """The lines about an experiment file; none when it is valid."""
    file = folder / "bad.yaml"
    file.write_text(values if isinstance(values, str) else yaml.safe_dump(values))
    try:
        load(str(file))
    except UserError as error:
        lines = str(error).splitlines()
        assert all(line.startswith(f"{file}: ") for line in lines)
        return [line.removeprefix(f"{file}: ") for line in lines]
    return []


@pytest.mark.parametrize("name", CASES)
def test_a_mistake_is_one_line_with_key_found_and_allowed(name, smoke, tmp_path):
    case = CASES[name]
    value = case.value
    if case.path[:1] == ("datasets",) and len(case.path) == 2:  # a data set of another name
        value = smoke["datasets"]["sportballs"]
    if case.path == ("datasets",):  # a world alone would be an experiment
        del smoke["worlds"]
    put(smoke, case.path, value)
    key = ".".join((*case.path[:2], case.key) if case.key else case.path)
    about = [line for line in messages(smoke, tmp_path) if line.startswith(f"{key}: ")]
    assert len(about) == 1, messages(smoke, tmp_path)
    found, separator, allowed = about[0].removeprefix(f"{key}: ").partition("allowed: ")
    assert separator
    assert case.found in found
    assert case.allowed in allowed
    assert found.startswith(("found ", "unknown key"))


def test_the_unedited_experiment_is_valid(smoke, tmp_path):
    assert messages(smoke, tmp_path) == []


def test_a_metric_that_no_data_set_has_is_a_mistake(smoke, tmp_path):
    """One target class alone is enough, of a data set with what the metric is of."""
    both, key = smoke["datasets"], "metrics.own.mine"
    smoke["metrics"]["own"] = {"mine": {"name": "json:dumps", "reference": "target"}}
    both["mnist"]["target"] = "each"
    assert messages(smoke, tmp_path) == []
    both["sportballs"]["target"] = "each"
    nowhere = "found target, allowed: all, where no data set that it is of has one target class"
    assert f"{key}.reference: {nowhere}" in messages(smoke, tmp_path)
    both["mnist"]["target"] = 3
    del both["mnist"]["classifiers"]["judge"]
    assert f"{key}.reference: {nowhere}" in messages(smoke, tmp_path)
    smoke["metrics"]["own"]["mine"]["of"] = "images"
    assert not any(line.startswith(key) for line in messages(smoke, tmp_path))
    del smoke["datasets"]
    assert f"{key}.name: found json:dumps, allowed: none without a data set" in messages(
        smoke, tmp_path
    )


def test_unread_keys_may_be_written_with_their_defaults(smoke, tmp_path):
    smoke["datasets"]["sportballs"]["denoiser"]["head_dim"] = 8
    smoke["datasets"]["mnist"]["data"]["otherwise"] = "stop"
    off = {"grid_images": 0, "grid_setups": [], "grid_steps": None}
    smoke["datasets"]["mnist"]["sampling"] |= off
    assert messages(smoke, tmp_path) == []


@pytest.mark.parametrize(
    ("section", "switch", "off", "details"),
    [
        ((*S, "sampling"), "grid_images", 0, {"grid_setups": ["unguided"], "grid_steps": 3}),
        ((*S, "denoiser"), "attention", None, {"head_dim": 4}),
        (("metrics", "inception"), "weights", None, {"sha256": "0" * 64}),
    ],
)
def test_one_key_turns_a_feature_off(section, switch, off, details, smoke, tmp_path):
    for key, value in details.items():
        put(smoke, (*section, key), value)
    assert len(messages(smoke, tmp_path)) == len(details)
    put(smoke, (*section, switch), off)
    assert messages(smoke, tmp_path) == []


def test_read_keys_may_be_anything(smoke, tmp_path):
    smoke["datasets"]["sportballs"]["denoiser"] |= {"attention": [False, True], "head_dim": 4}
    grid = {"grid_images": 1, "grid_setups": ["unguided"], "grid_steps": 3}
    smoke["datasets"]["mnist"]["sampling"] |= grid
    assert messages(smoke, tmp_path) == []


@pytest.mark.parametrize(
    ("edits", "keys"),
    [
        (
            {("nam",): 1, (*S, "denoiser", "steps"): 0},
            ["datasets.sportballs.denoiser.steps", "nam"],
        ),
        (
            {(*S, "target"): "tennis", (*M, "sampling", "steps"): 500},
            ["datasets.mnist.sampling.steps", "datasets.sportballs.target"],
        ),
    ],
    ids=["structure", "meaning"],
)
def test_two_mistakes_are_two_lines(edits, keys, smoke, tmp_path):
    for path, value in edits.items():
        put(smoke, path, value)
    assert sorted(line.partition(": ")[0] for line in messages(smoke, tmp_path)) == keys


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name: a\nseed: 0\nname: b\n", "line 3: not valid YAML: key 'name' twice"),
        ("name: a\ndatasets: [1, 2\nseed: 0\n", "line 3: not valid YAML"),
        ("name: a\n\tseed: 0\n", "line 2: not valid YAML"),
        ("name: a\n? [1, 2]\n: 3\n", "line 2: not valid YAML: a key that is not text"),
        ("name: *nothing\n", "line 1: not valid YAML: found undefined alias"),
        ("name: &me [*me]\n", "not valid YAML"),
        ("seed: !!bool maybe\n", "not valid YAML: 'maybe'"),
        ("seed: !!timestamp soon\n", "not valid YAML: "),
        ("", "found an empty file, allowed: a mapping of keys"),
        ("# nothing but a comment\n", "found an empty file, allowed: a mapping of keys"),
        ("[1, 2]\n", "found list, allowed: a mapping of keys"),
    ],
)
def test_a_file_that_is_no_experiment_is_one_line(text, said, tmp_path):
    (line,) = messages(text, tmp_path)
    assert line.startswith(said)


def test_a_file_that_cannot_be_read_is_one_line(tmp_path):
    (tmp_path / "latin.yaml").write_bytes("name: caf\xe9\n".encode("latin-1"))
    for name, said in (("none.yaml", "No such file"), ("", "directory"), ("latin.yaml", "UTF-8")):
        path = str(tmp_path / name)
        with pytest.raises(UserError) as caught:
            load(path)
        assert str(caught.value).startswith(f"{path}: cannot be read (")
        assert said in str(caught.value)
        assert "\n" not in str(caught.value)


def test_keys_are_text_and_a_merged_key_may_be_replaced(repository, tmp_path):
    text = (repository / "workflow/config/smoke.yaml").read_text()
    # a merge of a merge replaces keys, and 1e-3 is a number
    text = text.replace("clean: &classifier {", "clean: &classifier {learning_rate: 1e-3, ")
    text = text.replace("  mnist:\n", "  yes:\n")
    (tmp_path / "ok.yaml").write_text(text)
    config = load(str(tmp_path / "ok.yaml"))
    assert list(config.datasets) == ["sportballs", "yes"]
    assert config.datasets["yes"].classifiers["judge"].learning_rate == 1e-3


# read as text, whatever YAML 1.1 would make of it
TEXTS = ["yes", "no", "on", "Off", "y", "=", "1:30", "190:20:30", "6:30.5", "1_000", "1_0.5"]
TEXTS += ["2024_10", "0b11", "2024-10-01", "2024-13-45", "1e", "0.1.2"]
# how YAML 1.1 would read it -> how 1.2 does
SCALARS = {
    "0100": 100,
    "010": 10,
    "0o17": 15,
    "0x1F": 31,
    "-08": -8,
    "+7": 7,
    "true": True,
    "False": False,
    "~": None,
    "null": None,
    "1e3": 1000.0,
    "1.": 1.0,
    ".5": 0.5,
    "-1.5e-2": -0.015,
    "'0100'": "0100",
    '"true"': "true",
} | {text: text for text in TEXTS}


@pytest.mark.parametrize("text", SCALARS)
def test_scalars_are_those_of_yaml_1_2(text):
    for found in (parse(f"key: {text}\n", "a")["key"], parse(text, "a")):
        assert found == SCALARS[text]
        assert type(found) is type(SCALARS[text])


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("datasets.mnist.denoiser.steps=1:30", '"1:30", allowed: integer, above 0'),
        ("datasets.mnist.denoiser.steps=1_000", '"1_000", allowed: integer, above 0'),
        ("datasets.mnist.sampling.clip=yes", '"yes", allowed: true or false'),
        ("name=202410", "202410, allowed: a name of letters, digits, _ . and -, no path (in quote"),
    ],
)
def test_what_is_no_number_is_refused_with_what_is(setting, said, repository):
    with pytest.raises(UserError) as caught:
        load(str(repository / "workflow/config/smoke.yaml"), [setting])
    assert f"{setting.partition('=')[0]}: found {said}" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_numbers_with_zeros_in_front_are_decimal_and_a_bare_no_is_text(repository):
    smoke = str(repository / "workflow/config/smoke.yaml")
    key = "datasets.mnist.denoiser"
    config = load(smoke, [f"{key}.steps=0100", "name=2024_10", f"{key}.mixed_precision=no"])
    assert config.datasets["mnist"].denoiser.steps == 100
    assert config.datasets["mnist"].denoiser.mixed_precision == "no"
    assert config.name == "2024_10"


def test_settings_replace_keys_whose_names_hold_dots(repository):
    smoke = str(repository / "workflow/config/smoke.yaml")
    config = load(smoke, ["datasets.sportballs.setups.clean/x0+ema0.9.scales=[2, 4]", "seed=7"])
    assert config.datasets["sportballs"].setups["clean/x0+ema0.9"].scales == [2, 4]
    assert config.seed == 7
    with pytest.raises(UserError, match=r"^--set seed\.x: found a value at seed, allowed: "):
        load(smoke, ["seed.x=1"])
    with pytest.raises(UserError, match=r"^--set seed: allowed: key.path=value$"):
        load(smoke, ["seed"])
    with pytest.raises(UserError, match="seed: found -1, allowed: integer, at least 0"):
        load(smoke, ["seed=-1"])


OVERRIDES = {
    "setup": (
        {"sportballs": {"setups": {"clean/x0+em0.9": {"scales": [3]}}}},
        "datasets.sportballs.setups.clean/x0+em0.9: found no such setup in smoke.yaml "
        "(did you mean clean/x0+ema0.9?), allowed: ",
    ),
    "data set": (
        {"sportbals": {"target": "baseball"}},
        "datasets.sportbals: found no such data set in smoke.yaml (did you mean "
        "sportballs?), allowed: ",
    ),
    "whole new setup": (
        {"sportballs": {"setups": {"clean/x0+em0.9": {"guidance": "cfg"}}}},
        "datasets.sportballs.setups.clean/x0+em0.9.scales: found none, ",
    ),
    "whole new classifier": (
        {"sportballs": {"classifiers": {"jury": {"architecture": "small_cnn", "steps": 0}}}},
        "datasets.sportballs.classifiers.jury.steps: found 0, allowed: ",
    ),
    "whole new stabilizer": (
        {"sportballs": {"sensitivity": {"stabilizers": {"mine": {"name": "ema", "beta1": 0.5}}}}},
        "datasets.sportballs.sensitivity.stabilizers.mine.beta1: found 0.5, allowed: ",
    ),
}
WORLDS = {
    "whole new world": ({"mine": {"components": []}}, "worlds.mine"),
    "whole new sampler": (
        {"{world}": {"samplers": {"mine": {"sampler": "ddim", "steps": 0}}}},
        "worlds.{world}.samplers.mine.steps: found 0, allowed: ",
    ),
}


@pytest.mark.parametrize("name", OVERRIDES)
def test_an_override_of_what_the_base_lacks_says_so(name, smoke, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("smoke.yaml").write_text(yaml.safe_dump(smoke))
    edits, said = OVERRIDES[name]
    Path("mine.yaml").write_text(yaml.safe_dump({"base": "smoke.yaml", "datasets": edits}))
    with pytest.raises(UserError) as caught:
        load("mine.yaml")
    lines = str(caught.value).splitlines()
    assert lines[0].startswith(f"mine.yaml (over smoke.yaml): {said}")
    assert "no such" not in " ".join(lines[1:])
    if name == "setup":
        with pytest.raises(UserError, match=r"no such setup in smoke\.yaml"):
            load("smoke.yaml", ["datasets.sportballs.setups.clean/x0+em0.9.scales=[3]"])


@pytest.mark.parametrize("name", WORLDS)
def test_a_whole_new_part_of_a_world_is_one(name, smoke, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("smoke.yaml").write_text(yaml.safe_dump(smoke))
    (world,) = smoke["worlds"]
    edits, said = WORLDS[name]
    mine = {key.format(world=world): value for key, value in edits.items()}
    Path("mine.yaml").write_text(yaml.safe_dump({"base": "smoke.yaml", "worlds": mine}))
    with pytest.raises(UserError) as caught:
        load("mine.yaml")
    lines = [
        line.removeprefix("mine.yaml (over smoke.yaml): ")
        for line in str(caught.value).splitlines()
    ]
    assert lines[0].startswith(said.format(world=world))
    assert "no such" not in str(caught.value)


def test_every_mistake_of_a_new_entry_is_said_at_once(smoke, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("smoke.yaml").write_text(yaml.safe_dump(smoke))
    entry = {"scales": [1, 1], "interval": [0.8, 0.2]}
    sets = {"sportballs": {"setups": {"clean/new": entry}}}
    Path("mine.yaml").write_text(yaml.safe_dump({"base": "smoke.yaml", "datasets": sets}))
    with pytest.raises(UserError) as caught:
        load("mine.yaml")
    key = "datasets.sportballs.setups.clean/new"
    lines = [
        line.removeprefix(f"mine.yaml (over smoke.yaml): {key}")
        for line in str(caught.value).splitlines()
    ]
    assert lines[0].startswith(": found no such setup in smoke.yaml")
    assert sorted(line.partition(": ")[0] for line in lines[1:]) == [
        ".interval",
        ".interval",
        ".scales",
        ".scales",
    ]


@pytest.mark.parametrize("program", ["guidebench", "snakemake"])
@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("structure", "nam: x\n", "did you mean name?"),
        ("meaning", None, "allowed: baseball, basketball"),
        ("broken", "name: [1\n", "not valid"),
    ],
    ids=lambda value: value if value in ("structure", "meaning", "broken") else "",
)
def test_no_job_starts_and_no_traceback_is_shown(
    program, name, text, said, smoke, repository, tmp_path
):
    bad = tmp_path / "bad.yaml"
    smoke["datasets"]["sportballs"]["target"] = "tennis"
    bad.write_text(yaml.safe_dump(smoke) if text is None else text)
    dry = ["-n", "-s", str(repository / "Snakefile")]
    commands = {
        "guidebench": ["validate", "--config", str(bad)],
        "snakemake": ["snakemake", *dry, "--configfile", str(bad)],
    }
    done = completed(BIN / "guidebench", *commands[program], cwd=tmp_path)
    output = done.stdout + done.stderr
    assert done.returncode != 0
    assert said in output
    assert "Traceback" not in output
    if (program, name) != ("snakemake", "broken"):  # Snakemake itself reads the file first
        assert all(line.startswith(f"{bad}: ") for line in output.splitlines())
    left = {path.name for path in tmp_path.iterdir()} - {".snakemake"}
    assert left == {"bad.yaml"}


def dry_run(repository: Path, *words: str, cwd: Path) -> Any:
    command = [BIN / "guidebench", "snakemake", "-n", "-s", repository / "Snakefile"]
    return completed(*command, *words, cwd=cwd)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--configfile", "a.yaml", "b.yaml"], "--configfile: found 2 files, allowed: one"),
        (
            ["--configfile", "a.yaml", "--config", "name=2024_10"],
            """--config name: found 202410 (Snakemake takes it for a number), allowed: text""",
        ),
        (["--configfile", "a.yaml", "--config", "name="], "--config name: found None"),
        (["--configfile", "a.yaml", "--config", "set=seed=x"], 'seed: found "x", allowed'),
    ],
)
def test_snakemakes_own_options_are_read_as_ours(arguments, said, smoke, repository, tmp_path):
    for name in "ab":
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(smoke))
    done = dry_run(repository, *arguments, cwd=tmp_path)
    output = done.stdout + done.stderr
    assert done.returncode != 0
    assert said in output
    for words in ("Traceback", "Error", "common.smk"):
        assert words not in output


def test_a_name_in_quotes_stays_text_for_snakemake(smoke, repository, tmp_path):
    (tmp_path / "a.yaml").write_text(yaml.safe_dump(smoke))
    named = [r'set=["name=\"2024\""]', "seed=007", "threads=1"]
    done = dry_run(repository, "--configfile", "a.yaml", "--config", *named, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_setups_own_clip_is_a_clip_for_what_a_clip_needs(edited):
    """Its gradient is read, and a sampler that sees eps alone has to recompute it."""
    balls = ("datasets", "sportballs")

    def said(clip: bool | None, **sampling: object) -> list[str]:
        one = {"unguided": {"clip": clip}}
        free = {"steps": 4, "clip": False} | sampling
        return mistakes(edited({(*balls, "setups"): one, (*balls, "sampling"): free}))

    heun = {"sampler": "heun", "recompute_eps": False}
    assert said(None, **heun) == []
    (line,) = said(True, **heun)
    assert line.startswith("datasets.sportballs.sampling.recompute_eps: found false, allowed: true")
    (line,) = said(None, clip_gradient="zero")
    assert line.startswith("datasets.sportballs.sampling.clip_gradient: found zero")
    assert said(True, clip_gradient="zero") == []


def test_attributes_are_known_of_drawn_balls_alone(edited):
    (line,) = mistakes(edited({("datasets", "mnist", "attributes"): {}}))
    assert line == (
        "datasets.mnist.attributes: found a section, allowed: null: of sportballs alone the true "
        "ones are known"
    )


@pytest.mark.parametrize(
    ("balls", "varies"),
    [
        ({"diameters": [5]}, True),
        ({"diameters": [5, 5], "offsets": [3, 3]}, False),
        ({"diameters": [5, 6], "offsets": [3, 3]}, True),
        ({"diameters": [5], "offsets": [3, 4]}, True),
        ({"diameters": [5], "offsets": [3, 3], "rotation": "in_plane"}, True),
        ({"scale": [0.5, 0.5]}, True),
        ({"scale": [0.5, 0.5], "offsets": [1, 1]}, False),
        ({"scale": [1.0, 1.0]}, False),
        ({"diameters": [16]}, False),
        ({"scale": [0.9, 1.0], "offsets": [0, 0]}, True),
    ],
)
def test_attributes_that_are_read_vary(edited, balls, varies):
    data = {"source": "sportballs", "size": 16, "canvas": 32, "train": 16, "validation": 16}
    found = mistakes(edited({(*S, "data"): data | balls, (*S, "attributes"): {}}))
    said = "found a section, allowed: null: of all balls place and diameter are the same"
    assert found == ([] if varies else [f"datasets.sportballs.attributes: {said}"])


def test_gradient_checkpointing_needs_a_gradient_and_blocks(edited):
    """Of a clean classifier's sensitivity, a setup on x0_pred, or a guide of the user's."""
    asked = {(*S, "sampling", "gradient_checkpointing"): True}
    key = "datasets.sportballs.sampling.gradient_checkpointing: found true, allowed: false "
    shuffled = {"architecture": "shuffle_unet", "channels": [8, 16]}
    assert mistakes(edited(asked)) == []
    found = mistakes(edited(asked | {(*S, "denoiser"): shuffled}))
    assert found == [f"{key}with shuffle_unet"]
    alone = {(*S, "classifiers"): {"judge": {}}, (*S, "setups"): {"unguided": {}}}
    found = mistakes(edited(asked | alone))
    assert found == [f"{key}where no gradient goes through the denoiser"]
    found = mistakes(edited(asked | {(*S, "sampling", "compile"): True}))
    assert found == [f"{key}with compile"]


def test_compiled_is_diffusers_network_alone(edited):
    asked = {(*S, "sampling", "compile"): True, (*S, "denoiser", "compile"): True}
    assert mistakes(edited(asked)) == []
    shuffled = {"architecture": "shuffle_unet", "channels": [8, 16], "compile": True}
    sampling, training = (
        f"datasets.sportballs.{section}.compile: found true, allowed: false "
        for section in ("sampling", "denoiser")
    )
    alone = f"{training}unless architecture is unet2d and gpus is 1"
    found = mistakes(edited(asked | {(*S, "denoiser"): shuffled}))
    assert sorted(found) == [alone, f"{sampling}with shuffle_unet"]
    assert mistakes(edited(asked | {(*S, "denoiser", "gpus"): 2})) == [alone]


def test_half_precision_has_a_precision_of_its_own(edited):
    edits = {(*S, "setups", "clean/x0", "paper_compat"): ["half_precision"]}
    assert mistakes(edited(edits)) == []
    assert mistakes(edited(edits | {(*S, "sampling", "precision"): "tf32"})) == []
    assert mistakes(edited(edits | {(*S, "sampling", "precision"): "bf16"})) == [
        "datasets.sportballs.sampling.precision: found bf16, allowed: float32 or tf32 with "
        "half_precision (setups.clean/x0)"
    ]
