"""How often a preview is written beside a run, and when that ends."""

import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from guidebench.pipeline.errors import UserError
from guidebench.pipeline.jobs.layout import Layout
from guidebench.pipeline.jobs.listing import manifest
from guidebench.pipeline.jobs.stages import first_scored
from guidebench.pipeline.run import previews


class Clock:
    """Time that passes in sleep, and the seconds of the processor that previews take."""

    def __init__(self, cost: float, until: float) -> None:
        self.now, self.cost, self.until, self.spent = 0.0, cost, until, 0.0
        self.written: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def write(self) -> bool:
        self.written.append(self.now)
        self.spent += self.cost
        self.now += self.cost
        if len(self.written) == 2:
            raise UserError("manifest.json: missing")  # a job that runs again
        return True


@pytest.fixture
def handlers() -> Iterator[None]:
    kept = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in kept.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("handlers")
@pytest.mark.parametrize(("cost", "minutes"), [(0.5, 17), (5.0, 17), (10.0, 9), (5.0, 600)])
def test_previews_come_soon_and_cost_little(
    cost: float, minutes: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(cost, minutes * 60)
    monkeypatch.setattr(previews.time, "monotonic", lambda: clock.now)
    monkeypatch.setattr(previews.time, "process_time", lambda: clock.spent)
    monkeypatch.setattr(previews.time, "sleep", clock.sleep)
    monkeypatch.setattr(previews, "process_alive", lambda process: clock.now < clock.until)
    monkeypatch.setattr(previews, "_preview", lambda *arguments: clock)
    config: Any = SimpleNamespace(datasets={})
    previews.follow(config, Layout(tmp_path, "x"), 1)
    assert clock.written[0] < 40
    # once more before three minutes are over, unless one takes ten seconds
    assert (clock.written[1] < 180) == (cost < 10)
    # of both cores, the last one not counted that the end cuts short
    assert clock.spent - cost < 0.03 * 2 * clock.until
    assert len(clock.written) < 60


@pytest.mark.usefixtures("handlers")
def test_first_numbers_are_shown_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, edited
) -> None:
    """Of each data set, in the time of the previews that follow."""
    config, layout, clock = edited({}), Layout(tmp_path, "x"), Clock(4.0, 600)
    times = {"sportballs": 150, "mnist": 300}

    def sleep(seconds: float) -> None:
        clock.sleep(seconds)
        for dataset, when in times.items():
            for job in first_scored(config, dataset):
                path = manifest(layout, job)
                if clock.now >= when and not path.is_file():
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_text("{}")

    monkeypatch.setattr(previews.time, "monotonic", lambda: clock.now)
    monkeypatch.setattr(previews.time, "process_time", lambda: clock.spent)
    monkeypatch.setattr(previews.time, "sleep", sleep)
    monkeypatch.setattr(previews, "process_alive", lambda process: clock.now < clock.until)
    monkeypatch.setattr(previews, "_preview", lambda *arguments: clock)
    previews.follow(config, layout, 1)
    for when in times.values():
        assert min(abs(written - when) for written in clock.written if written >= when) <= 4
    assert clock.spent - 4 < 0.05 * 600


def test_a_file_that_goes_meanwhile_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Gone:
        def write(self) -> bool:
            (tmp_path / "cell.npz").read_bytes()
            return True

    monkeypatch.setattr(previews, "_preview", lambda *arguments: Gone())
    config: Any = None
    with pytest.raises(UserError, match=r"x: found a file .* \(.*cell\.npz'\), allowed: results"):
        previews.once(config, Layout(tmp_path, "x"))


@pytest.mark.usefixtures("handlers")
def test_what_ends_the_process_ends_it_quietly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ended(seconds: float) -> None:
        signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(previews.time, "sleep", ended)
    monkeypatch.setattr(previews, "process_alive", lambda process: True)
    config: Any = SimpleNamespace(datasets={})
    previews.follow(config, Layout(tmp_path, "x"), 1)


def test_it_is_started_with_the_runs_own_arguments(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = []
    monkeypatch.setattr(previews.subprocess, "Popen", lambda command, **_: started.append(command))
    monkeypatch.setattr(previews.os, "getpid", lambda: 7)
    previews.start(Layout(tmp_path, "x"), "--config 'my config.yaml' --set seed=3")
    own = ["--config", "my config.yaml", "--set", "seed=3", "--watch", "7"]
    assert started == [[sys.executable, "-m", "guidebench", "preview", *own]]
    assert (tmp_path / "x/logs/preview.log").is_file()
