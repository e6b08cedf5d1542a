"""Where a ball lies, how large and how turned it is: the truth that is learnt, and how well."""

from pathlib import Path

import numpy as np
import pytest
import torch

from guidebench.base.choices import BALL_NUMBERS
from guidebench.data.dataset import DataSet
from guidebench.data.sportballs import draw, turned, uniform_quaternions
from guidebench.data.store import Stored, to_float, write
from guidebench.pipeline import recording
from guidebench.pipeline.experiment.sections import Attributes, SportBallsData
from guidebench.pipeline.records.checkpoint import Checkpoint
from guidebench.pipeline.records.events import Events
from guidebench.stages.attributes import TURN, true
from guidebench.train.regressor import train

OPTIONS = SportBallsData(
    source="sportballs", size=32, canvas=64, poses=4, scale=(0.4, 0.7), rotation="in_plane"
)


def test_the_truth_is_what_the_pixels_show(tmp_path: Path) -> None:
    """Centre and width of what is not white, in pixels from the upper left corner."""
    data = draw(OPTIONS, 24, 0)
    write(data, tmp_path)
    known = true(tmp_path, OPTIONS.size, True)
    assert known.shape == (24, len(BALL_NUMBERS) + len(TURN))
    for image, (x, y, diameter) in zip(data.images, known[:, :3], strict=True):
        inside = image.min(axis=0) < 250
        for axis, centre in ((0, x), (1, y)):
            places = np.flatnonzero(inside.any(axis=axis))
            assert (places[0] + places[-1] + 1) / 2 == pytest.approx(centre, abs=0.8)
            assert len(places) == pytest.approx(diameter, abs=2.0)
    assert known[:, :2].min() > 5


def test_a_turn_turns_the_truth(tmp_path: Path) -> None:
    """The same ball by another angle: the truth's point on the circle goes round by it."""
    pose = uniform_quaternions(np.random.default_rng(0).random((1, 3)))
    angles = np.array([0.0, 0.3, np.pi, 5.0])
    extra = {"centre": np.zeros((4, 2)), "scale": np.ones(4)}
    extra["rotation"] = turned(pose.repeat(4, axis=0), angles)
    write(DataSet(np.zeros((4, 3, 8, 8), np.uint8), np.zeros(4, np.int64), ["a"], extra), tmp_path)
    point = true(tmp_path, 8, True)[:, 3:] @ (1, 1j)
    np.testing.assert_allclose(point / point[0], np.exp(1j * angles), atol=1e-12)


def test_it_learns_them_to_a_fraction_of_a_pixel(tmp_path: Path) -> None:
    data, held_out = draw(OPTIONS, 1500, 0), draw(OPTIONS, 300, 1)
    folders = {}
    for name, one in (("train", data), ("held_out", held_out)):
        write(one, folder := tmp_path / name)
        folders[name] = true(folder, OPTIONS.size, True)
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
    assert len(errors) == len(BALL_NUMBERS) + len(TURN)
    assert (errors[:3] < 0.7).all(), errors
    assert (errors[:3] < 0.35 * spread[:3]).all(), errors
    assert history[-1]["loss"] < 0.5
    # of so few images and steps the turn of a volleyball, whose colours show it
    turn = (found - folders["held_out"])[held_out.labels == data.classes.index("volleyball"), 3:]
    assert np.sqrt((turn**2).mean()) < 0.5
