"""What jobs cost: units of work from the config, times the seconds of each (`rates.py`)."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from guidebench import workload
from guidebench.base.cells import Cell
from guidebench.base.choices import compat_walks, sampler, unguided
from guidebench.pipeline.experiment.config import Config, Dataset
from guidebench.pipeline.experiment.sections import Classifier, Setup
from guidebench.pipeline.experiment.world_section import World
from guidebench.pipeline.jobs.layout import Job
from guidebench.pipeline.jobs.rates import TRAINING, Rates, kind, shape
from guidebench.pipeline.jobs.split_sizes import split_sizes
from guidebench.workload import Block

# over all data sets, in start-ups: no network, pandas and matplotlib on small tables
START_UPS = {"collect": 1.0, "findings": 1.5, "report": 2.0}
PLOTS = 3.5  # of a data set or world
WIDE = 2048  # features of Inception-v3, and as many as a network of somebody else's may have


def last(config: Config, job: Job, rates: Mapping[str, Rates]) -> float:
    """Of what comes last, over all data sets."""
    return _startup(rates) * START_UPS[job.stage]


def metrics(config: Config, job: Job, rates: Mapping[str, Rates]) -> float:
    """Of `metrics` and of `finalists`: no network, as what comes last."""
    return rates[job.dataset].startup


def plots(config: Config, job: Job, rates: Mapping[str, Rates]) -> float:
    """Of `plots`: no network, many figures."""
    return rates[job.dataset].startup * PLOTS


def _startup(rates: Mapping[str, Rates]) -> float:
    return max(rate.startup for rate in rates.values())


def ground_truth(config: Config, job: Job, rates: Mapping[str, Rates]) -> float:
    """Of a world."""
    rate = rates[job.dataset]
    return rate.startup + rate.world_cell * world_cells(config.worlds[job.dataset])


def prepare(config: Config, job: Job, rates: Mapping[str, Rates]) -> float:
    """Of `prepare`."""
    rate = rates[job.dataset]
    return rate.startup + rate.prepared * images(config.datasets[job.dataset])


def train_denoiser(config: Config, job: Job, rates: Mapping[str, Rates]) -> float:
    """Of `train_denoiser`."""
    rate, denoiser = rates[job.dataset], config.datasets[job.dataset].denoiser
    return rate.startup + rate.denoiser_step * (0 if denoiser.checkpoint else denoiser.steps)


def train_classifier(config: Config, job: Job, rates: Mapping[str, Rates]) -> float:
    """Of one classifier; a checkpoint is read, and sees the held-out images."""
    rate, options = rates[job.dataset], config.datasets[job.dataset].classifiers[job.classifier]
    steps = options.steps if options.checkpoint is None else 0
    return rate.startup + rate.classifier_step[job.classifier] * steps


def attributes(config: Config, job: Job, rates: Mapping[str, Rates]) -> float:
    """Of `attributes`: a classifier's training, and a pass over the samples."""
    rate, options = rates[job.dataset], config.datasets[job.dataset].attributes
    assert options is not None
    step = max(rate.classifier_step.values(), default=0.0)
    blocks = workload.evaluated(config, job.dataset)
    read = rate.featured * sum(_images(config, job.dataset, block) for block in blocks)
    return rate.startup + options.steps * step + read


def images(options: Dataset) -> int:
    """Prepared images of a data set."""
    return sum(split_sizes(options.data))


def features_of(judge: Classifier) -> int:
    """Features of a judge, as far as the config tells."""
    return judge.hidden if judge.checkpoint is None else WIDE


