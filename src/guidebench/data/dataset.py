"""A labelled set of images in memory, and its stratified split."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from guidebench.pipeline.errors import UserError


@dataclass
class DataSet:
    """Images uint8 [N, C, H, W], labels int64 [N] (-1: no class), class names, extras [N, ...]."""

    images: np.ndarray
    labels: np.ndarray
    classes: list[str]
    extra: dict[str, np.ndarray] = field(default_factory=dict)

    def take(self, index: np.ndarray) -> DataSet:
        """The images at `index`, in that order."""
        extra = {name: values[index] for name, values in self.extra.items()}
        return DataSet(self.images[index], self.labels[index], self.classes, extra)


def per_class(data: DataSet) -> list[int]:
    """How many images each class has."""
    labelled = data.labels[data.labels >= 0]
    counts: list[int] = np.bincount(labelled, minlength=len(data.classes)).tolist()
    return counts


def stratified(labels: np.ndarray, count: int, generator: np.random.Generator) -> np.ndarray:
    """`count` <= n indices in random order, with the class shares of `labels` [n] to one image.

    >>> labels = np.repeat([0, 1], [90, 10])
    >>> chosen = stratified(labels, 20, np.random.Generator(np.random.Philox(0)))
    >>> np.bincount(labels[chosen]).tolist()
    [18, 2]
    """
    order = generator.permutation(len(labels))
    # sorting by (rank within class) / (class size) interleaves the classes in proportion
    rank = np.empty(len(labels))
    for label in np.unique(labels):
        members = order[labels[order] == label]
        rank[members] = (np.arange(len(members)) + 0.5) / len(members)
    chosen = order[np.argsort(rank[order], kind="stable")[:count]]
    return generator.permutation(chosen)


def subset(data: DataSet, count: int | None, seed: int, name: str) -> DataSet:
    """A stratified, shuffled subset of `count` images (None: all); UserError when too many."""
    count = len(data.labels) if count is None else count
    if count > len(data.labels):
        raise UserError(
            f"data.{name}: found {count}, allowed: at most {len(data.labels)}, the "
            "images that there are"
        )
    generator = np.random.Generator(np.random.Philox(seed))
    return data.take(stratified(data.labels, count, generator))


def split(data: DataSet, train: int, validation: int, seed: int) -> tuple[DataSet, DataSet]:
    """Disjoint, stratified, shuffled (train, validation); UserError when there are too few."""
    if train + validation > len(data.labels):
        raise UserError(
            f"data.train + data.validation: found {train + validation}, allowed: at "
            f"most {len(data.labels)}, the images that there are"
        )
    generator = np.random.Generator(np.random.Philox(seed))
    first = stratified(data.labels, train, generator)
    rest = np.setdiff1d(np.arange(len(data.labels)), first)
    second = rest[stratified(data.labels[rest], validation, generator)]
    return data.take(first), data.take(second)
