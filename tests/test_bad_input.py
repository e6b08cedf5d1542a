"""Every mistake in an experiment file is one line: file, key, what was found, what is allowed."""

import math
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from conftest import DELETE, put

from guidebench.errors import UserError
from guidebench.validate import load

S, M = ("datasets", "sportballs"), ("datasets", "mnist")
RAW, ADAM = (*S, "setups", "clean/raw"), (*S, "setups", "clean/x0+adam")
BIN = Path(sys.executable).parent


class Case(NamedTuple):
    """An edit of the smoke experiment, and what the line about it says."""

    path: tuple[str, ...]
    value: Any
    found: str
    allowed: str
    key: str = ""  # where the line is about another key than the edited one


CELEBA = {"source": "celeba", "root": "faces", "attribute": None, "size": 16}
CASES = {
    "unknown key": Case(("nam",), "x", "did you mean name?", "threads"),
    "unknown key in metrics": Case(
        ("metrics", "jackknife_block"), 4, "did you mean jackknife_blocks?", "inception"
    ),
    "unknown key two deep": Case(
        ("metrics", "inception", "weight"), "x", "did you mean weights?", "sha256"
    ),
    "unknown key of a data set": Case((*S, "targt"), 1, "did you mean target?", "setups"),
    "unknown key of data": Case((*S, "data", "sise"), 16, "did you mean size?", "canvas"),
    "key of another source": Case((*M, "data", "size"), 28, "unknown key", "download"),
    "unknown key of the denoiser": Case(
        (*S, "denoiser", "batchsize"), 8, "did you mean batch_size?", "flip"
    ),
    "unknown key of a classifier": Case(
        (*S, "classifiers", "clean", "hiden"), 8, "did you mean hidden?", "half"
    ),
    "unknown key of a setup": Case((*RAW, "scale"), [1], "did you mean scales?", "input"),
    "unknown key of a stabilizer": Case(
        (*ADAM, "stabilizer", "betta1"), 0.9, "did you mean beta1?", "per_step"
    ),
    "text for an integer": Case((*S, "denoiser", "steps"), "40", '"40"', "integer, above 0"),
    "boolean for an integer": Case((*S, "denoiser", "steps"), True, "true", "integer, above 0"),
    "list for a number": Case(("seed",), [1], "[1]", "integer, at least 0"),
    "fraction for an integer": Case((*S, "data", "train"), 1.5, "1.5", "integer, at least 2"),
    "number for a boolean": Case((*S, "sampling", "clip"), 1, "1", "true or false"),
    "number for a list": Case((*RAW, "scales"), 3, "3", "list of numbers"),
    "text in a list": Case(
        (*S, "denoiser", "channels"), [8, "a"], '"a"', "integer", "denoiser.channels.1"
    ),
    "empty section": Case((*S, "classifiers", "clean"), None, "null", "keys and values"),
    "section that is text": Case((*S, "data"), "balls", '"balls"', "keys and values"),
    "list of the wrong length": Case((*S, "data", "scale"), [0.8], "[0.8]", "list of 2 numbers"),
    "unquoted no": Case(
        (*S, "denoiser", "mixed_precision"), False, "false", "no, bf16 (in quotes)"
    ),
    "negative size": Case((*S, "data", "size"), -16, "-16", "at least 8 and at most 1024"),
    "zero steps": Case((*S, "denoiser", "steps"), 0, "0", "above 0"),
    "negative scale": Case((*RAW, "scales"), [-1], "-1", "at least 0", "setups.clean/raw.scales.0"),
    "nan": Case((*S, "denoiser", "learning_rate"), math.nan, "NaN", "finite number, above 0"),
    "inf": Case((*RAW, "temperature"), math.inf, "Infinity", "finite number, above 0"),
    "momentum of one": Case((*ADAM, "stabilizer", "beta1"), 1.0, "1.0", "below 1"),
    "unknown data set": Case(
        (*S, "data", "source"), "cifar", '"cifar"', "sportballs, mnist, fashion_mnist, celeba"
    ),
    "no source": Case((*S, "data", "source"), DELETE, "nothing", "sportballs, mnist"),
    "no setups": Case((*S, "setups"), DELETE, "nothing", "named entries"),
    "no data sets": Case(("datasets",), {}, "{}", "at least 1"),
    "unknown sampler": Case((*S, "sampling", "sampler"), "heun", '"heun"', "ancestral, ddim"),
    "unknown stabilizer": Case((*ADAM, "stabilizer", "name"), "adm", '"adm"', "none, ema, adam"),
    "unknown guidance": Case((*RAW, "guidance"), "clasifier", '"clasifier"', "none, classifier"),
    "stabilizer's module missing": Case(
        (*ADAM, "stabilizer", "name"), "nosuch:Thing", "nosuch:Thing (no such module)", "import"
    ),
    "stabilizer's package missing": Case(
        (*ADAM, "stabilizer", "name"), "no.such:Thing", "No module named 'no'", "import"
    ),
    "stabilizer's class missing": Case(
        (*ADAM, "stabilizer", "name"), "json:Thing", "no Thing in json", "import"
    ),
    "analysed stabilizer missing": Case(
        (*S, "sensitivity", "stabilizers", "own"), {"name": "nosuch:Thing"}, "nosuch:Thing",
        "import", "sensitivity.stabilizers.own.name",
    ),
    "data set's module missing": Case(
        (*S, "data"), {"source": "nosuch:Thing", "train": 8, "validation": 8}, "nosuch:Thing",
        "import", "data.source",
    ),
    "classifier not defined": Case(
        (*RAW, "classifier"), "dirty", "dirty", "not the judge (clean, noise_trained)"
    ),
    "classifier not named": Case((*RAW, "classifier"), None, "nothing", "clean, noise_trained"),
    "guided by the judge": Case((*RAW, "classifier"), "judge", "judge", "clean, noise_trained"),
    "classifier without guidance": Case(
        (*S, "setups", "unguided", "classifier"), "clean", "clean", "unless guidance is classifier"
    ),
    "unknown architecture": Case(
        (*S, "classifiers", "clean", "architecture"), "resnet19", "did you mean resnet",
        "small_cnn, small_resnet or a torchvision classifier",
    ),
    "class that does not exist": Case((*S, "target"), "tennis", "'tennis'", "baseball, basketball"),
    "digit that does not exist": Case((*M, "target"), 10, "'10'", "7, 8, 9"),
    "no target": Case((*S, "target"), DELETE, "nothing", "baseball, basketball"),
    "target of the wrong kind": Case((*S, "target"), [1], "[1]", "text or integer"),
    "guidance without labels": Case(
        (*S, "data"), CELEBA, "classifier", "none (a data set without labels)",
        "setups.clean/raw.guidance",
    ),
    "target without labels": Case(
        (*S, "data"), CELEBA, "'baseball'", "null (a data set without labels)", "target"
    ),
    "cfg without dropout": Case(
        (*M, "denoiser", "condition_dropout"), DELETE, "cfg", "only with denoiser.condition",
        "setups.cfg.guidance",
    ),
    "more steps than T": Case(
        (*S, "sampling", "steps"), 101, "101", "at most schedule.timesteps (100)"
    ),
    "more pairs than T": Case(
        (*S, "sensitivity", "steps"), 101, "101", "at most schedule.timesteps (100)"
    ),
    "betas that fall": Case((*S, "schedule", "beta_start"), 0.5, "0.5", "at most beta_end (0.02)"),
    "beta of zero": Case((*S, "schedule", "beta_start"), 0.0, "0.0", "above 0"),
    "size not divisible": Case(
        (*S, "denoiser", "channels"), [8] * 6, "6 levels", "image side (16)"
    ),
    "channels and groups": Case(
        (*S, "denoiser", "norm_groups"), 3, "[8, 16]", "norm_groups (3)", "denoiser.channels"
    ),
    "attention per level": Case((*S, "denoiser", "attention"), [True], "[True]", "2 values"),
    "attention heads": Case(
        (*S, "denoiser"), {"channels": [8, 16], "attention": [False, True], "head_dim": 12}, "12",
        "divisor", "denoiser.head_dim",
    ),
    "canvas": Case((*S, "data", "canvas"), 65, "65", "a multiple of data.size (16)"),
    "scale range": Case((*S, "data", "scale"), [0.8, 0.5], "[0.8, 0.5]", "low <= high <= 1"),
    "mean injection with ddim": Case(
        (*S, "sampling", "sampler"), "ddim", "mean", "score (ddim has no posterior mean",
        "setups.clean/raw.injection",
    ),
    "the same scale twice": Case((*RAW, "scales"), [1, 1.0], "[1.0, 1.0]", "each scale once"),
    "guided without scales": Case((*RAW, "scales"), [], "none", "at least one"),
    "unguided with scales": Case(
        (*S, "setups", "unguided", "scales"), [1], "[1.0]", "none without guidance"
    ),
    "evaluation and blocks": Case(
        (*S, "sampling", "evaluation"), 18, "18", "multiple of metrics.jackknife_blocks (4)"
    ),
    "selection and blocks": Case(
        (*S, "sampling", "selection"), 6, "6", "multiple of metrics.jackknife_blocks (4)"
    ),
    "no judge": Case(
        (*S, "classifiers", "judge"), DELETE, "no judge", "must be named judge", "classifiers"
    ),
    "judge of the same architecture": Case(
        (*S, "classifiers", "judge", "architecture"), "small_cnn", "small_cnn",
        "another architecture than the judge's", "classifiers.clean.architecture",
    ),
    "judge on the same half": Case(
        (*S, "classifiers", "judge", "half"), "first", "first", "another half than the judge's",
        "classifiers.clean.half",
    ),
    "judge trained on noise": Case(
        (*S, "classifiers", "judge", "noise_trained"), True, "true", "false"
    ),
    "more digits than the package has": Case((*M, "data", "train"), 4900, "4900", "5000 together"),
    "all digits without a folder": Case((*M, "data", "train"), None, "null", "data.root"),
    "fashion without a folder": Case(
        (*M, "data", "source"), "fashion_mnist", "null", "a folder", "data.root"
    ),
    "download without a folder": Case(
        (*M, "data", "download"), True, "null", "folder to download into", "data.root"
    ),
    "no inception weights": Case(
        ("metrics", "inception", "weights"), "nope.pth", "nope.pth", "an existing file"
    ),
    "not a sha256": Case(("metrics", "inception", "sha256"), "abc", '"abc"', "64 hex digits"),
    "name is a path": Case(("name",), "../x", '"../x"', "no path"),
    "name of a file in results": Case(("name",), "mlflow.db", "mlflow.db", "results/"),
    "data set is a path": Case(("datasets", "../x"), {}, "'../x'", "letters, digits, _ and -"),
    "data set is a results folder": Case(("datasets", "tables"), {}, "'tables'", "none of"),
    "classifier is a path": Case(
        (*S, "classifiers", "../x"), {"half": "first"}, "'../x'", "letters, digits, _ and -"
    ),
    "setup is a path": Case((*S, "setups", "../x"), {}, "'../x'", "names like clean"),
    "setup climbs out": Case((*S, "setups", "clean/.."), {}, "'clean/..'", "names like clean"),
    "setup called floor": Case((*S, "setups", "floor"), {}, "'floor'", "none of floor"),
    "setup above another": Case((*S, "setups", "clean"), {}, "setups below clean/", "folder"),
}  # fmt: skip


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
