"""What `prepare` lets in: data sets of one form, whatever their source."""

from typing import Any

import numpy as np

from guidebench.base.choices import classes, side
from guidebench.data.dataset import DataSet
from guidebench.pipeline.errors import UserError


def admitted(data: DataSet, options: Any, where: str) -> DataSet:
    """The data set with int64 labels; UserError, which begins with `where`, for another form.

    Images are uint8 [N, 1 or 3, size, size] with N > 0 and values up to 255; labels [N] are numbers
    of the config's classes, or all -1 where it has none.
    """
    images, labels, size = data.images, data.labels, side(options)
    if not isinstance(data.extra, dict):
        raise _refused(where, f"extra of type {type(data.extra).__name__}", "arrays by name")
    if wrong := [
        name
        for name in data.extra
        if name in ("images", "labels", "meta") or not str(name).isidentifier()
    ]:
        raise _refused(
            where,
            f"extra named {wrong[0]!r}",
            "other names than images and labels, of letters, digits and _",
        )
    form = f"uint8 images [N, 1 or 3, {size}, {size}]"
    for name, array in {"images": images, "labels": labels, **data.extra}.items():
        if not isinstance(array, np.ndarray):
            raise _refused(where, f"{name} of type {type(array).__name__}", "numpy arrays")
    shape = f"{images.dtype} images {list(images.shape)}"
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[1] not in (1, 3):
        raise _refused(where, shape, form)
    if images.shape[2:] != (size, size):
        raise _refused(where, shape, form)
    if len(images) == 0:
        raise _refused(where, "no image", "at least one")
    if images.max() <= 1:
        raise _refused(where, f"pixels from {images.min()} to {images.max()}", "0 to 255")
    if labels.ndim != 1 or labels.dtype.kind not in "iu":
        raise _refused(where, f"{labels.dtype} labels {list(labels.shape)}", "integers [N]")
    for name, array in {"labels": labels, **data.extra}.items():
        if array.ndim == 0 or len(array) != len(images):
            count = len(array) if array.ndim else "one"
            raise _refused(where, f"{len(images)} images and {count} {name}", "as many")
    names = classes(options)
    own = data.classes.tolist() if isinstance(data.classes, np.ndarray) else data.classes
    if own not in (names, tuple(names)):
        raise _refused(where, f"classes {own}", f"{names}, as in data.classes")
    low, high = (0, len(names) - 1) if names else (-1, -1)
    if labels.min() < low or labels.max() > high:
        allowed = f"0 to {high}, numbers of {len(names)} classes" if names else "-1: no classes"
        raise _refused(where, f"labels from {labels.min()} to {labels.max()}", allowed)
    return DataSet(images, labels.astype(np.int64), names, data.extra)


def pair(train: DataSet, validation: DataSet, options: Any) -> tuple[DataSet, DataSet]:
    """(train, validation), both `admitted`; UserError where their images differ in shape."""
    source = f"data.source: {options.source}"
    train = admitted(train, options, f"{source}, train")
    validation = admitted(validation, options, f"{source}, validation")
    shapes = [list(split.images.shape[1:]) for split in (train, validation)]
    if shapes[0] != shapes[1]:
        raise _refused(
            source, f"training images {shapes[0]} and validation images {shapes[1]}", "one shape"
        )
    return train, validation


def _refused(where: str, found: str, allowed: str) -> UserError:
    return UserError(f"{where}: found {found}, allowed: {allowed}")
