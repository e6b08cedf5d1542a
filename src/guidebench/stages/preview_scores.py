"""Numbers of a preview: the metrics of the seed blocks whose features are there."""

import os
from collections.abc import Sequence, Set
from pathlib import Path

import pandas as pd

from guidebench import workload
from guidebench.metrics.collected import Row, Scores
from guidebench.metrics.reference import key_of
from guidebench.metrics.score import DISTANCES
from guidebench.pipeline.experiment.config import Config
from guidebench.pipeline.experiment.metric_consistency import measured
from guidebench.pipeline.jobs import slices
from guidebench.pipeline.jobs.layout import Job, Layout
from guidebench.pipeline.jobs.listing import manifest
from guidebench.pipeline.records.artifacts import read_manifest
from guidebench.pipeline.records.events import Events
from guidebench.report.metrics import METRICS
from guidebench.report.pages.preview import Scored
from guidebench.report.tables import EVALUATION, FLOOR, SELECTION
from guidebench.stages.metrics import features_of, scorer_of
from guidebench.stages.stage import Stage

SCORES = ("results", "jackknife", "reference_jackknife")
MOST = 1024  # images of a split that are scored: a preview is no second evaluation
UNREAD = {key_of("inception")}  # its matrices are gigabytes


def scorable(config: Config, dataset: str, done: Set[Job]) -> list[workload.Block]:
    """The seed blocks whose features are there, up to MOST images of each split.

    None before those of real images.
    """
    real = Job("features", dataset, block=workload.REAL)
    if real not in done:
        return []
    found: dict[str, list[workload.Block]] = {SELECTION: [], EVALUATION: []}
    for block in workload.scored(config, dataset):
        if workload.finals(config, dataset, block.name):
            continue  # a preview's numbers are of equal n
        needed = {Job(stage, dataset, block=block.name) for stage in ("sample", "features")}
        if needed <= done and _images(found[block.split]) < MOST:
            found[block.split].append(block)
    few, many = (_images(found[split]) for split in (SELECTION, EVALUATION))
    if few < config.metrics.jackknife_blocks:
        return []
    return found[SELECTION] + (found[EVALUATION] if many >= few else [])


def scores(
    config: Config, layout: Layout, dataset: str, blocks: Sequence[workload.Block]
) -> tuple[dict[str, pd.DataFrame], Scored]:
    """The tables of scores on these blocks, without those of Inception's features.

    As long as there are no evaluation seeds, those of selection stand for them, too.
    """
    job = Job("metrics", dataset)
    stage = Stage(config, job, layout, Events(Path(os.devnull), job.stage, job.name))
    real = read_manifest(manifest(layout, Job("features", dataset, block=workload.REAL)))
    files = [layout.features(dataset) / name for name in real["files"]]
    scorer = scorer_of(stage, files, UNREAD)
    collected = Scores()
    counts = {
        split: _images([block for block in blocks if block.split == split])
        for split in (SELECTION, EVALUATION)
    }
    for cell in workload.cells(config, dataset):
        guide = stage.options.setups[cell.setup].classifier
        for split in filter(counts.get, counts):
            names = [block.name for block in blocks if block.split == split]
            found = list(scorer.score(features_of(stage, cell, names, UNREAD), guide))
            for shown in [split] if counts[EVALUATION] else [SELECTION, EVALUATION]:
                row = Row(dataset, cell.setup, cell.scale, shown, config.seed)
                collected.extend(row, iter(found))
    collected.extend(Row(dataset, FLOOR, None, EVALUATION, config.seed), scorer.floor())
    tables = [collected.results(), collected.jackknife(), collected.reference()]
    split = EVALUATION if counts[EVALUATION] else SELECTION
    planned, missing = stage.options.sampling.evaluation, _missing(config, dataset)
    of = Scored(split, counts[split], planned, missing)
    return dict(zip(SCORES, tables, strict=True)), of


def _missing(config: Config, dataset: str) -> list[str]:
    """The report's metrics that a preview has no numbers of: those of Inception's features."""
    if not slices.inception(config)["used"]:
        return []
    options, own = config.datasets[dataset], config.metrics.own
    of_all, of_target = (METRICS[name].column for name in DISTANCES["inception"])
    named = options.target is not None and not workload.each(options)
    return [
        of_all,
        *([of_target] if named else []),
        *(k for k, one in own.items() if one.of == "inception" and measured(one, options)),
    ]


def _images(blocks: Sequence[workload.Block]) -> int:
    return sum(block.count for block in blocks)
