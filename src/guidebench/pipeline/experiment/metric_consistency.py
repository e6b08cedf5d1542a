"""What the types of the section `metrics` cannot see."""

from collections.abc import Iterator
from pathlib import Path

from guidebench.base.choices import EACH
from guidebench.pipeline.experiment.allowed_names import Mistake
from guidebench.pipeline.experiment.config import Config, Dataset, OwnMetric
from guidebench.pipeline.experiment.setup_consistency import plugin_mistakes


def metric_mistakes(config: Config) -> Iterator[Mistake]:
    """Weights that are not there or not known, and metrics of what there is not."""
    inception = config.metrics.inception
    weights, expected = inception.weights, inception.sha256
    if weights and not Path(weights).is_file():
        yield "metrics.inception.weights", weights, "an existing file"
    if weights and not expected:
        # torch unpickles the file: only a known one may be opened
        yield "metrics.inception.sha256", None, "the sha256 of metrics.inception.weights"
    if expected and "weights" not in inception.model_fields_set:
        allowed = "nothing, unless metrics.inception.weights is set"
        yield "metrics.inception.sha256", expected, allowed
    judged = any("judge" in dataset.classifiers for dataset in config.datasets.values())
    for name, metric in config.metrics.own.items():
        key = f"metrics.own.{name}"
        yield from plugin_mistakes(f"{key}.name", metric.name)
        if metric.of == "inception" and not (weights or inception.download):
            yield f"{key}.of", "inception", "judge or images, unless metrics.inception has weights"
        if not config.datasets:
            yield f"{key}.name", metric.name, "none without a data set"
        elif metric.of == "judge" and not judged:
            yield f"{key}.of", "judge", "images, where no data set has a judge"
        elif not any(measured(metric, dataset) for dataset in config.datasets.values()):
            allowed = "all, where no data set that it is of has one target class"
            yield f"{key}.reference", "target", allowed


def measured(metric: OwnMetric, dataset: Dataset) -> bool:
    """Whether a data set has what a metric is of: a judge, and one target class."""
    judged = metric.of != "judge" or "judge" in dataset.classifiers
    return judged and (metric.reference == "all" or dataset.target not in (None, EACH))
