"""The real images that samples are scored against, and those that are scored like samples."""

from collections.abc import Sequence

import numpy as np

from guidebench import workload
from guidebench.base.seeds import derive
from guidebench.data.store import Stored, chosen, half, read
from guidebench.stages.stage import Stage


def real_images(stage: Stage) -> dict[str, Stored]:
    """Reference: training images; floor: held-out ones of the samples' n, all and target class.

    Only those of which there are enough.
    """
    folder = stage.layout.data(stage.job.dataset)
    train, held_out = read(folder / "train"), read(folder / "validation")
    n, target = stage.options.sampling.evaluation, stage.target
    # the judge scores against images that it was not trained on; Inception may use them all
    judge = stage.options.classifiers.get("judge")
    reference = half(train, "first" if judge and judge.half == "second" else "second")
    # classes cluster: a floor of other proportions than the samples' would be no floor
    targets = range(len(held_out.classes)) if workload.each(stage.options) else [None]
    sets = {"reference": reference, "floor": _draw(held_out, targets, n, stage)}
    if stage.config.metrics.inception.weights or stage.config.metrics.inception.download:
        sets["reference_inception"] = train
    if target is not None:
        sets["floor_target"] = _draw(held_out, [target], n, stage)
    return {name: data for name, data in sets.items() if len(data.images)}


def _draw(data: Stored, targets: Sequence[int | None], n: int, stage: Stage) -> Stored:
    """N held-out images without replacement, of the targets in turn (None: of any class).

    None at all when there are too few.
    """
    index = np.empty(n, dtype=np.int64)
    for number, target in enumerate(targets):
        of_target = slice(None) if target is None else data.labels == target
        rows, places = np.arange(len(data.labels))[of_target], index[number :: len(targets)]
        if len(rows) < len(places):
            return Stored(data.images[:0], data.labels[:0], data.classes)
        generator = np.random.Generator(np.random.Philox(derive(stage.seed("floor"), target)))
        places[:] = np.sort(generator.permutation(rows)[: len(places)])
    return chosen(data, index)
