"""The pipeline on a real SLURM: what is cancelled, killed or too small is done again, once."""

import json
import math
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from cluster import Cluster, unavailable
from copies import working_copy
from patience import slowness, until
from processes import completed, ended

from guidebench.pipeline import forkserver
from guidebench.pipeline.run.slurm import prefix

pytestmark = [pytest.mark.slurm, pytest.mark.timeout(900)]

SMOKE = "workflow/config/smoke.yaml"
# seconds of a good day in which a run that is alive changes some file
STANDSTILL = 200
# a training by two processes, here on a node each, long enough to be caught in the act
CHANGES = ["datasets.mnist.denoiser.steps=600", "datasets.mnist.denoiser.gpus=2"]
LIMITS = """
name: limits
datasets:
  late: &greedy
    data: &data
      source: "greedy:small"
      options: {megabytes: 1, late: true}
      classes: [a, b]
      size: 8
      train: 32
      validation: 32
    target: a
    denoiser: {channels: [8, 16]}
    classifiers: {judge: {}}
    setups: {unguided: {}}
  large:
    <<: *greedy
    data: {<<: *data, options: {megabytes: 900, late: false}}
  hopeless:
    <<: *greedy
    data: {<<: *data, options: {megabytes: 3500, late: false}}
"""


def _command(*arguments: str) -> list[str]:
    sets = [word for change in CHANGES for word in ("--set", change)]
    return [sys.executable, "-m", "guidebench", "run", "--config", SMOKE, *sets, *arguments]


def _smoke(root: Path):
    """A working copy whose smoke experiment has one data set: a SLURM job takes 15 CPU seconds."""
    copy = working_copy(root, megabytes=2000, minutes=10)
    path = root / SMOKE
    values = yaml.safe_load(path.read_text())
    del values["datasets"]["sportballs"]
    path.write_text(yaml.safe_dump(values, sort_keys=False))
    return copy


def _start(copy, command: list[str], **options) -> subprocess.Popen:
    options |= {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    return subprocess.Popen(command, cwd=copy.root, env=copy.environment, **options)


def _signs(root: Path) -> list[float]:
    """What changes while a run in this folder gets on: its files."""
    times = []
    for folder, _, names in os.walk(root / "results"):
        for name in names:
            with suppress(OSError):
                times.append(os.stat(Path(folder, name)).st_mtime)
    return sorted(times)


def _wait(reached: Callable[[], object], what: str, run: subprocess.Popen, root: Path) -> object:
    """Wait for something in a run, for as long as the run gets on."""

    def look() -> object:
        # what it said, if it ended; asked first, for it may end right after the other question
        over = run.poll() is not None
        found = reached()
        assert found or not over, f"the run ended before {what}: {run.communicate()[0]}"
        return found

    return until(look, what, STANDSTILL, lambda: _signs(root), every=0.2)


def _output(run: subprocess.Popen, root: Path) -> str:
    """Everything that a run says until it ends, which it may take its time for."""

    def look() -> list[str]:
        with suppress(subprocess.TimeoutExpired):
            return [run.communicate(timeout=1)[0]]
        return []

    return until(look, "the run's end", STANDSTILL, lambda: _signs(root))[0]


def _events(root: Path, stage: str, job: str, event: str) -> list[dict]:
    path = root / "results/smoke/events" / stage / f"{job}.jsonl"
    lines = path.read_text().splitlines() if path.is_file() else []
    return [found for found in map(json.loads, lines) if found["event"] == event]


def _running(cluster, comment: str = "", node: str = "") -> str | None:
    """The number of a running job whose comment and node contain these."""
    for job in cluster.jobs():
        if job["state"] == "RUNNING" and comment in job["comment"] and node in job["node"]:
            return job["id"]
    return None


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory):
    if reason := unavailable():
        # `make slurm-test` is not green where it could not run
        (pytest.fail if os.environ.get("GUIDEBENCH_SLURM") else pytest.skip)(reason)
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv(forkserver.ADDRESS, raising=False)  # SLURM's jobs are no forks of ours
        with Cluster(tmp_path_factory.mktemp("cluster"), cpus=2) as started:
            yield started


