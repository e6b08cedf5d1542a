"""`load`: each source by name, a user's own by `module:attribute`."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from guidebench.data import load
from guidebench.pipeline.errors import UserError
from guidebench.pipeline.experiment.sections import CustomData, SportBallsData

MODULE = """
import numpy as np
from guidebench.data.dataset import DataSet

def stripes(options, seed):
    chance = np.random.default_rng(seed)
    labels = np.arange(options["count"]) % 2
    images = chance.integers(0, 256, (len(labels), 1, 8, 8), dtype=np.uint8)
    return DataSet(images, labels, ["even", "odd"])

def floats(options, seed):
    data = stripes(options, seed)
    data.images = data.images / 255
    return data

def unlabelled(options, seed):
    data = stripes(options, seed)
    data.labels = data.labels[:-1]
    return data

def renamed(options, seed):
    data = stripes(options, seed)
    data.classes = ["one", "two"]
    return data

def broken(options, seed):
    return options.size

def nothing(options, seed):
    return None
"""


@pytest.fixture
def custom(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    (tmp_path / "my_stripes.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)

    def options(attribute: str, count: int = 40) -> CustomData:
        made = {"source": attribute, "options": {"count": count}, "classes": ["even", "odd"]}
        return CustomData(**made, size=8, train=20, validation=10)

    return options


def test_a_users_data_set_is_called_and_split(custom: Any) -> None:
    train, validation = load(custom("my_stripes:stripes"), 0)
    assert train.images.shape == (20, 1, 8, 8)
    assert np.bincount(train.labels).tolist() == [10, 10]
    assert np.bincount(validation.labels).tolist() == [5, 5]
    again, _ = load(custom("my_stripes:stripes"), 0)
    other, _ = load(custom("my_stripes:stripes"), 1)
    np.testing.assert_array_equal(train.images, again.images)
    assert not np.array_equal(train.images, other.images)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("my_stripe:stripes", "No module named 'my_stripe'"),
        ("my_stripes:dots", "no attribute 'dots'"),
        ("my_stripes:floats", "found float64 images [40, 1, 8, 8], allowed: uint8 images"),
        ("my_stripes:nothing", "gave NoneType"),
        ("my_stripes:unlabelled", "found 40 images and 39 labels, allowed: as many"),
        ("my_stripes:renamed", "found classes ['one', 'two'], allowed: ['even', 'odd']"),
    ],
)
def test_what_is_no_data_set_is_one_line(source: str, said: str, custom: Any) -> None:
    with pytest.raises(UserError) as error:
        load(custom(source), 0)
    message = str(error.value)
    assert message.startswith("data.source: ")
    assert source in message
    assert said in message
    assert "allowed: " in message
    assert "\n" not in message


def test_a_mistake_in_the_users_code_keeps_its_traceback(custom: Any) -> None:
    with pytest.raises(AttributeError, match="size"):
        load(custom("my_stripes:broken"), 0)


def test_too_few_images_of_a_user_are_refused(custom: Any) -> None:
    with pytest.raises(UserError, match="found 30, allowed: at most 29"):
        load(custom("my_stripes:stripes", 29), 0)


def test_sportballs_are_drawn_and_split() -> None:
    small = {"size": 8, "canvas": 16, "scale": (0.5, 0.8), "poses": 2}
    options = SportBallsData(source="sportballs", **small, train=30, validation=10)
    train, validation = load(options, 0)
    assert train.images.shape == (30, 3, 8, 8)
    assert validation.images.shape == (10, 3, 8, 8)
    for part in (train, validation):
        assert {len(values) for values in part.extra.values()} == {len(part.labels)}
        assert {"position", "centre", "scale", "rotation"} <= set(part.extra)
    seen = {image.tobytes() for image in train.images}
    assert not seen & {image.tobytes() for image in validation.images}
