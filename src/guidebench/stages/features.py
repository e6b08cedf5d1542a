"""Features, predicted classes and probabilities of one block's samples, or of real images."""

from pathlib import Path
from typing import Any

import numpy as np

from guidebench import workload
from guidebench.data.store import Chosen
from guidebench.metrics.extractors import ClassifierFeatures, extract, inception
from guidebench.models import classifier as classifiers
from guidebench.pipeline import recording
from guidebench.pipeline.jobs import slices
from guidebench.pipeline.records.artifacts import atomic, digest_of
from guidebench.pipeline.records.finished_cells import remember, standing
from guidebench.stages.real_images import real_images
from guidebench.stages.stage import Stage


class Extractors:
    """A data set's extractors: all classifiers' predictions, judge and Inception features."""

    def __init__(self, stage: Stage) -> None:
        layout, dataset = stage.layout, stage.job.dataset
        self.device = stage.device
        self.inception = inception(stage.config.metrics.inception)
        self.classifiers = {
            name: ClassifierFeatures(
                name, classifiers.load(layout.classifier(dataset, name), stage.device)
            )
            for name in stage.options.classifiers
        }

    def __call__(self, images: np.ndarray | Chosen) -> dict[str, np.ndarray]:
        """`hidden:judge` [n, d], `predicted:<classifier>` [n], and `hidden:inception` [n, 2048]."""
        features: dict[str, np.ndarray] = {}
        for name, extractor in self.classifiers.items():
            hidden, features[f"predicted:{name}"], probabilities = extract(
                extractor, images, self.device
            )
            if name == "judge":
                features |= {"hidden:judge": hidden, "probabilities:judge": probabilities}
        if self.inception is not None:
            (features["hidden:inception"],) = extract(self.inception, images, self.device)
        return features


def run(stage: Stage) -> None:
    """Features of the cells that are missing, or of reference and floor images."""
    layout, dataset = stage.layout, stage.job.dataset
    folder = layout.features(dataset)
    used = [digest_of(stage.use("train_classifier", dataset, n)) for n in stage.options.classifiers]
    setting = [
        used,
        slices.architectures(stage.options),
        slices.inception(stage.config),
        stage.config.threads,
    ]
    if stage.job.block == workload.REAL:
        names = _real(stage, folder, setting)
    else:
        names = _cells(stage, folder, setting)
    stage.finish(names)


def _cells(stage: Stage, folder: Path, setting: list[Any]) -> list[str]:
    layout, dataset, block = stage.layout, stage.job.dataset, stage.job.block
    samples = layout.samples(dataset)
    files = stage.use("sample", dataset, block=block)
    extractors = None
    for done, (name, digest) in enumerate(sorted(files.items())):
        key = digest_of([digest, setting])
        ran = standing(folder / name, key, layout.root)
        if ran is None:
            extractors = extractors or Extractors(stage)
            with recording.apart() as own, np.load(samples / name) as sample:
                features = extractors(sample["images"]) | {
                    name: sample[name] for name in ("diverged", "labels")
                }
            ran = _save(folder / name, features, key, layout.root, own)
        stage.carried |= ran
        stage.events.progress(done + 1, len(files))
    return sorted(files)


def _real(stage: Stage, folder: Path, setting: list[Any]) -> list[str]:
    files, names = stage.use("prepare", stage.job.dataset), []
    extractors = None
    for name, data in real_images(stage).items():
        path = folder / "real" / f"{name}.npz"
        key = digest_of([files, name, stage.spec, setting])
        root = stage.layout.root
        ran = standing(path, key, root)
        if ran is None:
            extractors = extractors or Extractors(stage)
            with recording.apart() as own:
                features = extractors(data.images) | {"labels": np.array(data.labels)}
            ran = _save(path, features, key, root, own)
        stage.carried |= ran
        names.append(f"real/{name}.npz")
    return names


def _save(
    path: Path, features: dict[str, np.ndarray], key: str, root: Path, own: set[str]
) -> set[str]:
    """Write one cell's features; returns the functions behind them, `own` and the shared ones."""
    with atomic(path) as temporary, open(temporary, "wb") as file:
        np.savez(file, **features)  # type: ignore[arg-type]
    names = recording.ran | own
    remember(path, key, root, names)
    return names
