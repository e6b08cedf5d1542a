"""Several processes for one training (gloo, on the CPU), and GPUs handed out without clashes."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest
from patience import patience, until
from processes import completed, killed_in_training

from guidebench.pipeline import forkserver
from guidebench.pipeline.jobs import parallel

MANIFEST = "mnist/denoiser/manifest.json"
EXPERIMENT = """
name: {name}
datasets:
  mnist:
    data: {{source: mnist, train: 256, validation: 64}}
    target: 3
    schedule: {{timesteps: 100}}
    denoiser: {{channels: [8, 16], steps: 30, batch_size: 16, warmup: 5, checkpoint_every: 10,
      condition_dropout: 0.2, flip: true, gpus: {gpus}}}
    classifiers: {{judge: {{steps: 5}}}}
    setups: {{unguided: {{}}}}
"""


class Training:
    """The denoiser of a tiny experiment, trained by a number of processes."""

    def __init__(self, folder: Path, gpus: int, name: str) -> None:
        self.folder, self.config = folder, folder / f"{name}.yaml"
        self.config.write_text(EXPERIMENT.format(name=name, gpus=gpus))
        self.root = folder / "results" / name
        assert self("prepare").returncode == 0

    def command(self, stage: str, *arguments: str) -> list[str]:
        job = [stage, "--config", str(self.config), "--dataset", "mnist"]
        return [sys.executable, "-m", "guidebench", *job, *arguments]

    def __call__(self, stage: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return completed(*self.command(stage, *arguments), cwd=self.folder)

    def start(self, *arguments: str) -> subprocess.Popen:
        # not a fork: its processes are its children
        alone = {key: value for key, value in os.environ.items() if key != forkserver.ADDRESS}
        command = self.command("train_denoiser", *arguments)
        return subprocess.Popen(command, cwd=self.folder, env=alone)

    def losses(self) -> list[float]:
        lines = (self.root / "mnist/denoiser/history.jsonl").read_text().splitlines()
        return [json.loads(line)["loss"] for line in lines]

    def made(self) -> dict[str, Any]:
        """What the manifest says of the result: all but what was measured."""
        content: dict[str, Any] = json.loads((self.root / MANIFEST).read_text())
        return {key: content[key] for key in ("spec", "inputs", "code", "files")}

    def checkpoints(self) -> list[Path]:
        # a kill while one is written leaves a hidden temporary file beside it
        return list(self.root.glob(".resume/train_denoiser-*.pt"))


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Training:
    training = Training(tmp_path_factory.mktemp("launch"), 2, "two")
    done = training("train_denoiser")
    assert done.returncode == 0, done.stderr
    return training


def test_two_processes_have_the_loss_curve_of_one(two: Training) -> None:
    one = Training(two.folder, 1, "one")
    assert one("train_denoiser").returncode == 0
    assert two.losses() == pytest.approx(one.losses(), rel=1e-4)
    assert two.losses() != one.losses()  # sums were made in another order: there were two
    events = (two.root / "events/train_denoiser/mnist.jsonl").read_text().splitlines()
    assert [json.loads(line)["event"] for line in events].count("start") == 1


def test_killed_with_all_its_processes_and_continued(two: Training) -> None:
    before = two.made()
    assert "unet/diffusion_pytorch_model.safetensors" in before["files"]
    children = killed_in_training(two.start, two.checkpoints, two.root / MANIFEST)
    assert len(children) == 2
    _, alive = psutil.wait_procs(children, timeout=patience(20))
    assert alive == [], "processes outlived their launcher"
    done = two("train_denoiser")
    assert done.returncode == 0, done.stderr
    assert two.made() == before


def test_a_process_that_dies_ends_the_others(two: Training) -> None:
    process = two.start("--set", "datasets.mnist.denoiser.steps=100000")
    until(two.checkpoints, "a checkpoint", 120)
    children = psutil.Process(process.pid).children()
    children[1].send_signal(signal.SIGKILL)
    assert process.wait(patience(30)) == 2
    assert not any(child.is_running() for child in children)


def test_more_machines_need_slurm(two: Training) -> None:
    outside = {key: value for key, value in os.environ.items() if not key.startswith("SLURM")}
    command = two.command("train_denoiser", "--set", "datasets.mnist.denoiser.nodes=2")
    done = completed(*command, cwd=two.folder, env=outside)
    assert done.returncode == 2
    assert done.stderr == "denoiser.nodes: found 2 outside of SLURM, allowed: 1\n"


CLAIM = """
import sys
from guidebench.pipeline.jobs.parallel import claim_gpus
sys.stdout.write(",".join(claim_gpus(int(sys.argv[1]))) + "\\n")
sys.stdout.flush()
sys.stdin.read()
"""


class Claims:
    """Processes that hold GPUs until they are ended."""

    def __init__(self, folder: Path, visible: str) -> None:
        self.environment = os.environ | {"CUDA_VISIBLE_DEVICES": visible, "TMPDIR": str(folder)}
        self.processes: list[subprocess.Popen] = []

    def __call__(self, count: int) -> subprocess.Popen:
        process = subprocess.Popen(
            [sys.executable, "-c", CLAIM, str(count)],
            env=self.environment,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self.processes.append(process)
        return process


@pytest.fixture
def claims(tmp_path: Path):
    made = Claims(tmp_path, "0,3,GPU-77")
    yield made
    for process in made.processes:
        process.kill()
        process.wait()


def _names(process: subprocess.Popen) -> list[str]:
    return process.stdout.readline().strip().split(",")


def test_jobs_side_by_side_get_different_gpus(claims: Claims) -> None:
    started = [claims(1) for _ in range(3)]
    held = [_names(process) for process in started]
    assert sorted(held) == [["0"], ["3"], ["GPU-77"]]
    started[1].kill()  # a killed job gives its GPU back
    started[1].wait()
    assert _names(claims(1)) == held[1]
    assert len(_names(claims(2))) == 2  # none is free: shared, as without --resources gpu=N


def test_one_job_with_two_gpus_leaves_the_third(claims: Claims) -> None:
    assert _names(claims(2)) == ["0", "3"]
    assert _names(claims(1)) == ["GPU-77"]


def test_parts_of_a_gpu_have_slashes_in_their_names(tmp_path: Path) -> None:
    parts = ["MIG-GPU-7/1/0", "MIG-GPU-7/2/0"]
    claims = Claims(tmp_path, ",".join(parts))
    for part in parts:
        assert _names(claims(1)) == [part]
    for process in claims.processes:
        process.communicate("")


@pytest.mark.parametrize("visible", ["", "-1", "NoDevFiles"])
def test_without_a_gpu_there_is_nothing_to_claim(visible: str, tmp_path: Path) -> None:
    process = Claims(tmp_path, visible)(1)
    assert process.communicate("")[0].strip() == ""


@pytest.mark.parametrize(("visible", "local"), [("0", "0"), ("0,1", "1"), ("", "1")])
def test_a_task_of_a_job_step_takes_its_place(
    visible: str, local: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = {
        parallel.MASTER: "node1:4711",
        parallel.STEP: "1",
        "SLURM_PROCID": "3",
        "SLURM_LOCALID": "1",
        "SLURM_NTASKS": "4",
        "CUDA_VISIBLE_DEVICES": visible,
        "RANK": "9",
        "LOCAL_RANK": "9",
        "WORLD_SIZE": "9",
        "MASTER_ADDR": "",
        "MASTER_PORT": "",
    }
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    assert parallel.joins()
    assert parallel.rank() == 3
    found = {
        name: os.environ[name]
        for name in ("LOCAL_RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
    }
    assert found == {
        "LOCAL_RANK": local,
        "WORLD_SIZE": "4",
        "MASTER_ADDR": "node1",
        "MASTER_PORT": "4711",
    }


def test_alone_there_is_no_place_to_take(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(parallel.MASTER, raising=False)
    monkeypatch.setenv("RANK", "7")  # of somebody else's launcher
    assert not parallel.joins()
    assert parallel.rank() == 0


def test_more_gpus_than_the_machine_has_is_one_line(two: Training, monkeypatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    done = two("train_denoiser")
    assert done.returncode == 2
    assert done.stderr == (
        "denoiser.gpus: found 2 on a machine, allowed: at most the 1 that are visible here\n"
    )
