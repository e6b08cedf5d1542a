"""An experiment guided and judged by what somebody else trained, from files to the report."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from drawn import bases, settled
from model_edits import Edit
from test_drawn import run
from tiny import warm
from weight_files import prefixed, torchvision_model, write_content

from guidebench.pipeline.jobs import freshness
from guidebench.pipeline.jobs.layout import Job, Layout
from guidebench.pipeline.jobs.listing import provenance
from guidebench.pipeline.records.artifacts import read_json, sha256

CLEAN = ("datasets", "balls", "classifiers", "clean")
GUIDE, SCALE = Job("train_classifier", "balls", "clean"), 10.0


def _weights(path: Path, name: str, outputs: int) -> str:
    state = torchvision_model(name, outputs).state_dict()
    return str(write_content(path, {"state_dict": prefixed(state, "classifier.")}))


@pytest.fixture(scope="module")
def edits(tmp_path_factory: pytest.TempPathFactory) -> list[Edit]:
    warm()
    folder = tmp_path_factory.mktemp("files")
    guide: dict[str, Any] = {
        "architecture": "mobilenet_v3_small",
        "checkpoint": _weights(folder / "guide.pth", "mobilenet_v3_small", 10),
        "outputs": [3, 8, 1, 0],
        "mean": [0.485, 0.456, 0.406],
        "std": [0.229, 0.224, 0.225],
        "input_size": 32,
    }
    judge = {
        "architecture": "squeezenet1_1",
        "checkpoint": _weights(folder / "judge.pth", "squeezenet1_1", 4),
        "half": "second",
        "input_size": 32,
    }
    setup = {"guidance": "classifier", "classifier": "clean", "input": "x0", "scales": [SCALE]}
    return [
        Edit(CLEAN, guide),
        Edit((*CLEAN[:3], "judge"), judge),
        Edit(("datasets", "balls", "setups", "clean/x0"), setup),
    ]


def test_it_ends_in_a_report_and_follows_the_files(edits: list[Edit], tmp_path: Path) -> None:
    base = bases(tmp_path)["balls"]
    results = tmp_path / "results"
    layout = run(base, edits, results)
    assert layout.report.is_file()
    config, fitting = settled(base, edits, results / "experiment.json")
    assert fitting == edits
    path = Path(str(config.datasets["balls"].classifiers["clean"].checkpoint))
    folder = layout.classifier("balls", "clean")
    assert sorted(file.name for file in folder.iterdir()) == [
        "config.json",
        "manifest.json",
        "metrics.json",
        "model.safetensors",
        "provenance.json",
    ]
    entry = read_json(provenance(layout, GUIDE))
    assert entry["inputs"]["external files: checkpoint"] == sha256(path)
    assert read_json(folder / "metrics.json")["n"] == 160
    _tables(layout)
    _staleness(config, layout, path, results)


def _tables(layout: Layout) -> None:
    table = pd.read_parquet(layout.tables / "classifiers.parquet").set_index("classifier")
    assert table.architecture.to_dict() == {
        "judge": "squeezenet1_1 (a checkpoint)",
        "clean": "mobilenet_v3_small (a checkpoint)",
    }
    history = pd.read_parquet(layout.tables / "history.parquet")
    assert set(history.model) == {"denoiser"}
    along = pd.read_parquet(layout.tables / "sensitivity.parquet")
    assert set(along.classifier) == {"clean"}
    assert set(along.input) == {"raw", "x0"}
    assert along["mean"].notna().all()
    samples = layout.samples("balls")
    cells = [samples / "unguided", *samples.glob("clean/x0/scale-*")]
    images = [np.load(next(cell.rglob("evaluation-0.npz")))["images"] for cell in cells]
    assert not np.array_equal(*images)
    results = pd.read_csv(layout.tables / "results.csv")
    assert {"accuracy_clean", "accuracy_judge", "cfd_judge"} <= set(results.metric)


def _staleness(config: Any, layout: Layout, path: Path, results: Path) -> None:
    """A file of the same name and size runs what used it; the same one elsewhere nothing."""
    assert freshness.stale(config, layout) == {}
    old = path.read_bytes()
    path.write_bytes(old[:-1] + bytes([old[-1] ^ 1]))
    found = freshness.stale(config, layout)
    assert found.pop(GUIDE) == "what it reads has changed"
    assert Job("train_denoiser", "balls") not in found
    assert Job("sensitivity", "balls", "clean") in found
    path.write_bytes(old)
    values = json.loads((results / "experiment.json").read_text())
    moved = path.rename(results / "another.pth")
    values["datasets"]["balls"]["classifiers"]["clean"]["checkpoint"] = str(moved)
    there = type(config).model_validate_json(json.dumps(values))
    assert freshness.stale(there, layout) == {}
