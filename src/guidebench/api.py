"""An experiment from Python: tables, networks, more samples, and scores of anybody's samples."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import accumulate, pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from guidebench import workload
from guidebench.base.cells import Cell
from guidebench.data.store import read
from guidebench.evaluation.embeddings import DEFAULT, Files
from guidebench.evaluation.evaluate import BLOCKS, Options
from guidebench.evaluation.evaluate import evaluate as scored
from guidebench.evaluation.result import Evaluation
from guidebench.evaluation.sources import Labels, Source
from guidebench.guidance.sampling import Sampler, Samples
from guidebench.metrics.score import Score
from guidebench.models import classifier as classifiers
from guidebench.models.denoiser import Denoiser
from guidebench.pipeline.errors import UserError
from guidebench.pipeline.experiment import reading
from guidebench.pipeline.jobs import freshness, listing
from guidebench.pipeline.jobs.layout import Job, Layout
from guidebench.pipeline.records.artifacts import check_files
from guidebench.pipeline.records.events import Events
from guidebench.report.figures import sheets
from guidebench.report.tables import Tables
from guidebench.stages.features import Extractors
from guidebench.stages.metrics import scorer_of
from guidebench.stages.pictures import opened, strip
from guidebench.stages.stage import Stage
from guidebench.workload import Block

if TYPE_CHECKING:
    from PIL import Image

    from guidebench.pipeline.experiment.config import Config


def load(path: str, settings: Sequence[str] = (), results: str | Path = "results") -> Experiment:
    """The experiment of a config file, with `key.path=value` settings; it need not have run yet.

    Raises UserError with a line for each mistake in it.
    """
    return Experiment(reading.load(path, list(settings)), Path(results))


def evaluate(
    samples: Source,
    reference: Source,
    *,
    target: str | None = None,
    extractors: Sequence[str] = (DEFAULT,),
    metrics: Sequence[str] | None = None,
    labels: Labels | None = None,
    reference_labels: Labels | None = None,
    training: bool = False,
    blocks: int = BLOCKS,
    weights: str | Path | None = None,
    sha256: str | None = None,
    judge: str | Path | None = None,
) -> Evaluation:
    """Anybody's samples against anybody's data, as `guidebench evaluate` scores them.

    Both are a path, or an array uint8 [N, C, H, W]. `labels`: the class of each image of an array,
    or a table for a folder; `training`: whether the reference taught the model; the others are the
    command's options. `.table` of the answer has the numbers. UserError in one line for bad input.
    """
    paths = [None if path is None else Path(path) for path in (weights, judge)]
    files = Files(paths[0], sha256, paths[1])
    options = Options(metrics, extractors, target, training, blocks, files)
    return scored(samples, reference, options, labels, reference_labels)


class Experiment:
    """A valid config, and what its run left below `results/<name>`.

    Each method raises UserError where what it reads is missing, damaged, not in the config, or of
    another config, data or code than these.
    """

    def __init__(self, config: Config, results: Path) -> None:
        self.config, self.layout = config, Layout(results, config.name)

    @property
    def tables(self) -> Tables:
        """The run's tables: `results` has every metric of every setup, scale and split."""
        self._folder(Job("collect"))
        return Tables.read(self.layout.tables)

    def denoiser(self, dataset: str) -> Denoiser:
        """The trained denoiser, frozen: (x [N, C, H, W], t) to eps, v, x0 or score, like x."""
        device = self._stage(dataset).device
        return Denoiser(self._folder(Job("train_denoiser", dataset)), device)

    def classifier(self, dataset: str, name: str) -> classifiers.Classifier:
        """A trained classifier, frozen: images [N, C, H, W] in [-1, 1] to logits."""
        device = self._stage(dataset).device
        return classifiers.load(self._folder(Job("train_classifier", dataset, name)), device)

    def sample(
        self,
        dataset: str,
        setup: str,
        scale: float | None = None,
        count: int = 64,
        split: str = "evaluation",
    ) -> Samples:
        """The first `count` images of a setup at any scale: `images` uint8, `diverged` [N].

        On seeds of `evaluation`, `selection` and `grid` (the sheets') they are the run's, byte for
        byte on a machine of its kind; another name of a split has seeds of its own.
        """
        stage, block = self._stage(dataset), Block(split, 0, 0, count)
        if count < 1:
            raise UserError(f"count: found {count}, allowed: at least 1")
        if setup not in stage.options.setups:
            raise UserError(f"setup: found {setup}, allowed: {', '.join(stage.options.setups)}")
        asked = stage.options.setups[setup]
        if (scale is None) != (asked.guidance == "none"):
            allowed = "none without guidance" if scale is not None else "a number"
            raise UserError(f"scale of {setup}: found {scale}, allowed: {allowed}")
        guide = self.classifier(dataset, asked.classifier) if asked.classifier else None
        numbers = (
            workload.image_seeds(self.config, dataset, block),
            workload.labels(self.config, dataset, block),
        )
        # in the run's blocks, whose last micro-batch is padded
        sizes = [one.count for one in workload.blocks(self.config, dataset) if one.split == split]
        sizes += [stage.options.sampling.block] * count
        ends = [min(count, end) for end in accumulate(sizes)]
        cut = [end - start for start, end in pairwise([0, *dict.fromkeys(ends)])]
        rows = (torch.tensor(one, device=stage.device).split(cut) for one in numbers)
        steps = workload.steps(self.config, dataset, Cell(setup, scale), block)
        with self._threads():
            sampler = Sampler.opened(
                self._folder(Job("train_denoiser", dataset)),
                stage.device,
                stage.schedule(),
                stage.options.sampling,
                self._shape(dataset),
            )
            parts = [
                sampler(asked, scale, guide, seeds, labels, steps=steps)
                for seeds, labels in zip(*rows, strict=True)
            ]
        return Samples(
            np.concatenate([part.images for part in parts]),
            np.concatenate([part.diverged for part in parts]),
            [seconds for part in parts for seconds in part.seconds],
            parts[0].film,
        )

    def strip(self, picture: str | Path, dataset: str | None = None) -> Image.Image:
        """A picture file noised along a data set's forward process; it needs no run.

        At the times of the data set's `strip`; `dataset`: None for the first.
        """
        stage = self._stage(dataset or next(iter(self.config.datasets), "none"))
        return sheets.forward(*strip(stage.options, opened(Path(picture)), self.config.seed))

    def score(
        self,
        dataset: str,
        images: np.ndarray,
        diverged: np.ndarray | None = None,
        labels: np.ndarray | None = None,
        guide: str | None = None,
    ) -> dict[str, Score]:
        """Each metric of images uint8 [N, C, H, W] by its name, as the run scores its own.

        `diverged` [N] bool: which count nowhere (none); `labels` [N]: the class that each is to
        show (as the run asks); `guide`: the classifier of `accuracy_guide` (clean).
        """
        stage, count = self._stage(dataset), len(images)
        images = _array("images", images, np.uint8, count, self._shape(dataset))
        if diverged is None:
            diverged = np.zeros(count, bool)
        if labels is None:
            labels = np.array(
                workload.labels(self.config, dataset, Block("evaluation", 0, 0, count))
            )
        found = {
            "images": images,
            "diverged": _array("diverged", diverged, np.bool_, count),
            "labels": _array("labels", labels, np.integer, count),
        }
        if guide is not None and guide not in stage.options.classifiers:
            allowed = ", ".join(stage.options.classifiers) or "there is none"
            raise UserError(f"guide: found {guide}, allowed: {allowed}")
        folder = self._folder(job := Job("features", dataset, block=workload.REAL))
        real = [folder / name for name in check_files(listing.manifest(self.layout, job), folder)]
        for name in stage.options.classifiers:
            self._folder(Job("train_classifier", dataset, name))
        with self._threads():
            found |= Extractors(stage)(images)
            return {score.metric: score for score in scorer_of(stage, real).score(found, guide)}

    def _stage(self, dataset: str) -> Stage:
        if dataset not in self.config.datasets:
            allowed = ", ".join(self.config.datasets) or "there is none"
            raise UserError(f"data set: found {dataset}, allowed: {allowed}")
        nowhere = Events(Path(os.devnull), "api", dataset)
        return Stage(self.config, Job("api", dataset), self.layout, nowhere)

    def _shape(self, dataset: str) -> tuple[int, int, int]:
        """[C, H, W] of a data set's images."""
        train = read(self._folder(Job("prepare", dataset)) / "train")
        _, channels, height, width = train.images.shape
        return channels, height, width

    def _folder(self, job: Job) -> Path:
        """Where a job's files lie, which are fresh and as its manifest says."""
        if job not in set(listing.jobs(self.config)):
            known = [other.name for other in listing.jobs(self.config) if other.stage == job.stage]
            raise UserError(f"{job.stage}: found {job.name}, allowed: {', '.join(known)}")
        folder, manifest = listing.folder(self.layout, job), listing.manifest(self.layout, job)
        if reason := freshness.stale(self.config, self.layout).get(job):
            raise UserError(f"{manifest}: {reason}; run the experiment with this config first")
        check_files(manifest, folder)
        return folder

    @contextmanager
    def _threads(self) -> Iterator[None]:
        """As many threads as the run had: rounding follows them."""
        before = torch.get_num_threads()
        torch.set_num_threads(self.config.threads)
        try:
            yield
        finally:
            torch.set_num_threads(before)


def _array(name: str, given: Any, kind: type, count: int, row: tuple[int, ...] = ()) -> np.ndarray:
    """An argument as an array [count, *row]; UserError for one of another shape or kind."""
    array, shape = np.asarray(given), (max(1, count), *row)
    if array.shape != shape or not np.issubdtype(array.dtype, kind):
        found = f"{array.dtype} of shape {array.shape}"
        raise UserError(f"{name}: found {found}, allowed: {kind.__name__} of shape {shape}")
    return array
