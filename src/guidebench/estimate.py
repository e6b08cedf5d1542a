"""What jobs are expected to cost, for the progress line."""

from __future__ import annotations

from guidebench import grid
from guidebench.config import Config
from guidebench.grid import Job


def weight(config: Config, job: Job) -> float:
    """Expected cost of a job, roughly seconds on one core of 2024: only ratios matter."""
    if not job.dataset:
        return 8.0
    if job.stage == "ground_truth":
        return 60.0
    options = config.datasets[job.dataset]
    side: float = getattr(options.data, "size", 28) / 32
    pixels: float = side * side * (options.denoiser.channels[0] / 16) ** 1.5
    evaluation = 0.0015 * pixels
    if job.stage == "train_denoiser":
        return 6 + options.denoiser.steps * options.denoiser.batch_size * evaluation * 2.6
    if job.stage == "train_classifier":
        classifier = options.classifiers[job.classifier]
        return 6 + classifier.steps * classifier.batch_size * 0.0015 * side * side
    if job.stage == "sensitivity":
        images = options.sensitivity.images * 4 + options.sensitivity.accuracy_images
        return 6 + options.sensitivity.steps * images * evaluation
    if job.stage == "sample":
        costs = {"none": 1.0, "cfg": 2.0, "classifier": 2.3}
        part = grid.block(config, job.dataset, job.block)
        total = sum(
            costs.get(options.setups[cell.setup].guidance, 2.3)
            * grid.steps(config, job.dataset, cell, part)
            for cell in grid.sampled(config, job.dataset, part)
        )
        return 6 + part.count * total * evaluation
    return 6.0
