"""Where a ball lies and how large it is: the truth that is learnt, and how well it is."""

from pathlib import Path

import numpy as np
import pytest
import torch

from guidebench.data.sportballs import draw
from guidebench.data.store import Stored, to_float, write
from guidebench.pipeline import recording
from guidebench.pipeline.experiment.sections import Attributes, SportBallsData
from guidebench.pipeline.records.checkpoint import Checkpoint
from guidebench.pipeline.records.events import Events
from guidebench.stages.attributes import NAMES, true
from guidebench.train.regressor import train

OPTIONS = SportBallsData(
    source="sportballs", size=32, canvas=64, poses=4, scale=(0.4, 0.7), rotation="in_plane"
)


def test_the_truth_is_what_the_pixels_show(tmp_path: Path) -> None:
    """Centre and width of what is not white, in pixels from the upper left corner."""
    data = draw(OPTIONS, 24, 0)
    write(data, tmp_path)
    known = true(tmp_path, OPTIONS.size)
    for image, (x, y, diameter) in zip(data.images, known, strict=True):
        inside = image.min(axis=0) < 250
        for axis, centre in ((0, x), (1, y)):
            places = np.flatnonzero(inside.any(axis=axis))
            assert (places[0] + places[-1] + 1) / 2 == pytest.approx(centre, abs=0.8)
            assert len(places) == pytest.approx(diameter, abs=2.0)
    assert known[:, :2].min() > 5


def test_it_learns_them_to_a_fraction_of_a_pixel(tmp_path: Path) -> None:
    data, held_out = draw(OPTIONS, 1500, 0), draw(OPTIONS, 300, 1)
    folders = {}
    for name, one in (("train", data), ("held_out", held_out)):
        write(one, folder := tmp_path / name)
        folders[name] = true(folder, OPTIONS.size)
    events = Events(tmp_path / "results/x/events/attributes/job.jsonl", "attributes", "job")
    events.start({}, {})
    with recording.apart():
        model, history = train(
            Stored(data.images, data.labels, data.classes),
            folders["train"],
            Attributes(steps=400),
            0,
            Checkpoint(tmp_path / "state.pt", tmp_path),
            events,
            torch.device("cpu"),
        )
    found = model(to_float(held_out.images)).numpy()
    errors = np.sqrt(((found - folders["held_out"]) ** 2).mean(axis=0))
    spread = folders["held_out"].std(axis=0)
    assert len(errors) == len(NAMES)
    assert (errors < 0.7).all(), errors
    assert (errors < 0.35 * spread).all(), errors
    assert history[-1]["loss"] < 0.1
