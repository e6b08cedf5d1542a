"""Of which numbers of a ball a network is trained: of those that vary."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from guidebench import workload
from guidebench.data.sportballs import draw
from guidebench.data.store import write
from guidebench.pipeline import recording
from guidebench.pipeline.errors import UserError
from guidebench.pipeline.experiment.sections import Attributes, SportBallsData
from guidebench.pipeline.records.checkpoint import Checkpoint
from guidebench.pipeline.records.events import Events
from guidebench.stages import attributes
from guidebench.stages.attributes import TURN


def read(folder: Path, monkeypatch: pytest.MonkeyPatch, **keys: Any) -> dict[str, float]:
    """What the stage reads of held-out balls drawn so, and its error."""
    keys = {"size": 16, "canvas": 16, "poses": 1, "rotation": "in_plane"} | keys
    options = SportBallsData(source="sportballs", **keys)
    for seed, name in enumerate(("train", "validation")):
        write(draw(options, 64, seed), folder / name)
    for name in ("evaluated", "cells"):
        monkeypatch.setattr(workload, name, lambda *_: [])
    events = Events(folder / "results/x/events/attributes/job.jsonl", "attributes", "job")
    events.start({}, {})
    stage: Any = SimpleNamespace(
        config=None,
        job=SimpleNamespace(dataset="d"),
        layout=SimpleNamespace(data=lambda _: folder, attributes=lambda _: folder),
        options=SimpleNamespace(data=options, attributes=Attributes(steps=20, batch_size=16)),
        use=lambda *_: {},
        resume=lambda: Checkpoint(folder / "state.pt", folder),
        seed=lambda *_: 0,
        events=events,
        device=torch.device("cpu"),
        finish=lambda files: None,
    )
    with recording.apart():
        attributes.run(stage)
    table = pd.read_parquet(folder / "attributes.parquet")
    assert (table["values"].map(len) == 64).all()
    return dict(zip(table.attribute, table.error, strict=True))


@pytest.mark.parametrize(
    ("keys", "names"),
    [
        ({}, ["x", "y", "diameter", *TURN]),
        ({"diameters": [6]}, ["x", "y", *TURN]),
        ({"diameters": [6], "offsets": (3, 3)}, [*TURN]),
        ({"diameters": [6], "rotation": "3d"}, ["x", "y"]),
        ({"scale": (0.5, 0.5000001)}, ["x", "y", *TURN]),
    ],
)
def test_what_never_varies_is_left_out(
    keys: dict[str, Any], names: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = read(tmp_path, monkeypatch, **keys)
    assert list(found) == names
    assert np.isfinite(list(found.values())).all()


def test_balls_that_are_all_alike_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alike = {"scale": (0.5, 0.5000001), "offsets": (3, 3), "rotation": "3d"}
    with pytest.raises(
        UserError, match=r"^datasets\.d\.attributes: found a section, allowed: null"
    ):
        read(tmp_path, monkeypatch, **alike)
