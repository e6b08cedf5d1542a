"""How fast this machine is: every kind of work for a few steps, on random images."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import torch

from guidebench.analysis.ground_truth import Reference
from guidebench.base import choices, published
from guidebench.base.choices import classes
from guidebench.base.seeds import derive
from guidebench.data import load as load_data
from guidebench.data.store import Stored
from guidebench.guidance.sampling import Sampler
from guidebench.metrics.extractors import ClassifierFeatures, extract, inception
from guidebench.models import classifier_checkpoint
from guidebench.models.denoiser import save
from guidebench.models.denoiser_checkpoint import adopt
from guidebench.pipeline.errors import UserError
from guidebench.pipeline.experiment.config import Config
from guidebench.pipeline.experiment.reading import load
from guidebench.pipeline.experiment.sections import SportBallsData
from guidebench.pipeline.jobs.cost_model import world_cells
from guidebench.pipeline.jobs.execution import peak_memory, reset_peak_memory
from guidebench.pipeline.jobs.layout import Job, Layout
from guidebench.pipeline.jobs.parallel import claim_gpus
from guidebench.pipeline.jobs.rates import Rates, kinds, shape
from guidebench.pipeline.records.checkpoint import Checkpoint
from guidebench.pipeline.records.events import Events
from guidebench.stages import ground_truth
from guidebench.stages.stage import Stage
from guidebench.train import classifier as classifiers
from guidebench.train import denoiser as denoisers

TRAINING_STEPS = 8
SAMPLING_STEPS = 3
IMAGES, FEW = 256, 16
DRAWN, POSES = 96, 4
FORKED = 0.25  # a job, which starts as a fork (`forkserver`), takes this share of our own start-up


class Clock(Events):
    """Events that go nowhere and keep the time of every training iteration."""

    def __init__(self) -> None:
        super().__init__(Path("/dev/null"), "probe", "probe")
        self.times = [time.perf_counter()]

    def metric(self, step: int, **values: float) -> None:
        """Nothing."""

    def progress(self, done: float, total: float) -> None:
        """An iteration is over."""
        self.times.append(time.perf_counter())

    def step(self) -> float:
        """Median seconds of an iteration, without the first two, which allocate."""
        return float(np.median(np.diff(self.times)[2:]))


def timed(action: Callable[[], Any]) -> float:
    """Seconds of the second of two calls."""
    action()
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def probe(config: Config, name: str) -> tuple[Rates, dict[str, float]]:
    """Rates of a data set or world, and peak MiB after training and sampling."""
    startup = FORKED * (time.time() - psutil.Process().create_time())
    stage = Stage(config, Job("probe", name), Layout(Path("results"), config.name), Clock())
    if name in config.worlds:
        return Rates(startup, 0, 0, {}, {}, 0, _world_cell(stage)), {}
    options, device = stage.options, stage.device
    names = classes(options.data) or ["-"]
    chance = np.random.default_rng(0)
    pixels = chance.integers(0, 256, (IMAGES, *shape(options)), dtype=np.uint8)
    data = Stored(pixels, np.arange(IMAGES) % len(names), names)
    short = {"steps": TRAINING_STEPS, "checkpoint_every": 10**9}
    with tempfile.TemporaryDirectory() as temporary:
        folder, schedule = Path(temporary), stage.schedule()
        nowhere = Checkpoint(folder / "none", folder)
        betas, prediction = schedule.discrete_betas().tolist(), options.denoiser.prediction
        step = 0.0
        if options.denoiser.checkpoint:
            files, size = published.files(options.denoiser), shape(options)[1]
            adopt(files, folder, betas, prediction, size)
        else:
            clock = Clock()
            brief = options.denoiser.model_copy(update=short)
            model, _ = denoisers.train(data, brief, schedule, 0, nowhere, clock, device)
            save(model, folder, betas, prediction)
            step = clock.step() / options.denoiser.gpus
        trained, steps = {}, {}
        for key, classifier in options.classifiers.items():
            if classifier.checkpoint is not None:
                trained[key] = classifier_checkpoint.read(classifier, len(names)).to(device)
                steps[key] = 0.0
                continue
            ticks = Clock()
            noisy = schedule if classifier.noise_trained else None
            trained[key], _ = classifiers.train(
                data, classifier.model_copy(update=short), noisy, 0, nowhere, ticks, device
            )
            steps[key] = ticks.step()
        training = peak_memory()
        reset_peak_memory()
        sampler = Sampler.opened(folder, device, schedule, options.sampling, shape(options))
    size = options.sampling.micro_batch
    seeds = torch.tensor([derive(0, number) for number in range(size)], device=device)
    labels = torch.zeros(size, dtype=torch.long, device=device)
    sampled = {}
    for key, setup in kinds(config, name).items():
        guide = trained.get(setup.classifier or "")
        seconds = timed(
            lambda: sampler(setup, 1.0, guide, seeds, labels, steps=SAMPLING_STEPS)  # noqa: B023
        )
        calls = choices.sampler(setup.sampler or options.sampling.sampler).calls(SAMPLING_STEPS)
        sampled[key] = seconds / calls / size
    featured = sum(
        timed(lambda: extract(ClassifierFeatures(key, model), pixels, device))  # noqa: B023
        for key, model in trained.items()
    )
    featured /= len(pixels)
    if (network := inception(config.metrics.inception)) is not None:
        few = pixels[:FEW]
        featured += timed(lambda: extract(network, few, device)) / len(few)
    memory = {"training": training, "sampling": peak_memory()}
    rates = Rates(startup, _prepared(options.data), step, steps, sampled, featured)
    return rates, memory


def _prepared(data: Any) -> float:
    """Seconds to prepare an image; drawn images share the rendered poses."""
    if not isinstance(data, SportBallsData):
        return 0.001

    def draw(poses: int, count: int) -> float:
        few = data.model_copy(update={"poses": poses, "train": count, "validation": 2})
        started = time.perf_counter()
        load_data(few, 0)
        return time.perf_counter() - started

    draw(1, 2)
    first, more, rendered = draw(1, 2), draw(1, DRAWN), draw(POSES, 2)
    image, pose = (more - first) / (DRAWN - 2), (rendered - first) / (POSES - 1)
    return max(0.0, image) + max(0.0, pose) * data.poses / (data.train + data.validation)


def _world_cell(stage: Stage) -> float:
    """Seconds of a world's mean cell: one setup of each kind with every sampler, few steps."""
    world = stage.config.worlds[stage.job.dataset]
    blocks = stage.config.metrics.jackknife_blocks
    truth = ground_truth.truth_of(stage.config, stage.job.dataset)
    reference = Reference(truth.mixture, world.target, 1.0, 0)
    total = 0.0
    for setup in world.setups.values():
        scales = ground_truth.scales(setup)
        for steps in ground_truth.samplers(setup, world).values():
            few = steps.model_copy(update={"steps": SAMPLING_STEPS})
            seconds = timed(lambda: truth.sample(setup, scales[-1], few, world.target))  # noqa: B023
            total += len(scales) * seconds * steps.steps / SAMPLING_STEPS
    points = truth.sample(setup, scales[-1], few, world.target)
    count = sum(
        len(ground_truth.samplers(setup, world)) * len(ground_truth.scales(setup))
        for setup in world.setups.values()
    )
    total += 2 * count * timed(lambda: reference.measure(points, blocks))
    return total / world_cells(world)


def main() -> None:
    """Print the rates of one data set or world as JSON; `plan` runs several probes side by side."""
    parser = argparse.ArgumentParser()
    parser.add_argument("config")
    parser.add_argument("name")
    parser.add_argument("settings", nargs="*")
    arguments = parser.parse_args()
    config = load(arguments.config, arguments.settings)
    torch.set_num_threads(config.threads)
    if config.device != "cpu":
        claim_gpus(1)
    try:
        rates, memory = probe(config, arguments.name)
    except UserError as error:
        sys.exit(str(error))
    sys.stdout.write(json.dumps({"rates": rates._asdict(), "memory": memory}) + "\n")


if __name__ == "__main__":
    main()
