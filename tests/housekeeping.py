"""pytest plugin: limits that follow the machine, one thread for each worker, nothing left running.

It is imported before torch, which reads the number of its threads once.
"""

import gc
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from types import FrameType

import pytest
from patience import SPARE, patience, slowness
from processes import MARK, end, ended

from guidebench.pipeline import forkserver
from guidebench.pipeline.threads import POOLS

# compiling the libraries takes as long as running them: once for all processes
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False
# no power is cut in a test, and most of a small file's time is that of bringing it to the disk
os.fsync = lambda _: None
# also in a single process: results do not depend on how the tests are run
for _variable in POOLS:
    os.environ[_variable] = "1"

# fixtures that one worker makes for all, in a minute or more
SHARED = ("finished", "executed")

_session = ExitStack()


def pytest_configure(config: pytest.Config) -> None:
    # before xdist starts its workers: they inherit both
    slowness()
    # one for all commands of all workers: they are forks, as a run's jobs are, and Snakemake is
    # one, too. It has no mark, and ends with this process
    forkserver.start(1, "snakemake.cli")
    _session.enter_context(ended())
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _interrupt)
        # a shell that started this in the background lets it, and all that it starts, ignore Ctrl-C
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _interrupt(*_: int | FrameType | None) -> None:
    """SIGTERM ends the session with its fixtures' clean-up, as Ctrl-C does; `timeout` sends two."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise KeyboardInterrupt


def pytest_unconfigure() -> None:
    _session.close()
    gc.unfreeze()  # of tiny.warm: libraries say what was never collected


def pytest_report_header() -> str:
    return (
        f"machine: a small task takes {slowness():g} x the time of a good day; limits are "
        f"{SPARE * slowness():g} x that of one"
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Scale the limits of pytest-timeout, and order the tests by what they share."""
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", 1))
    items[:] = in_stretches(items, workers)
    general = float(config.getini("timeout") or 0)
    for item in items:
        own = item.get_closest_marker("timeout")  # the nearest of several
        seconds = own.args[0] if own else general
        item.add_marker(pytest.mark.timeout(patience(seconds)), append=False)


def in_stretches(items: list[pytest.Item], workers: int) -> list[pytest.Item]:
    """The tests in another order: each worker is given a stretch of it.

    The first begins with the smoke run, the second with the traced experiment: while one of them
    makes its own, the others have tests that do without.
    """
    groups: dict[str, list[pytest.Item]] = {name: [] for name in (*SHARED, "")}
    for item in items:
        fixtures = getattr(item, "fixturenames", ())
        groups[next((name for name in SHARED if name in fixtures), "")].append(item)
    finished, executed, others = groups.values()
    before = max(0, len(items) // workers - len(finished))
    return [*finished, *others[:before], *executed, *others[before:]]


def pytest_collection_finish() -> None:
    # where a test writes two texts of a module, of one size, within a second, Python would take the
    # bytecode of the first for that of the second
    sys.dont_write_bytecode = True


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Iterator[None]:
    """What a test's body starts does not outlive it; fixtures end what is theirs."""
    with ended():
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> Iterator[None]:
    """What a module's fixtures start does not outlive the module; those of a session start none."""
    try:
        return (yield)
    finally:
        if nextitem is None or nextitem.getparent(pytest.Module) is not item.getparent(
            pytest.Module
        ):
            end(os.environ[MARK])
