"""Event files: whole lines for concurrent readers, whatever happened to the writer."""

import json
from pathlib import Path

import pytest

from guidebench.pipeline.records.events import Events, events_path, read


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return events_path(tmp_path / "exp", "sample", "a.selection-0")


def test_an_execution_from_start_to_end(path: Path) -> None:
    events = Events(path, "sample", "a.selection-0")
    events.start({"steps": 3}, {"stage": "sample"})
    events.metric(1, loss=0.5)
    events.progress(1, 2)
    events.artifact(path.parents[2] / "figures" / "x.png")
    events.end()
    found, offset = read(path)
    assert [event["event"] for event in found] == ["start", "metric", "progress", "artifact", "end"]
    assert {event["run"] for event in found} == {events.run}
    assert found[3]["path"] == "figures/x.png"
    assert found[-1]["status"] == "FINISHED"
    assert offset == path.stat().st_size


def test_progress_is_rate_limited_but_the_last_one_comes(path: Path) -> None:
    events = Events(path, "sample", "a")
    events.start({}, {})
    for done in range(1, 1001):
        events.progress(done, 1000)
    done = [event["done"] for event in read(path)[0] if event["event"] == "progress"]
    assert done == [1, 1000]


def test_a_torn_line_is_skipped_and_does_not_swallow_the_next_start(path: Path) -> None:
    Events(path, "sample", "a").start({}, {})
    with open(path, "a") as file:
        file.write('{"event": "metric", "ru')
    found, offset = read(path)
    assert [event["event"] for event in found] == ["start"]
    Events(path, "sample", "a").start({}, {})
    assert [event["event"] for event in read(path)[0]] == ["start", "start"]
    assert [event["event"] for event in read(path, offset)[0]] == ["start"]


def test_a_full_disk_does_not_stop_a_stage(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    events = Events(path, "sample", "a")
    events.start({}, {})

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.write", full)
    events.metric(1, loss=1.0)
    events.end()


def test_lines_are_json(path: Path) -> None:
    events = Events(path, "sample", "a")
    events.start({"nested": {"text": "two\nlines"}}, {})
    events.end("bad\nluck")
    assert all(json.loads(line) for line in path.read_text().splitlines())
