"""Bytes that a job leaves, by the config."""

import math

from guidebench.base.choices import classes
from guidebench.pipeline.experiment.config import Config
from guidebench.pipeline.jobs import cost_model
from guidebench.pipeline.jobs.layout import Job
from guidebench.pipeline.jobs.rates import shape

FOLLOWING_BYTES = 3_000_000  # figures, tables and report of a data set


def disk_of(config: Config, job: Job) -> float:
    """Bytes that a job leaves; of a training, weights alone: its states are removed at its end."""
    if job.dataset in config.worlds:
        return FOLLOWING_BYTES
    options = config.datasets[job.dataset]
    if job.stage == "prepare":
        return float(cost_model.images(options) * (math.prod(shape(options)) + 8))
    if job.stage == "features":
        judge = options.classifiers.get("judge")
        inception = config.metrics.inception
        hidden = cost_model.features_of(judge) if judge else 0
        wide = cost_model.WIDE if inception.weights or inception.download else 0
        row = 4 * (hidden + len(classes(options.data)) + wide)
        row += 8 * (len(options.classifiers) + 1) + 1
        return float(cost_model.featured(config, job) * row)
    if job.stage in ("train_denoiser", "train_classifier"):
        from guidebench.pipeline.plan import memory  # starts torch

        return 100_000.0 + memory.weights(options, job.classifier)
    return 100_000.0
