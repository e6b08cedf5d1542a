"""Numbers of images and seeds that are too small for what is asked of them."""

from __future__ import annotations

from collections.abc import Iterator

from guidebench.choices import EACH, NEIGHBOURS, classes
from guidebench.pipeline.config import Dataset
from guidebench.pipeline.names import Mistake

OF_CLASS = 4  # two in each half of the training images: fewer have no covariance


def count_mistakes(dataset: Dataset, blocks: int) -> Iterator[Mistake]:
    """Counts of one data set, as far as the config says them."""
    number, train = len(classes(dataset.data)), dataset.data.train
    variety, near = dataset.target == EACH, NEIGHBOURS + 1
    if train is not None and number and train < (least := OF_CLASS * number):
        yield "data.train", train, f"at least {least}, {OF_CLASS} of each class"
    elif train is not None and variety and train < 2 * near:
        yield "data.train", train, f"at least {2 * near}: recall looks at {NEIGHBOURS} neighbours"
    for split in ("selection", "evaluation") if variety else ():
        seeds = getattr(dataset.sampling, split)
        if seeds - seeds // blocks < near:
            yield (
                f"sampling.{split}",
                seeds,
                (
                    f"at least {near} without one of the {blocks} blocks: recall looks at "
                    f"{NEIGHBOURS} neighbours"
                ),
            )
