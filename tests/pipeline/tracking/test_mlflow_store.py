"""Event files into MLflow: complete, once, and never in the way."""

import os
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from patience import patience, until

from guidebench.pipeline.errors import UserError
from guidebench.pipeline.records import filesystem
from guidebench.pipeline.records.events import Events, events_path
from guidebench.pipeline.tracking import following
from guidebench.pipeline.tracking.mlflow_store import check, store, track
from guidebench.pipeline.tracking.server import server, ui


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


def test_an_experiment_deleted_by_hand_is_restored(results: Path, caplog) -> None:
    from mlflow.tracking import MlflowClient

    execution(results, "first").end()
    assert track(results, store(results), None) is None
    client = MlflowClient(tracking_uri=store(results))
    found = client.get_experiment_by_name("exp")
    client.delete_experiment(found.experiment_id)
    execution(results, "second").end()
    assert track(results, store(results), None) is None
    assert len(runs(results)[0]) == 2
    assert [r.getMessage() for r in caplog.records] == [
        "MLflow: experiment exp had been deleted; restored"
    ]


def test_failed_running_and_killed(results: Path) -> None:
    execution(results, "failed").end("data.root: missing")
    execution(results, "running")
    killed = (
        "import sys; sys.path[:0] = sys.argv[2:]; from test_mlflow_store import *;"
        "execution(Path(sys.argv[1]), 'killed'); os.kill(os.getpid(), 9)"
    )
    folders = [str(Path(__file__).parents[number]) for number in (0, 2)]
    done = subprocess.run([sys.executable, "-c", killed, str(results), *folders], check=False)
    assert done.returncode == -9
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
    sleep = f"import time; time.sleep({patience(120)})"
    with subprocess.Popen([sys.executable, "-c", sleep]) as process:
        command = [
            sys.executable,
            "-m",
            "guidebench.pipeline.tracking.mlflow_store",
            str(results),
            str(process.pid),
        ]
        with subprocess.Popen(command, env=os.environ) as follower:
            events.metric(4, loss=0.1)

            def both() -> bool:
                events.metric(5, loss=0.1)
                return len(runs(results)[0]) == 2

            until(both, "the run in the store", 60, every=0.5)
            status = {r.data.tags["dataset"]: r.info.status for r in runs(results)[0]}
            assert status == {"mnist": "FINISHED", "sportballs": "RUNNING"}
            events.end()
            process.kill()
            assert follower.wait(patience(60)) == 0
    status = {r.data.tags["dataset"]: r.info.status for r in runs(results)[0]}
    assert status == {"mnist": "FINISHED", "sportballs": "FINISHED"}


def test_a_locked_store_loses_nothing(results: Path, monkeypatch) -> None:
    monkeypatch.setattr(following, "BUSY_SECONDS", 0.2)
    execution(results).end()
    track(results, store(results), None)
    execution(results, "sportballs").end()
    lock = sqlite3.connect(results / "mlflow.db", check_same_thread=False)
    lock.execute("begin exclusive")
    release = threading.Timer(1.5, lock.rollback)
    release.start()
    track(results, store(results), None)
    release.join()
    track(results, store(results), None)
    assert len(runs(results)[0]) == 2


