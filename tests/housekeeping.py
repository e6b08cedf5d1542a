"""pytest plugin: limits that follow the machine, one thread for each worker, nothing left running.

It is imported before torch, which reads the number of its threads once.
"""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from types import FrameType

import pytest
from patience import SPARE, patience, slowness
from processes import MARK, end, ended

from guidebench.pipeline import forkserver
from guidebench.pipeline.threads import POOLS

# also in a single process: results do not depend on how the tests are run
for _variable in POOLS:
    os.environ[_variable] = "1"

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


def pytest_report_header() -> str:
    return (
        f"machine: a small task takes {slowness():g} x the time of a good day; limits are "
        f"{SPARE * slowness():g} x that of one"
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Scale the limits of pytest-timeout, and begin with the smoke run.

    While one worker makes it, the others have tests that do without.
    """
    items.sort(key=lambda item: "finished" not in getattr(item, "fixturenames", ()))
    general = float(config.getini("timeout") or 0)
    for item in items:
        own = item.get_closest_marker("timeout")  # the nearest of several
        seconds = own.args[0] if own else general
        item.add_marker(pytest.mark.timeout(patience(seconds)), append=False)


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
