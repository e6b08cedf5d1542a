"""Jobs as forks of one process: what a shell sees is what a process of its own would give."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import psutil
import pytest
import torch
from patience import patience
from processes import completed

from guidebench.pipeline import forkserver

T = TypeVar("T")

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="forks are used on Linux alone")
GUIDEBENCH = [sys.executable, "-m", "guidebench"]
# says where the server is, and keeps it until its standard input ends
HOLD = (
    "import os, sys; from guidebench.pipeline import forkserver;"
    "os.environ.pop(forkserver.ADDRESS, None);"
    "forkserver.LIBRARIES, forkserver.ASKING = sys.argv[1:], ();"
    "forkserver.start(1); print(os.environ[forkserver.ADDRESS], flush=True);"
    "sys.stdin.read()"
)


class Holder:
    """A process that started a server, as Snakemake does, and the environment of its jobs.

    The session's own server has all libraries; these have few, which are there sooner.
    """

    def __init__(self, *libraries: str) -> None:
        command = [sys.executable, "-c", HOLD, *libraries]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        self.process = subprocess.Popen(command, **pipes)
        assert self.process.stdout is not None
        self.environment = os.environ | {forkserver.ADDRESS: self.process.stdout.readline().strip()}
        self.server = psutil.Process(self.process.pid).children()[0]

    def waiting(self) -> tuple[subprocess.Popen[str], int]:
        """A command that waits for its standard input, and its fork."""
        client = subprocess.Popen(
            [*GUIDEBENCH, "validate", "--print-name", "--config", "/dev/stdin"],
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        return client, until(self._at_work)

    def _at_work(self) -> int | None:
        """The fork that runs a command; one of an earlier test may not be reaped yet."""
        for child in self.server.children():
            with suppress(OSError):
                if "guidebench" in Path(f"/proc/{child.pid}/comm").read_text():
                    return child.pid
        return None


@pytest.fixture(scope="module")
def held() -> Iterator[Holder]:
    """One for all that leave it alive."""
    holder = Holder(*forkserver.RESEEDED)
    yield holder
    holder.process.kill()


@pytest.fixture
def short_lived() -> Iterator[Holder]:
    """One to be killed."""
    holder = Holder()
    yield holder
    holder.process.kill()


def until(condition: Callable[[], T]) -> T:
    """Wait until it holds; what it answered."""
    end = time.monotonic() + patience(60)
    while not (answer := condition()):
        assert time.monotonic() < end
        time.sleep(0.05)
    return answer


def test_a_fork_is_as_good_as_a_process(repository, tmp_path, held):
    """Arguments, folder, streams, environment and exit code; one of a user's errors, too."""
    (tmp_path / "mine.yaml").write_text(
        f"base: {repository}/workflow/config/smoke.yaml\nname: my\n"
    )
    alone = {name: value for name, value in os.environ.items() if name != forkserver.ADDRESS}
    for words in (
        ["validate", "--config", "mine.yaml", "--set", "seed=3"],
        ["validate", "--config", "mine.yaml", "--set", "seed=x"],
        ["digest", "--config", "mine.yaml"],
        ["no-such-command"],
        [],
    ):
        fork, own = (
            completed(*GUIDEBENCH, *words, env=env, cwd=tmp_path)
            for env in (held.environment, alone)
        )
        assert (fork.returncode, fork.stdout, fork.stderr) == (
            own.returncode,
            own.stdout,
            own.stderr,
        )
    assert held.server.is_running()


def test_standard_input_reaches_the_fork(repository, held):
    client, fork = held.waiting()
    assert Path(f"/proc/{fork}/comm").read_text().strip() == "guidebench vali"  # 15 letters
    text = (repository / "workflow/config/smoke.yaml").read_text()
    assert client.communicate(text, timeout=patience(60)) == ("smoke\n", "")
    assert client.returncode == 0


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV])
def test_a_killed_fork_ends_its_command_the_same_way(held, number):
    client, fork = held.waiting()
    os.kill(fork, number)
    assert client.wait(patience(60)) == -number