def test_an_unreachable_store_is_one_line(
    results: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setattr(following, "LAST_SYNC_SECONDS", 3.0)  # tried more than once
    execution(results).end()
    line = track(results, store(results), None)
    assert line is not None
    assert "\n" not in line
    assert "track" in line


def test_importing_the_tracker_is_light() -> None:
    code = (
        "import sys, guidebench.pipeline.tracking.mlflow_store; sys.exit('mlflow' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.fixture
def shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that the mounts say is on a network file system."""
    folder = tmp_path / "shared"
    folder.mkdir()
    (tmp_path / "mounts").write_text(f"/dev/sda1 / ext4 rw 0 0\nserver:/x {folder} nfs4 rw 0 0\n")
    monkeypatch.setattr(filesystem, "LINUX_MOUNTS", tmp_path / "mounts")
    return folder


@pytest.mark.parametrize(
    "form", ["sqlite:///{}", "sqlite:///{}?timeout=9", "sqlite+pysqlite:///{}"]
)
def test_sqlite_on_a_network_file_system_is_refused(shared: Path, form: str) -> None:
    with pytest.raises(UserError) as caught:
        check(form.format(shared / "results" / "mlflow.db"))
    line = str(caught.value)
    assert "\n" not in line
    for part in (
        f"{shared}/results/mlflow.db on nfs4",
        "a local disk",
        "make server",
        "MLFLOW_TRACKING_URI=http://",
        "MLFLOW_TRACKING_URI=sqlite:////",
    ):
        assert part in line


def test_a_relative_database_lies_in_the_working_folder(
    shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(shared)
    with pytest.raises(UserError, match=r"shared/mlflow.db on nfs4"):
        check("sqlite:///mlflow.db")
    check(f"sqlite:///{tmp_path}/mlflow.db")
    monkeypatch.chdir(tmp_path)
    check("sqlite:///mlflow.db")
    with pytest.raises(UserError, match=r"shared/mlflow.db on nfs4"):
        check("sqlite:///shared/mlflow.db")


@pytest.mark.parametrize("uri", ["http://login1:5000", "https://login1", "postgresql://u@h/db"])
def test_other_stores_are_free_of_it(shared: Path, monkeypatch, uri: str) -> None:
    monkeypatch.chdir(shared)
    check(uri)


def test_pages_and_server_are_refused_there_too(shared: Path, monkeypatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    with pytest.raises(UserError, match=r"shared/mlflow.db on nfs4"):
        ui(shared, store(shared), 0)
    with pytest.raises(UserError, match=r"shared/mlserver.db on nfs4"):
        server(shared, "127.0.0.1", 0)


def test_a_taken_port_is_one_line(results: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        for serve in (
            lambda: ui(results, store(results), port),
            lambda: server(results, "127.0.0.1", port),
        ):
            with pytest.raises(UserError, match=r"^--port: .*already in use; allowed: .*$"):
                serve()
    assert not results.exists()


@pytest.mark.parametrize(
    ("named", "database"),
    [
        (None, "sqlite:///{}/results/mlserver.db"),
        ("http://login1:5000", "sqlite:///{}/results/mlserver.db"),
        ("sqlite:////var/tmp/mlflow.db", "sqlite:////var/tmp/mlflow.db"),
        ("postgresql://user@host/mlflow", "postgresql://user@host/mlflow"),
    ],
)
def test_what_the_server_is_started_with(
    results: Path, monkeypatch: pytest.MonkeyPatch, named: str | None, database: str
) -> None:
    from mlflow.server.security_utils import is_allowed_host_header, should_block_cors_request

    started = []
    monkeypatch.setattr(os, "execve", lambda *arguments: started.append(arguments))
    monkeypatch.setattr(socket, "gethostname", lambda: "Login1.cluster")
    monkeypatch.setattr(socket, "getfqdn", lambda: "login1.example.org")
    if named:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", named)
    server(results, "127.0.0.1", 0)
    ((_, command, environment),) = started
    option = dict(zip(command[4::2], command[5::2], strict=True))
    assert option["--backend-store-uri"] == database.format(results.parent)
    assert option["--workers"] == "1"
    assert environment["DO_NOT_TRACK"] == "true"
    hosts = environment["MLFLOW_SERVER_ALLOWED_HOSTS"].split(",")
    for name in ("login1", "login1.cluster", "login1.example.org", "localhost", "127.0.0.1"):
        assert is_allowed_host_header(hosts, f"{name}:5000"), name
    assert not is_allowed_host_header(hosts, "rebound.example.org:5000")
    origins = environment["MLFLOW_SERVER_CORS_ALLOWED_ORIGINS"].split(",")
    assert not should_block_cors_request("http://login1:0", "POST", origins)
    assert should_block_cors_request("http://rebound:0", "POST", origins)


def test_the_user_may_name_other_hosts(results: Path, monkeypatch) -> None:
    started = []
    monkeypatch.setattr(os, "execve", lambda *arguments: started.append(arguments))
    monkeypatch.setenv("MLFLOW_SERVER_ALLOWED_HOSTS", "alias:*")
    server(results, "127.0.0.1", 0)
    assert started[0][2]["MLFLOW_SERVER_ALLOWED_HOSTS"] == "alias:*"


@pytest.fixture
def address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A tracking server that runs, and is gone with all its processes afterwards."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    code = (
        "import sys; from pathlib import Path;"
        "from guidebench.pipeline.tracking.server import server;"
        "server(Path(sys.argv[1]), '127.0.0.1', int(sys.argv[2]))"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "server"), str(port)]
    with open(tmp_path / "server.log", "w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
    family = [psutil.Process(process.pid)]
    try:
        deadline = time.monotonic() + patience(120)
        while answer(f"http://127.0.0.1:{port}/health") != 200:
            alive = process.poll() is None and time.monotonic() < deadline
            assert alive, (tmp_path / "server.log").read_text()
            time.sleep(0.1)
        family += family[0].children(recursive=True)
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    assert psutil.wait_procs(family, timeout=patience(10))[1] == []


def answer(url: str, body: bytes | None = None, **headers: str) -> int:
    """Status of a request, 0 if nobody answers."""
    try:
        request = urllib.request.Request(url, body, headers)
        with urllib.request.urlopen(request, timeout=patience(10)) as found:
            return found.status
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


def test_two_nodes_at_once_through_a_server(tmp_path: Path, address: str) -> None:
    from mlflow.tracking import MlflowClient

    trackers = []
    for node in ("one", "two"):
        results = tmp_path / node  # no path in common with the server's
        events = Events(events_path(results / node, "train_denoiser", node), "train_denoiser", node)
        events.start({"steps": 3}, {"dataset": node})
        for step in (1, 2, 3):
            events.metric(step, loss=1 / step)
        (results / node / "plots").mkdir()
        (results / node / "plots" / "figure.png").write_text(node)
        events.artifact(results / node / "plots" / "figure.png")
        events.end()
        code = (
            "import sys; from pathlib import Path;"
            "from guidebench.pipeline.tracking.mlflow_store import track;"
            "sys.exit(track(Path(sys.argv[1]), sys.argv[2], None))"
        )
        trackers.append(subprocess.Popen([sys.executable, "-c", code, str(results), address]))
    assert [tracker.wait(patience(120)) for tracker in trackers] == [0, 0]

    client = MlflowClient(tracking_uri=address)
    experiments = {e.name: e for e in client.search_experiments() if e.name != "Default"}
    assert set(experiments) == {"one", "two"}
    for experiment in experiments.values():
        (run,) = client.search_runs([experiment.experiment_id])
        assert run.info.status == "FINISHED"
        assert run.data.params == {"steps": "3"}
        history = client.get_metric_history(run.info.run_id, "loss")
        assert [(m.step, m.value) for m in history] == [(1, 1.0), (2, 0.5), (3, 1 / 3)]
        assert [file.path for file in client.list_artifacts(run.info.run_id, "plots")] == [
            "plots/figure.png"
        ]
    stored = (tmp_path / "server" / "mlartifacts").rglob("plots/figure.png")
    assert sorted(path.read_text() for path in stored) == ["one", "two"]
    assert not list(tmp_path.glob("*/mlflow.db"))

    # by this machine's name, as other nodes and their browsers would; by no other
    search, name = f"{address}/api/2.0/mlflow/experiments/search", socket.gethostname()
    sent = {"url": search, "body": b'{"max_results": 1}', "Content-Type": "application/json"}
    port = address.rpartition(":")[2]
    assert answer(**sent, Host=f"{name}:{port}", Origin=f"http://{name.lower()}:{port}") == 200
    assert answer(**sent, Host=f"rebound.example.org:{port}") == 403
    assert answer(**sent, Origin=f"http://rebound.example.org:{port}") == 403
