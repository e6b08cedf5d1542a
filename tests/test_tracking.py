"""Event files into MLflow: complete, once, and never in the way."""

import os
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from guidebench.events import Events, events_path
from guidebench.tracking import store, track


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return tmp_path / "results"


def execution(results: Path, job: str = "mnist", steps: int = 3) -> Events:
    events = Events(events_path(results / "exp", "train_denoiser", job), "train_denoiser", job)
    events.start({"denoiser": {"steps": steps}}, {"stage": "train_denoiser", "dataset": job})
    for step in range(1, steps + 1):
        events.metric(step, loss=1 / step)
    return events


def runs(results: Path):
    from mlflow.tracking import MlflowClient

    client = MlflowClient(tracking_uri=store(results))
    (experiment,) = [e for e in client.search_experiments() if e.name == "exp"]
    found = client.search_runs([experiment.experiment_id])
    losses = {r.info.run_id: client.get_metric_history(r.info.run_id, "loss") for r in found}
    return found, losses


def test_a_finished_execution_once_however_often_it_is_synced(results: Path) -> None:
    events = execution(results)
    (results / "exp" / "figure.png").write_bytes(b"png")
    events.artifact(results / "exp" / "figure.png")
    events.end()
    for _ in range(2):
        assert track(results, store(results), None) is None
    ((run,), losses) = runs(results)
    assert run.info.status == "FINISHED"
    assert run.data.params["denoiser.steps"] == "3"
    assert run.data.tags["dataset"] == "mnist"
    assert [(m.step, m.value) for m in losses[run.info.run_id]] == [(1, 1.0), (2, 0.5), (3, 1 / 3)]
    assert list((results / "mlartifacts").rglob("figure.png"))


def test_failed_running_and_killed(results: Path) -> None:
    execution(results, "failed").end("data.root: missing")
    execution(results, "running")
    killed = "import sys; sys.path.insert(0, sys.argv[2]); from test_tracking import *;" \
        "execution(Path(sys.argv[1]), 'killed'); os.kill(os.getpid(), 9)"  # fmt: skip
    subprocess.run(
        [sys.executable, "-c", killed, str(results), str(Path(__file__).parent)], check=False
    )
    track(results, store(results), None)
    found, _ = runs(results)
    status = {run.data.tags["dataset"]: run.info.status for run in found}
    assert status == {"failed": "FAILED", "running": "RUNNING", "killed": "KILLED"}
    (failed,) = [run for run in found if run.info.status == "FAILED"]
    assert failed.data.tags["error"] == "data.root: missing"


def test_the_store_can_be_rebuilt_from_the_files(results: Path) -> None:
    execution(results).end()
    track(results, store(results), None)
    (results / "mlflow.db").unlink()
    track(results, store(results), None)
    ((run,), losses) = runs(results)
    assert len(losses[run.info.run_id]) == 3


def test_a_run_is_visible_while_it_goes_on(results: Path) -> None:
    execution(results).end()
    track(results, store(results), None)
    events = execution(results, "sportballs")
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as process:
        command = [sys.executable, "-m", "guidebench.tracking", str(results), str(process.pid)]
        with subprocess.Popen(command, env=os.environ) as follower:
            events.metric(4, loss=0.1)
            deadline = time.monotonic() + 60
            while len(runs(results)[0]) < 2 and time.monotonic() < deadline:
                time.sleep(0.5)
                events.metric(5, loss=0.1)
            status = {r.data.tags["dataset"]: r.info.status for r in runs(results)[0]}
            assert status == {"mnist": "FINISHED", "sportballs": "RUNNING"}
            events.end()
            process.kill()
            assert follower.wait(60) == 0
    status = {r.data.tags["dataset"]: r.info.status for r in runs(results)[0]}
    assert status == {"mnist": "FINISHED", "sportballs": "FINISHED"}


def test_a_locked_store_loses_nothing(results: Path) -> None:
    execution(results).end()
    track(results, store(results), None)
    execution(results, "sportballs").end()
    lock = sqlite3.connect(results / "mlflow.db", check_same_thread=False)
    lock.execute("begin exclusive")
    release = threading.Timer(4, lock.rollback)
    release.start()
    track(results, store(results), None)
    release.join()
    track(results, store(results), None)
    assert len(runs(results)[0]) == 2


def test_an_unreachable_store_is_one_line(
    results: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    execution(results).end()
    line = track(results, store(results), None)
    assert line is not None
    assert "\n" not in line
    assert "track" in line