def test_ctrl_c_is_the_forks(held):
    """A terminal sends it to all; the command waits for what its fork has to say."""
    client, fork = held.waiting()
    for pid in (client.pid, held.server.pid):
        os.kill(pid, signal.SIGINT)
    time.sleep(0.2)
    assert client.poll() is None
    os.kill(fork, signal.SIGINT)
    assert client.wait(patience(60)) == 1
    assert client.stderr is not None
    assert client.stderr.read().strip().endswith("KeyboardInterrupt")
    assert held.server.is_running()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_command_takes_its_fork_along(held, number):
    client, fork = held.waiting()
    client.send_signal(number)
    until(lambda: not psutil.pid_exists(fork))
    assert held.server.is_running()


@pytest.mark.parametrize("who", ["holder", "server"])
def test_nothing_outlives_who_started_it(short_lived, who):
    client, fork = short_lived.waiting()
    holder, server = short_lived.process, short_lived.server
    os.kill(holder.pid if who == "holder" else server.pid, signal.SIGKILL)
    assert client.wait(patience(60)) == 1
    assert client.stderr is not None
    assert "has ended, and they with it" in client.stderr.read()
    until(lambda: not psutil.pid_exists(fork))
    if who == "holder":
        with suppress(psutil.NoSuchProcess):
            server.wait(patience(60))


def test_a_server_that_has_ended_is_not_missed(short_lived):
    short_lived.process.kill()
    short_lived.server.wait(patience(60))
    done = completed(*GUIDEBENCH, "--help", env=short_lived.environment)
    assert done.returncode == 0
    assert "usage: guidebench" in done.stdout


def test_forks_draw_other_numbers(repository, held, tmp_path):
    """As processes do; a result depends on none of them, but a user's own method may."""
    (tmp_path / "guidebench_drawn.py").write_text(
        "import random, numpy, torch\nnothing = None\n"
        "raise RuntimeError(f'{random.random()} {numpy.random.rand()} {torch.rand(1).item()}')\n"
    )
    (tmp_path / "own.yaml").write_text(
        f"base: {repository}/workflow/config/smoke.yaml\nname: own\n"
    )
    own = "datasets.mnist.classifiers.judge.architecture=guidebench_drawn:nothing"
    words = [*GUIDEBENCH, "validate", "--config", "own.yaml", "--set", own]
    drawn = [completed(*words, env=held.environment, cwd=tmp_path).stderr for _ in range(2)]
    numbers = [set(re.findall(r"0\.\d+", line)) for line in drawn]
    assert [len(found) for found in numbers] == [3, 3], drawn
    assert not numbers[0] & numbers[1]


def test_the_libraries_start_no_thread_and_ask_for_no_gpu():
    """Neither works in a fork. CUDA's runtime opens the driver when it is first asked something."""
    code = (
        "import os, sys;"
        "from guidebench.pipeline.forkserver import ASKING, LIBRARIES, load;"
        "load(LIBRARIES);"
        "print(len(os.listdir('/proc/self/task')), *set(LIBRARIES) - set(sys.modules));"
        "print('ASKING', file=sys.stderr, flush=True);"
        "load(ASKING);"
        "print(len(os.listdir('/proc/self/task')), *set(ASKING) - set(sys.modules));"
    )
    variables = forkserver.environment(2) | {"OPENBLAS_NUM_THREADS": "1", "LD_DEBUG": "files"}
    done = subprocess.run([sys.executable, "-c", code], env=variables, capture_output=True)
    assert done.returncode == 0
    assert done.stdout.decode() == "1\n1\n"
    before, after = done.stderr.split(b"ASKING")
    asked = re.compile(rb"libcuda\.so\S* \[0\];\s+dynamically loaded by \S*libcudart")
    assert not asked.search(before)
    assert asked.search(after) or not torch.backends.cuda.is_built()
    assert variables["OMP_NUM_THREADS"] == "2"


def test_a_server_that_ends_before_it_forks_is_not_missed(tmp_path):
    """Whoever waits for it then imports for itself."""
    name = f"guidebench-1-{tmp_path}"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"\0{name}")
        listener.listen()
        client = subprocess.Popen(
            [*GUIDEBENCH, "--help"],
            env=os.environ | {forkserver.ADDRESS: name},
            stdout=subprocess.PIPE,
            text=True,
        )
        listener.accept()[0].close()
    assert "usage: guidebench" in client.communicate(timeout=patience(60))[0]
    assert client.returncode == 0
