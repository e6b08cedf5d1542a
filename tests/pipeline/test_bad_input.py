"""Every mistake in an experiment file is one line: file, key, what was found, what is allowed."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import put
from crash_cases import CASES as LAST
from mistake_cases import CASES as EARLIER
from mistake_cases import M, S
from world_cases import CASES as LATER

from guidebench.pipeline.errors import UserError
from guidebench.pipeline.validate import load

CASES = EARLIER | LATER | LAST
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
        ("description: 2024-13-45\n", "not valid YAML: month must be in 1..12"),
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
    # `yes` is a boolean to YAML, a merge of a merge replaces keys, and 1e-3 is a number
    text = text.replace("clean: &classifier {", "clean: &classifier {learning_rate: 1e-3, ")
    text = text.replace("  mnist:\n", "  yes:\n")
    (tmp_path / "ok.yaml").write_text(text)
    config = load(str(tmp_path / "ok.yaml"))
    assert list(config.datasets) == ["sportballs", "yes"]
    assert config.datasets["yes"].classifiers["judge"].learning_rate == 1e-3


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
    "setup": ({"sportballs": {"setups": {"clean/x0+em0.9": {"scales": [3]}}}},
              "datasets.sportballs.setups.clean/x0+em0.9: found no such setup in smoke.yaml "
              "(did you mean clean/x0+ema0.9?), allowed: "),
    "data set": ({"sportbals": {"target": "baseball"}},
                 "datasets.sportbals: found no such data set in smoke.yaml (did you mean "
                 "sportballs?), allowed: "),
    "whole new setup": ({"sportballs": {"setups": {"clean/x0+em0.9": {"guidance": "cfg"}}}},
                        "datasets.sportballs.setups.clean/x0+em0.9.scales: found none, "),
}  # fmt: skip


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
    commands = {
        "guidebench": ["validate", "--config", str(bad)],
        "snakemake": ["-n", "-s", str(repository / "Snakefile"), "--configfile", str(bad)],
    }
    done = subprocess.run(
        [BIN / program, *commands[program]], cwd=tmp_path, capture_output=True, text=True
    )
    output = done.stdout + done.stderr
    assert done.returncode != 0
    assert said in output
    assert "Traceback" not in output
    left = {path.name for path in tmp_path.iterdir()} - {".snakemake"}
    assert left == {"bad.yaml"}
