"""Data sets: each source makes a DataSet of uint8 images; `load` splits it."""

from __future__ import annotations

import importlib
from typing import Any

from guidebench.data.dataset import DataSet, split, subset
from guidebench.errors import UserError
from guidebench.seeds import derive


def load(options: Any, seed: int) -> tuple[DataSet, DataSet]:
    """(train, validation) of the data section of a config; UserError when data is missing."""
    seed = derive(seed, options.source)
    if options.source == "sportballs":
        from guidebench.data.sportballs import draw

        data = draw(options, options.train + options.validation, seed)
        return split(data, options.train, options.validation, derive(seed, "split"))
    if options.source == "celeba":
        from guidebench.data.celeba import read as read_celeba

        return read_celeba(options, seed)
    if options.source in ("mnist", "fashion_mnist"):
        from guidebench.data.idx import from_package, package_digits, read

        if options.source == "mnist" and from_package(options):
            counts = options.train or 3600, options.validation or 1400
            return split(package_digits(), *counts, derive(seed, "split"))
    else:
        data = custom(options, seed)
        return split(data, options.train, options.validation, derive(seed, "split"))
    parts = zip(("train", "validation"), read(options), strict=True)
    train, validation = (
        subset(part, getattr(options, name), derive(seed, name), name) for name, part in parts
    )
    return train, validation


def custom(options: Any, seed: int) -> DataSet:
    """The data set that a user's `module:attribute` makes; UserError when it is not one."""
    module, _, attribute = options.source.partition(":")
    try:
        make = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise UserError(f"data.source: found {options.source} ({error}), allowed: module:attribute "
                        "that Python can import") from error  # fmt: skip
    # outside the try: a mistake inside the user's own code keeps its traceback
    data = make(options.options, seed)
    if not isinstance(data, DataSet) or data.images.dtype != "uint8" or data.images.ndim != 4:
        raise UserError(f"data.source: {options.source} gave {type(data).__name__}, allowed: a "
                        "DataSet of uint8 images [N, C, H, W]")  # fmt: skip
    if len(data.labels) != len(data.images) or data.classes != options.classes:
        raise UserError(f"data.classes: {options.source} gave {len(data.images)} images, "
                        f"{len(data.labels)} labels and classes {data.classes}, allowed: a label "
                        f"for each image and classes {options.classes}")  # fmt: skip
    return data
