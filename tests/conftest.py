import copy
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from guidebench.pipeline import forkserver
from guidebench.pipeline.experiment.config import Config
from guidebench.pipeline.records.events import Events

REPOSITORY = Path(__file__).parents[1]
pytest_plugins = ["housekeeping", "demo_report"]


@pytest.fixture(scope="session")
def repository() -> Path:
    return REPOSITORY


@pytest.fixture(scope="session")
def data_root() -> Path:
    root = Path(os.environ.get("GUIDEBENCH_DATA", REPOSITORY.parent / "shared" / "data"))
    if not root.is_dir():
        pytest.skip(f"no real data at {root}; GUIDEBENCH_DATA names its folder")
    return root.resolve()


@pytest.fixture(scope="session")
def _smoke() -> str:
    values = yaml.safe_load((REPOSITORY / "workflow/config/smoke.yaml").read_text())
    return json.dumps(values)  # resolves the anchors: an edit has one place


@pytest.fixture
def smoke(_smoke: str) -> dict[str, Any]:
    """The smoke experiment as plain values, free to edit."""
    values: dict[str, Any] = json.loads(_smoke)
    return values


@pytest.fixture
def edited(smoke: dict[str, Any]) -> Callable[..., Config]:
    """A config with some keys of the smoke experiment replaced: edited({("seed",): 1})."""

    def make(edits: dict[tuple[str, ...], Any]) -> Config:
        values = copy.deepcopy(smoke)
        for path, value in edits.items():
            put(values, path, value)
        return Config.model_validate_json(json.dumps(values))

    return make


DELETE = object()


def put(values: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
    """Replace, add or (DELETE) remove one key."""
    for key in path[:-1]:
        values = values.setdefault(key, {})
    if value is DELETE:
        del values[path[-1]]
    else:
        values[path[-1]] = value


@pytest.fixture
def events(tmp_path: Path) -> Events:
    """Of a training that has started."""
    started = Events(tmp_path / "results/x/events/train/job.jsonl", "train", "job")
    started.start({}, {})
    return started


@pytest.fixture
def own_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands are processes, and a run has a fork server of its own, as outside of the tests."""
    monkeypatch.delenv(forkserver.ADDRESS, raising=False)


@pytest.fixture
def slurm_queue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Commands that behave like SLURM's on a list of jobs in a file."""
    jobs = tmp_path / "jobs"
    binaries = tmp_path / "bin"
    binaries.mkdir()
    scripts = {
        "squeue": f'cat "{jobs}"',
        "scancel": f'echo "$@" >> "{jobs}.cancelled"; : > "{jobs}"',
    }
    for name, body in scripts.items():
        (binaries / name).write_text(f"#!/bin/sh\n{body}\n")
        (binaries / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{binaries}{os.pathsep}{os.environ['PATH']}")
    return jobs
