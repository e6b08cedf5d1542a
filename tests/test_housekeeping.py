"""The tests' own house: limits follow the machine, and what a test started ends with it."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
import torch
from housekeeping import in_stretches
from patience import SPARE, VARIABLE, patience, slowness, until
from processes import alive, ended

# a process that starts one in a session of its own, as a run does with its tracker
FAMILY = """
import os, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"],
                         start_new_session=True)
with open("pids", "w") as file:
    file.write(f"{os.getpid()} {child.pid}")
time.sleep(600)
"""
HEADER = """
import subprocess, sys, time
from pathlib import Path
import pytest
from checkouts import Checkout
from patience import until
def start():
    subprocess.Popen([sys.executable, "family.py"])
    until(lambda: Path("pids").is_file() and Path("pids").read_text(), "the family", 30)
"""
BODIES = {
    "passes": "def test_it(): start()",
    "fails": "def test_it():\n    start()\n    assert False",
    "is too late": "@pytest.mark.timeout(2)\ndef test_it():\n    start()\n    time.sleep(600)",
    "fails in a fixture": """
        @pytest.fixture(scope="module")
        def it():
            start()
            raise ValueError
        def test_it(it): pass""",
    "passes with a fixture": """
        @pytest.fixture(scope="module")
        def it(): start()
        def test_it(it): pass""",
    "has a command that is too late": """
        def test_it(): Checkout(Path.cwd()).command("family", timeout=3)""",
}


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Start pytest on a file of its own; the limits there are 1 x a good day's."""
    monkeypatch.setenv(VARIABLE, str(1 / SPARE))

    def start(body: str, *options: str) -> subprocess.Popen:
        (tmp_path / "test_it.py").write_text(HEADER + textwrap.dedent(body))
        (tmp_path / "family.py").write_text(FAMILY)
        (tmp_path / "pytest.ini").touch()
        command = [sys.executable, "-m", "pytest", "-p", "housekeeping", *options]
        path = os.pathsep.join([str(Path(__file__).parent), str(tmp_path), *sys.path])
        return subprocess.Popen(
            command,
            cwd=tmp_path,
            text=True,
            stdout=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": path},
        )

    return start


def gone(pids: Path) -> bool:
    """None is left, but for those whose exit code nobody asks for."""
    left = []
    for number in map(int, pids.read_text().split()):
        with suppress(psutil.NoSuchProcess):
            left.append(psutil.Process(number).status())
    return set(left) <= {psutil.STATUS_ZOMBIE}


@pytest.mark.parametrize(
    ("body", "workers"), [*((body, []) for body in BODIES), ("is too late", ["-n1"])]
)
def test_nothing_outlives_a_test_that(body: str, workers, session, tmp_path: Path) -> None:
    process = session(BODIES[body], *workers)
    output, _ = process.communicate(timeout=patience(60))
    assert process.returncode == (not body.startswith("passes")), output
    assert gone(tmp_path / "pids"), output


@pytest.mark.parametrize(
    ("number", "workers"), [(signal.SIGINT, []), (signal.SIGTERM, []), (signal.SIGTERM, ["-n1"])]
)
def test_nothing_outlives_a_session_that_is_ended(number, workers, session, tmp_path) -> None:
    fixture = "\n@pytest.fixture(scope='session')\ndef end():\n    yield\n    open('end', 'w')\n"
    process = session(f"{fixture}def test_it(end):\n    start()\n    time.sleep(600)", *workers)
    until(lambda: (tmp_path / "pids").is_file() and (tmp_path / "pids").read_text(), "the test")
    process.send_signal(number)
    if number == signal.SIGTERM:
        process.send_signal(number)  # as `timeout` does
    output, _ = process.communicate(timeout=patience(60))
    assert process.returncode == pytest.ExitCode.INTERRUPTED, output
    assert gone(tmp_path / "pids"), output
    assert workers or (tmp_path / "end").is_file()


def test_an_inner_block_ends_what_is_its_own() -> None:
    sleep = ["sleep", "600"]
    with ended() as outer:
        first = subprocess.Popen(sleep)
        with ended() as inner:
            assert inner.startswith(outer)
            second = subprocess.Popen(sleep)
            assert {process.pid for process in alive(outer)} == {first.pid, second.pid}
        assert second.wait(patience(5)) == -signal.SIGKILL
        assert first.poll() is None
    assert first.wait(patience(5)) == -signal.SIGKILL


def test_an_empty_environment_is_looked_at_again_only_of_a_young_process(monkeypatch) -> None:
    """Within exec it fills in a moment; SLURM's slurmscriptd has none as long as it lives."""
    waits: list[float] = []
    with subprocess.Popen(["sleep", "600"], env={}) as process:
        started = psutil.Process(process.pid)
        monkeypatch.setattr("processes.process_iter", lambda: [started])
        monkeypatch.setattr("processes.sleep", waits.append)
        monkeypatch.setattr("processes.patience", lambda seconds: seconds)
        for now, least in ((started.create_time() + 0.9, 1), (started.create_time() + 1.1, 0)):
            waits.clear()
            clock = iter([now, now + 1])
            monkeypatch.setattr("processes.time", lambda clock=clock: next(clock))
            assert alive("/mark") == []
            assert len(waits) == least
        process.kill()


def test_a_worker_has_one_thread() -> None:
    assert torch.get_num_threads() == 1
    code = "import torch; raise SystemExit(torch.get_num_threads())"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 1


def test_limits_are_those_of_a_slower_machine(request: pytest.FixtureRequest) -> None:
    assert slowness() >= 1
    assert patience(2) == 2 * SPARE * slowness()
    assert request.node.get_closest_marker("timeout").args == (patience(600),)


@pytest.mark.timeout(7)
def test_a_limit_of_its_own_is_scaled_too(request: pytest.FixtureRequest) -> None:
    assert request.node.get_closest_marker("timeout").args == (patience(7),)


def test_workers_begin_with_different_shared_things() -> None:
    fixtures = [[], ["executed"], [], ["finished", "tmp_path"], [], [], ["executed"], [], ["copy"]]
    items = [SimpleNamespace(fixturenames=names, place=n) for n, names in enumerate(fixtures)]
    for workers, order in ((2, [3, 0, 2, 4, 1, 6, 5, 7, 8]), (1, [3, 0, 2, 4, 5, 7, 8, 1, 6])):
        assert [item.place for item in in_stretches(items, workers)] == order


def test_a_wait_follows_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("patience.patience", lambda seconds: seconds)
    began = time.monotonic()
    passed = lambda: time.monotonic() - began  # noqa: E731
    # longer than the limit, but something changes all the time
    assert until(lambda: passed() > 1, "a second", 0.5, signs=lambda: passed() // 0.1)
    with pytest.raises(AssertionError, match="s for nothing: nothing happens"):
        until(lambda: False, "nothing", 0.2)