@pytest.fixture(scope="module")
def limits(cluster, tmp_path_factory):
    """A run of jobs that are too long or too large for their first attempts, in the background."""
    # on the node that stays alive: they are to end by their limits alone
    # a minute is enough for those that are only too large, on a good day
    minutes = math.ceil(slowness() - 0.5)
    copy = working_copy(
        tmp_path_factory.mktemp("limits") / "copy",
        megabytes=700,
        minutes=minutes,
        slurm_extra="'--nodelist=n1'",
    )
    shutil.copy(Path(__file__).parent / "greedy.py", copy.root)
    (copy.root / "limits.yaml").write_text(LIMITS)
    wanted = [f"results/limits/{name}/data/manifest.json" for name in ("late", "large", "hopeless")]
    command = [sys.executable, "-m", "guidebench", "run", "--config", "limits.yaml"]
    with ended():
        process = _start(copy, [*command, "--profile", "quick", "--", *wanted])
        yield SimpleNamespace(root=copy.root, process=process)


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    """The same experiment without SLURM, in the background."""
    copy = _smoke(tmp_path_factory.mktemp("local") / "copy")
    with ended():
        process = _start(copy, ["nice", *_command("--cores", "1")])
        yield SimpleNamespace(copy=copy, process=process)


@pytest.fixture(scope="module")
def survived(cluster, limits, reference, tmp_path_factory):
    """A run in which a job was cancelled, a node lost its power, and the controller was killed."""
    with ended():
        return _survive(cluster, _smoke(tmp_path_factory.mktemp("slurm") / "copy"))


def _survive(cluster, copy) -> SimpleNamespace:
    root, results = copy.root, copy.root / "results/smoke"
    command = _command("--profile", "quick", "--set", "datasets.mnist.denoiser.nodes=2")
    first = _start(copy, command, start_new_session=True)

    def wait(reached: Callable[[], object], what: str) -> object:
        return _wait(reached, what, first, root)

    wait(lambda: list(results.glob(".resume/train_denoiser-mnist-*.pt")), "a checkpoint")
    cancelled = _running(cluster, "train_denoiser_wildcards_mnist")
    cluster.cancel(cancelled)

    wait(lambda: _events(root, "train_denoiser", "mnist", "end"), "training to be resumed")
    lost = wait(lambda: _running(cluster, node="n2"), "n2 at work")
    cluster.kill_node("n2")
    cluster.start_node("n2")

    wait(lambda: list(results.glob("*/samples/*/*/*.cell.json")), "a sampled cell")
    os.killpg(first.pid, signal.SIGKILL)
    first.wait()
    # a group takes its manifests with it when it goes; the cells, finished when their keys are
    # beside them, are what took time
    files = [*results.rglob("manifest.json"), *results.rglob("*.npz")]
    finished = {
        path: path.stat().st_mtime_ns
        for path in files
        if not path.name.startswith(".")
        and ("samples" not in path.parts or path.with_suffix(".cell.json").exists())
    }
    before = list(cluster.jobs())
    second = _start(copy, command)
    output = _output(second, root)
    return SimpleNamespace(
        copy=copy,
        results=results,
        cancelled=cancelled,
        lost=lost,
        finished=finished,
        before=before,
        code=second.returncode,
        output=output,
        jobs=cluster.jobs(),
    )


def test_the_run_ends_with_a_report(survived) -> None:
    assert survived.code == 0, survived.output
    assert survived.output.splitlines()[-1] == "report: results/smoke/report.html"


def test_jobs_ran_on_both_nodes_and_one_training_on_two(survived) -> None:
    nodes = {job["node"] for job in survived.jobs if job["state"] == "COMPLETED"}
    assert {"n1", "n2"} <= nodes
    (together,) = {
        job["node"]
        for job in survived.jobs
        if job["comment"] == "rule_train_denoiser_wildcards_mnist"
    }
    assert together == "n[1-2]"


