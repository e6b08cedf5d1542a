"""The Snakemake command line of `guidebench run`: cores, GPUs, profiles."""

import itertools
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from snakemake.exceptions import WorkflowError
from snakemake_executor_plugin_slurm.utils import set_gres_string
from snakemake_executor_plugin_slurm.validation import validate_slurm_extra

from guidebench.pipeline.errors import UserError
from guidebench.pipeline.experiment.config import Config
from guidebench.pipeline.experiment.reading import load
from guidebench.pipeline.jobs.stages import STAGES
from guidebench.pipeline.run import runner, slurm
from guidebench.pipeline.run.runner import Run
from guidebench.pipeline.run.slurm import prefix

ON_GPU = [name for name, stage in STAGES.items() if stage.network]


def _run(tmp_path: Path, profile: str | None = None, settings: tuple[str, ...] = ()) -> Run:
    config = Config.model_construct(name="x")
    return Run(config, "c.yaml", list(settings), 3, tmp_path, ["--quiet"], profile)


def test_one_machine_runs_one_gpu_job_for_each_gpu(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,5")
    command = " ".join(_run(tmp_path, settings=("seed=3",)).command())
    assert "--cores 3 --resources gpu=2 --keep-going" in command
    # what is stale is decided by guidebench, and half a job's finished cells are kept
    assert 'set=["seed=3"]' in command
    assert command.endswith("--quiet")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert "--resources" not in _run(tmp_path).command()


def test_profiles_by_name_and_by_folder(repository, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(repository)
    command = _run(tmp_path, "slurm").command()
    assert command[command.index("--profile") + 1] == "workflow/profiles/slurm"
    assert "--cores" not in command
    name = command[command.index("--slurm-jobname-prefix") + 1]
    assert name == prefix(tmp_path / "x")
    own = tmp_path / "own"
    own.mkdir()
    (own / "config.yaml").write_text("executor: kubernetes\n")
    command = _run(tmp_path, str(own)).command()
    assert command[command.index("--profile") + 1] == str(own)
    assert "--slurm-jobname-prefix" not in command


def test_an_unknown_profile_is_one_line(repository, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(repository)
    with pytest.raises(
        UserError, match="--profile: found slrum, allowed: gpus, local, slurm, or a"
    ):
        _run(tmp_path, "slrum").on_slurm()


def test_a_profile_that_is_a_file_is_one_line(repository, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(repository)
    file = tmp_path / "slurm.yaml"
    file.write_text("executor: slurm\n")
    with pytest.raises(UserError) as caught:
        _run(tmp_path, str(file)).on_slurm()
    assert str(caught.value) == (
        f"--profile: found {file}, allowed: gpus, local, slurm, or a folder with a config.yaml"
    )


@pytest.mark.parametrize(
    ("text", "arguments", "here"),
    [
        (None, [], True),
        (None, ["--executor", "slurm"], False),
        (None, ["--executor=x"], False),
        (None, ["-e", "x"], False),
        (None, ["-eslurm"], False),
        (None, ["--profile=mine"], False),
        (None, ["--profile", "mine"], False),
        ("cores: 2", ["-k"], True),
        ("", [], True),
        ("executor: local", [], True),
        ("executor: slurm", [], False),
        ("executor: kubernetes", [], False),
    ],
)
def test_where_the_jobs_run(text, arguments, here, tmp_path, monkeypatch) -> None:
    monkeypatch.delenv("SNAKEMAKE_PROFILE", raising=False)
    if text is not None:
        (tmp_path / "config.yaml").write_text(text)
    request = _run(tmp_path, None if text is None else str(tmp_path))
    request = request._replace(snakemake_args=arguments)
    assert request.here() == here
    monkeypatch.setenv("SNAKEMAKE_PROFILE", "mine")
    assert not request.here()


def test_started_in_another_folder_it_is_the_checkouts_workflow(
    repository: Path, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.chdir(tmp_path)
    command = _run(tmp_path, "slurm").command()
    assert command[command.index("--snakefile") + 1] == str(repository / "Snakefile")
    profile = command[command.index("--profile") + 1]
    assert profile == str(repository / "workflow/profiles/slurm")
    monkeypatch.setattr(runner, "CHECKOUT", tmp_path)
    with pytest.raises(UserError, match=r"found no Snakefile of guidebench here or in .*, allowed"):
        _run(tmp_path).command()


def test_names_of_slurm_jobs_tell_experiments_apart(tmp_path) -> None:
    names = {prefix(tmp_path / name) for name in ("a", "b", "a.1")}
    assert len(names) == 3
    assert all(len(name) <= 50 and name.replace("-", "").isalnum() for name in names)


def test_no_profile_lets_snakemake_decide_or_delete(repository) -> None:
    for path in (repository / "workflow/profiles").glob("*/config.yaml"):
        profile = yaml.safe_load(path.read_text())
        assert not any("rerun" in key or "incomplete" in key for key in profile)


@pytest.mark.parametrize("text", ["executor: [slurm", "- a list", "just words"])
def test_a_broken_profile_is_one_line(text: str, tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own/config.yaml").write_text(text)
    with pytest.raises(UserError, match=r"own/config.yaml: not a profile in YAML") as caught:
        _run(tmp_path, str(tmp_path / "own")).on_slurm()
    assert "\n" not in str(caught.value)


def test_the_profiles_own_example_is_right(repository: Path, tmp_path: Path) -> None:
    """It names every rule with a network, the same words in a group, and what SLURM is handed."""
    text = (repository / "workflow/profiles/slurm/config.yaml").read_text()
    lines = text.splitlines()
    start = lines.index("# set-resources:")
    example = [line[2:] for line in itertools.takewhile(lambda line: line, lines[start:])]
    profile = yaml.safe_load(text)
    asked = yaml.safe_load("\n".join(example))["set-resources"]
    assert set(asked) == {*ON_GPU, "prepare"}
    for group in set(profile["groups"].values()):
        members = [rule for rule, name in profile["groups"].items() if name == group]
        assert len({str(asked.get(rule)) for rule in members}) == 1
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(profile | {"set-resources": asked}))
    assert _run(tmp_path, str(tmp_path)).on_slurm()
    for rule in ON_GPU:
        resources = asked[rule] | {"gres": asked[rule]["gres"].strip("'")}
        given = set_gres_string(SimpleNamespace(resources=_Resources(resources)))
        assert given == " --gres=gpu:a100:1"


def test_a_run_whose_jobs_slurm_forgot_ends_with_one_line(
    repository: Path, slurm_queue: Path, tmp_path: Path, monkeypatch, capsys
) -> None:
    config = load(str(repository / "workflow/config/smoke.yaml"), [])
    request = Run(config, "smoke.yaml", [], 1, tmp_path / "results", [], "slurm")
    waits = "import time; print('waiting for job 7', flush=True); time.sleep(60)"
    monkeypatch.setattr(Run, "command", lambda self: [sys.executable, "-c", waits])
    monkeypatch.setattr(Run, "on_slurm", lambda self: True)
    monkeypatch.setattr(runner, "TRACKER_SECONDS", 0.0)
    monkeypatch.setattr(slurm, "LOOK_SECONDS", 0.1)
    monkeypatch.setattr(slurm, "EMPTY_SECONDS", 1.0)
    slurm_queue.write_text("")
    assert runner.run(request) == 1
    said = capsys.readouterr().err.splitlines()
    assert said[-2].startswith("SLURM has had no job of this run for 0 min, but Snakemake waits")
    assert said[-1] == f"logs: {request.log.parent}"
    assert "waiting for job 7" not in "".join(said)


class _Resources(dict):
    """As Snakemake's: an attribute for each key."""

    __getattr__ = dict.__getitem__


@pytest.mark.parametrize("gres", ["gpu:nvidia_a100-sxm4-40gb:1", "gpu:a b:1"])
def test_a_gres_that_is_never_submitted_is_one_line(gres: str, tmp_path: Path) -> None:
    profile = {"executor": "slurm", "set-resources": {"sample": {"gres": f"'{gres}'"}}}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(profile))
    with pytest.raises(UserError, match=r"config.yaml: set-resources.sample.gres: found .*:1"):
        _run(tmp_path, str(tmp_path)).on_slurm()
    with pytest.raises(WorkflowError):
        set_gres_string(SimpleNamespace(resources=_Resources(gres=gres)))
    instead = _Resources(slurm_extra="--gpus-per-node=nvidia_a100-sxm4-40gb:1")
    validate_slurm_extra(SimpleNamespace(resources=instead))


@pytest.mark.parametrize(
    "resources",
    [
        ["sample:gpu=1"],
        {"sample": {"gres": "'gpu:1' if attempt == 1 else 'gpu:h100:1'"}},
        {"sample": {"gres": "\"'gpu:a100:2'\""}},
        {"sample": "gpu=1"},
    ],
)
def test_what_may_be_right_is_not_refused(resources: object, tmp_path: Path) -> None:
    profile = {"executor": "slurm", "set-resources": resources}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(profile))
    assert _run(tmp_path, str(tmp_path)).on_slurm()
