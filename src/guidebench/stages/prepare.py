"""Write a data set's train and validation images, uint8 NCHW, with labels and class names."""

from guidebench.data import load
from guidebench.data.store import write
from guidebench.pipeline.errors import UserError
from guidebench.pipeline.experiment.allowed_names import below, in_words
from guidebench.pipeline.jobs import demands
from guidebench.stages.stage import Stage


def run(stage: Stage) -> None:
    """Load or draw the images, split them, write them; UserError when some class has too few."""
    folder = stage.layout.data(stage.job.dataset)
    names = []
    for name, data in zip(
        ("train", "validation"), load(stage.options.data, stage.seed("data")), strict=True
    ):
        names += [f"{name}/{file}" for file in write(data, folder / name)]
    shortages = below(f"datasets.{stage.job.dataset}", demands.prepared(stage.options, folder))
    if lines := in_words(shortages):
        raise UserError("; ".join(lines))
    stage.finish(names)