def test_a_cancelled_training_was_resumed(survived) -> None:
    states = {job["id"]: job["state"] for job in survived.jobs}
    assert states[survived.cancelled] == "CANCELLED"
    starts = _events(survived.copy.root, "train_denoiser", "mnist", "start")
    assert len(starts) >= 2
    progress = _events(survived.copy.root, "train_denoiser", "mnist", "progress")
    again = [event["done"] for event in progress if event["run"] == starts[1]["run"]]
    assert again[0] > 10  # from a checkpoint, not from the first step


def test_the_job_of_a_node_that_died_was_done_again(survived) -> None:
    lost = next(job for job in survived.jobs if job["id"] == survived.lost)
    assert lost["state"] == "NODE_FAIL"
    same = [job["state"] for job in survived.jobs if job["comment"] == lost["comment"]]
    assert "COMPLETED" in same


def test_a_killed_controller_leaves_no_second_writer(survived) -> None:
    before, jobs = (
        [job for job in found if job["name"].startswith(prefix(survived.results))]
        for found in (survived.before, survived.jobs)  # other experiments have jobs, too
    )
    orphans = {job["id"] for job in before if job["state"] in ("RUNNING", "PENDING")}
    assert orphans
    ended = {job["id"]: job for job in jobs if job["id"] in orphans}
    states = [job["state"] for job in ended.values()]
    assert set(ended) == orphans
    assert set(states) <= {"CANCELLED", "COMPLETED"}
    # one may end by itself before the second controller looks, or as it is being cancelled
    told = re.search(r"cancelled (\d+) SLURM jobs that an earlier run left", survived.output)
    assert told
    assert states.count("CANCELLED") <= int(told[1]) <= len(orphans)
    # and the second controller's jobs began when all of them were gone
    known = {job["id"] for job in before}
    began = [job["start"] for job in jobs if job["id"] not in known]
    assert began
    assert min(began) >= max(job["end"] for job in ended.values())


def test_nothing_finished_was_run_twice(survived) -> None:
    changed = [
        str(path)
        for path, time_ns in survived.finished.items()
        if path.stat().st_mtime_ns != time_ns
    ]
    assert len(survived.finished) > 10
    assert changed == []


def test_the_digest_is_that_of_the_local_run(survived, reference) -> None:
    output = _output(reference.process, reference.copy.root)
    assert reference.process.returncode == 0, output

    def digest(copy) -> str:
        sets = [word for change in CHANGES for word in ("--set", change)]
        done = copy.guidebench("digest", "--config", SMOKE, *sets)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert digest(survived.copy) == digest(reference.copy)


def test_more_time_and_more_memory_with_each_attempt(limits, cluster) -> None:
    output = _output(limits.process, limits.root)
    states: dict[str, list[str]] = {}
    for job in cluster.jobs():
        states.setdefault(job["comment"].removeprefix("rule_prepare_wildcards_"), []).append(
            job["state"]
        )
    assert states["late"] == ["TIMEOUT", "COMPLETED"]
    assert states["large"][0] == "FAILED"  # SLURM has no other word for it without cgroups
    assert states["large"][-1] == "COMPLETED"
    assert states["hopeless"] == ["FAILED"] * 3
    manifests = limits.root.glob("results/limits/*/data/manifest.json")
    assert {path.parent.parent.name for path in manifests} == {"late", "large"}
    # one clear line for the one that cannot work
    failed = [line for line in output.splitlines() if line.startswith("failed: ")]
    assert len(failed) == 1
    assert failed[0].startswith("failed: prepare hopeless: SLURM job ")
    assert "(over its memory limit), 3 attempts; log: " in failed[0]
    log = limits.root / failed[0].rpartition("log: ")[2]
    assert "exceeded memory limit" in log.read_text()
    assert limits.process.returncode != 0
    assert "Traceback" not in output


def test_another_slurm_is_refused(cluster, tmp_path: Path) -> None:
    """The harness itself: it does not start beside a SLURM, not even beside its own."""
    harness = Path(__file__).parent / "cluster.py"
    code = "import sys; from pathlib import Path; sys.path.insert(0, sys.argv[1]);"
    code += "from cluster import Cluster; Cluster(Path(sys.argv[2])).__enter__()"
    done = completed(sys.executable, "-c", code, harness.parent, tmp_path)
    assert done.returncode != 0
    assert "another guidebench test cluster runs on this machine" in done.stderr
