"""Accuracy and sensitivity of one classifier along the forward process."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import pandas as pd
import torch

from guidebench.analysis.sensitivity import (
    Table,
    Views,
    accuracy,
    implicit,
    indices,
    pairs,
    shared,
)
from guidebench.base.choices import compat_walks
from guidebench.base.seeds import derive
from guidebench.data.store import Stored, read, to_float
from guidebench.guidance.built import clip_gradient
from guidebench.guidance.gradients import ClassifierGradient
from guidebench.guidance.networks import BoundDenoiser
from guidebench.guidance.stabilizers import Identity, Stabilize, build
from guidebench.models import classifier as classifiers
from guidebench.models.denoiser import Denoiser
from guidebench.pipeline.records.artifacts import atomic
from guidebench.stages.stage import Stage
from guidebench.train.adversarial import under_attack
from guidebench.train.loop import generator

FILE = "sensitivity.parquet"


def views(stage: Stage, data: Stored, count: int) -> Views:
    """The first `count` held-out images with one noise seed each."""
    device = stage.device
    count = min(count, len(data.images))
    seeds = [derive(stage.seed("sensitivity"), number) for number in range(count)]
    return Views(
        to_float(data.images[:count], device),
        torch.from_numpy(np.array(data.labels[:count])).to(device),
        torch.tensor(seeds, device=device),
        stage.options.sensitivity.noise == "per_t",
    )


def run(stage: Stage) -> None:
    """Walk t = T-1 .. 0: accuracy on raw images and on x0_pred, sensitivities on those that guide.

    On x0_pred guides a classifier that never saw noise. What `paper_compat` names is walked once
    more each, with its name in the column `input`; there `attack` stands for adversarial examples
    of the clean images.
    """
    dataset, name = stage.job.dataset, stage.job.classifier
    layout, options = stage.layout, stage.options.sensitivity
    stage.use("prepare", dataset)
    stage.use("train_denoiser", dataset)
    stage.use("train_classifier", dataset, name)
    data = read(layout.data(dataset) / "validation")
    schedule = stage.schedule()
    again = stage.options.sampling.gradient_checkpointing
    denoiser = Denoiser(layout.denoiser(dataset), stage.device, again)
    classifier = classifiers.load(layout.classifier(dataset, name), stage.device)
    grid = indices(schedule, options.steps)
    noisy = stage.options.classifiers[name].noise_trained
    guiding = ["raw"] if noisy else ["raw", "x0"]
    evaluates = {
        kind: ClassifierGradient(
            lambda x, t: denoiser(x, schedule.network_time(t)),
            denoiser.prediction,
            schedule,
            classifier,
            kind,
            clip_gradient(stage.options.sampling),
        )
        for kind in ("raw", "x0")
    }
    many, few = (views(stage, data, n) for n in (options.accuracy_images, options.images))
    target = few.labels if stage.target is None else stage.target
    table, done = Table(), 0
    walks = [
        (kind, switches)
        for kind in evaluates
        for switches in [(), *compat_walks(list(options.paper_compat), kind)]
        if kind in guiding or not switches
    ]
    sensed = [
        (kind, switches)
        for kind, switches in walks
        if kind in guiding and switches != ("clean_at_zero",)
    ]
    accuracies = [walk for walk in walks if not walk[1] or "clean_at_zero" in walk[1]]
    steps = sum(len(grid) if not switches else 1 for _, switches in accuracies)
    steps += len(grid) * len(sensed) + (options.attack is not None)
    for kind, switches in walks:
        evaluate, source = evaluates[kind], "+".join((kind, *switches))
        stabilizers: dict[str, Callable[[], Stabilize]] = {"none": Identity}
        if kind == "x0":
            stabilizers |= {
                key: partial(build, section, schedule.timesteps, schedule.timesteps)
                for key, section in options.stabilizers.items()
            }
        at_zero = "clean_at_zero" in switches
        if (kind, switches) in accuracies:
            # of the public code's accuracies that at t = 0 alone is another
            reported = [0] if at_zero else grid
            for t, correct in accuracy(evaluate, schedule, many, reported, at_zero):
                table.add(source, "none", "accuracy", t, correct)
                done += 1
                stage.events.progress(done, steps)
        if "shared_state" in switches:
            # the public code walks x_t to t = 1 before x0_pred
            stabilizers = {key: shared(make) for key, make in stabilizers.items()}
            for _ in pairs(evaluates["raw"], schedule, few, [1], target, stabilizers):
                pass
        if (kind, switches) in sensed:
            last, same_time = None, "same_time" in switches
            for t, stabilizer, quantity, value in pairs(
                evaluate, schedule, few, grid, target, stabilizers, same_time
            ):
                table.add(source, stabilizer, quantity, t, value)
                if t != last:
                    last, done = t, done + 1
                    stage.events.progress(done, steps)
        if source == "raw" and denoiser.conditional:
            networks = BoundDenoiser(denoiser, schedule, few.labels)
            for t, cosine in implicit(evaluate, networks.conditional, schedule, few, grid):
                table.add(kind, "none", "implicit_cosine", t, cosine)
    if options.attack is not None:
        chance = generator(stage.seed("attack"), 0)
        right = under_attack(classifier, many.images, many.labels, options.attack, chance)
        table.add("attack", "none", "accuracy", 0, right)
        stage.events.progress(steps, steps)
    frame = pd.DataFrame(table.rows)
    frame.insert(0, "classifier", name)
    frame.insert(0, "dataset", dataset)
    with atomic(layout.sensitivity(dataset, name) / FILE) as temporary:
        frame.to_parquet(temporary, index=False)
    stage.finish([FILE])
