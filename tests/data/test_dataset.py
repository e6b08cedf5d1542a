"""The stratified split: exact, disjoint, in proportion, decided by the seed."""

import numpy as np
import pytest

from guidebench.data.dataset import DataSet, split, subset
from guidebench.pipeline.errors import UserError

SIZES = (600, 300, 90, 10)


@pytest.fixture
def data() -> DataSet:
    labels = np.repeat(np.arange(4), SIZES)
    images = np.arange(1000, dtype=np.uint16).view(np.uint8).reshape(1000, 2, 1, 1)
    return DataSet(images, labels, list("abcd"), {"row": np.arange(1000)})


@pytest.mark.parametrize(("train", "validation"), [(600, 400), (500, 100), (7, 3), (999, 1)])
def test_totals_are_exact_and_parts_disjoint(data: DataSet, train: int, validation: int) -> None:
    parts = split(data, train, validation, 0)
    assert [len(part.labels) for part in parts] == [train, validation]
    rows = np.concatenate([part.extra["row"] for part in parts])
    assert len(np.unique(rows)) == train + validation


def test_class_shares_are_kept_to_one_image(data: DataSet) -> None:
    for part in split(data, 500, 250, 0):
        expected = len(part.labels) * np.array(SIZES) / 1000
        assert (np.abs(np.bincount(part.labels, minlength=4) - expected) <= 1).all()


def test_images_labels_and_extras_stay_together(data: DataSet) -> None:
    for part in split(data, 500, 250, 0):
        np.testing.assert_array_equal(part.images, data.images[part.extra["row"]])
        np.testing.assert_array_equal(part.labels, data.labels[part.extra["row"]])
        assert part.classes == data.classes


def test_order_is_shuffled_by_the_seed_alone(data: DataSet) -> None:
    first, again, other = (split(data, 500, 250, seed) for seed in (0, 0, 1))
    for a, b, c in zip(first, again, other, strict=True):
        np.testing.assert_array_equal(a.extra["row"], b.extra["row"])
        assert not np.array_equal(a.extra["row"], c.extra["row"])
        assert abs(np.corrcoef(np.arange(len(a.labels)), a.labels)[0, 1]) < 0.2


def test_unlabelled_images_split_too(data: DataSet) -> None:
    bare = DataSet(data.images, np.full(1000, -1), [], data.extra)
    first, second = split(bare, 700, 300, 0)
    assert sorted([*first.extra["row"], *second.extra["row"]]) == list(range(1000))


def test_too_many_images_are_refused(data: DataSet) -> None:
    with pytest.raises(UserError, match=r"^data\.train \+ data\.validation: found 1001, .*1000"):
        split(data, 1000, 1, 0)
    with pytest.raises(UserError, match=r"^data\.validation: found 1001, allowed: at most 1000"):
        subset(data, 1001, 0, "validation")


def test_no_number_means_all_in_the_order_that_their_number_gives(data: DataSet) -> None:
    every, counted = subset(data, None, 3, "train"), subset(data, 1000, 3, "train")
    np.testing.assert_array_equal(every.extra["row"], counted.extra["row"])
    assert sorted(every.extra["row"]) == list(range(1000))
    assert not np.array_equal(every.extra["row"], np.arange(1000))
    assert len(subset(data, 20, 0, "train").labels) == 20