def prepare_mb(options: Dataset) -> int:
    """Memory in MB that `prepare` is given: twice the images, beside its libraries."""
    return max(4000, 2000 + 2 * images(options) * math.prod(shape(options)) // 10**6)


def world_cells(world: World) -> int:
    """Setups times scales of a world."""
    return sum(max(1, len(setup.scales)) for setup in world.setups.values())


def evaluations(config: Config, dataset: str, block: Block, cell: Cell) -> float:
    """Denoiser evaluations (images times forward passes) of a cell of a seed block."""
    options = config.datasets[dataset]
    setup, batch = options.setups[cell.setup], options.sampling.micro_batch
    rows = -(-block.count // batch) * batch  # the last micro-batch is padded
    name = setup.sampler or options.sampling.sampler
    calls = sampler(name).calls(workload.steps(config, dataset, cell, block))
    return float(rows * calls * _passes(setup, cell))


def _passes(setup: Setup, cell: Cell) -> int:
    """Passes of an evaluation: cfg's is one with the label and one without."""
    return 2 if setup.guidance == "cfg" and cell.scale else 1


def cell_seconds(config: Config, dataset: str, block: Block, cell: Cell, rate: Rates) -> float:
    """Expected seconds of one cell of a seed block."""
    setup = config.datasets[dataset].setups[cell.setup]
    low, high = setup.interval
    share = high - low if cell.scale else 0.0
    step = share * rate.sampled[kind(setup)] + (1 - share) * rate.sampled["none"]
    return evaluations(config, dataset, block, cell) / _passes(setup, cell) * step


def cells_seconds(
    config: Config, dataset: str, block: Block, cells: list[Cell], rate: Rates
) -> float:
    """Expected seconds of cells of a seed block, which evaluate a common unguided prefix once."""
    options, shared = config.datasets[dataset], defaultdict[Any, list[float]](list)
    for cell in cells:
        setup = options.setups[cell.setup]
        if kind := unguided(setup, options.sampling):
            whole = evaluations(config, dataset, block, cell) / _passes(setup, cell)
            shared[kind, whole].append(1 - setup.interval[1] if cell.scale else 1.0)
    spared = 0.0
    for (_, whole), shares in shared.items():
        # as far as the longest prefix that ends before the image
        most = max((share for share in shares if share < 1), default=0.0)
        spared += whole * (sum(min(share, most) for share in shares) - most)
    spent = sum(cell_seconds(config, dataset, block, cell, rate) for cell in cells)
    return spent - spared * rate.sampled["none"]


def sample(config: Config, job: Job, rates: Mapping[str, Rates]) -> float:
    """Of a block's cells, all of them."""
    rate = rates[job.dataset]
    block = workload.block(config, job.dataset, job.block)
    cells = workload.expected(config, job.dataset, block)
    return rate.startup + cells_seconds(config, job.dataset, block, cells, rate)


def sensitivity(config: Config, job: Job, rates: Mapping[str, Rates]) -> float:
    """Pairs of gradients, accuracy, an attack, and with labels the implicit classifier's."""
    options, classifier, rate = config.datasets[job.dataset], job.classifier, rates[job.dataset]
    analysis, forward = options.sensitivity, rate.sampled["none"]
    pairs = 2 * analysis.steps
    if analysis.stabilizers:  # these walk every t, whose x_{t-1} is the next one's x_t
        pairs = options.schedule.timesteps * (2 if analysis.noise == "per_t" else 1)
    raw = rate.sampled[f"classifier:{classifier}:raw"] - forward
    total = 2 * analysis.images * raw + analysis.accuracy_images * (raw / TRAINING + forward)
    if not options.classifiers[classifier].noise_trained:
        through = rate.sampled[f"classifier:{classifier}:x0"]
        walked = options.schedule.timesteps if analysis.stabilizers else analysis.steps
        for switches in compat_walks(list(analysis.paper_compat), "x0"):
            if switches != ("clean_at_zero",):
                pairs += walked * (2 if "same_time" in switches else 1)
        total += analysis.images * pairs / analysis.steps * through
    if options.denoiser.condition_dropout is not None:
        total += analysis.images * (raw + 2 * forward)
    attack = analysis.attack
    attacked = attack.iterations * analysis.accuracy_images * raw if attack else 0.0
    return rate.startup + analysis.steps * total + attacked


def features(config: Config, job: Job, rates: Mapping[str, Rates]) -> float:
    """Of a block, or of the real images."""
    rate = rates[job.dataset]
    return rate.startup + rate.featured * featured(config, job)


def featured(config: Config, job: Job) -> int:
    """Images whose features a job extracts."""
    if job.block == workload.REAL:
        return images(config.datasets[job.dataset]) // 2
    block = workload.block(config, job.dataset, job.block)
    return _images(config, job.dataset, block)


def _images(config: Config, dataset: str, block: Block) -> int:
    """Samples of a seed block."""
    return block.count * len(workload.expected(config, dataset, block))
