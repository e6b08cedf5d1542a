"""How many images of each class an experiment asks for, and which numbers are too few."""

from collections.abc import Iterator

from guidebench.base.choices import EACH, FEWEST, NEIGHBOURS, classes, target_name
from guidebench.pipeline.experiment.allowed_names import Mistake
from guidebench.pipeline.experiment.config import Dataset


def counted(dataset: Dataset, blocks: int) -> Iterator[Mistake]:
    """Numbers of images that are too small whatever the images are."""
    data, names = dataset.data, classes(dataset.data)
    least_images = {"train": least_train(dataset), "validation": max(1, len(names))}
    for split, least in least_images.items():
        count = getattr(data, split)
        if count is not None and count < least:
            yield f"data.{split}", count, f"at least {least}: {_why(split, names)}"
    if dataset.target == EACH and names:
        for split in ("selection", "evaluation"):
            seeds = getattr(dataset.sampling, split)
            if seeds - -(-seeds // blocks) <= NEIGHBOURS:
                blocks_but_one = f"more than {NEIGHBOURS} images in all jackknife blocks but one"
                yield f"sampling.{split}", seeds, f"{blocks_but_one}, for precision and recall"


def least_train(dataset: Dataset) -> int:
    """The least training images: four of a class, or neighbours in each half."""
    names = classes(dataset.data)
    each = 2 * (NEIGHBOURS + 1 if dataset.target == EACH and names else FEWEST)
    # two in each half: one alone has no covariance
    return max(4 * len(names), each)


def _why(split: str, names: list[str]) -> str:
    if not names:
        return f"{FEWEST} in each half" if split == "train" else "one"
    return f"{'four' if split == 'train' else 'one'} of each of {len(names)} classes"


def short(dataset: Dataset, train: list[int], validation: list[int]) -> Iterator[Mistake]:
    """What prepared splits lack, by the images of each class in them."""
    names, target = classes(dataset.data), target_name(dataset)
    for split, counts, least in (("train", train, 2), ("validation", validation, 1)):
        for name, count in zip(names, counts, strict=True):
            # the reference is the half that no judge saw
            needed = 2 * FEWEST if split == "train" and name == target else least
            if count < needed:
                images = f"{count} images of class {name!r}"
                yield f"data.{split}", images, f"at least {needed} of each class"
    if dataset.target == EACH and names and sum(train) < (least := least_train(dataset)):
        yield "data.train", sum(train), f"at least {least}"


def floorless(dataset: Dataset, validation: list[int]) -> Iterator[str]:
    """Classes with too few held-out images for a floor, which takes as many as the samples."""
    n, names = dataset.sampling.evaluation, classes(dataset.data)
    for number, (name, count) in enumerate(zip(names, validation, strict=True)):
        samples = len(range(number, n, len(names))) if dataset.target == EACH else n
        if count < samples and target_name(dataset) in (EACH, name):
            yield f"{count} images of class {name!r} give no floor, which takes {samples}"
