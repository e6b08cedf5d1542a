"""Torchvision's networks by name as guides: training, both gradients, sensitivity."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from guidebench.analysis.sensitivity import Views, accuracy, pairs
from guidebench.data.store import Stored
from guidebench.diffusion.schedules import DDPMLinear
from guidebench.guidance.gradients import ClassifierGradient
from guidebench.guidance.stabilizers import Identity
from guidebench.pipeline.experiment.sections import Classifier
from guidebench.pipeline.records.checkpoint import Checkpoint
from guidebench.pipeline.records.events import Events
from guidebench.train import classifier as classifiers

CPU = torch.device("cpu")


@pytest.mark.parametrize("side", [32, 64])
@pytest.mark.parametrize("architecture", ["squeezenet1_1", "resnet18", "efficientnet_b0"])
def test_it_trains_guides_and_is_analysed(architecture: str, side: int, tmp_path: Path) -> None:
    chance = np.random.default_rng(0)
    images = chance.integers(0, 256, (8, 3, side, side), dtype=np.uint8)
    data = Stored(images, np.arange(8) % 4, ["a", "b", "c", "d"])
    events = Events(tmp_path / "results/x/events/train/job.jsonl", "train", "job")
    events.start({}, {})
    options = Classifier(architecture=architecture, steps=2, batch_size=4, learning_rate=1e-4)
    model, history = classifiers.train(
        data, options, None, 0, Checkpoint(tmp_path / "c", tmp_path), events, CPU
    )
    assert len(history) == 2
    torch.manual_seed(0)
    denoiser, schedule = nn.Conv2d(3, 3, 3, padding=1), DDPMLinear(20, rescale=True)

    def network(x: Tensor, t: int) -> Tensor:
        predicted: Tensor = denoiser(x)
        return predicted

    labels = torch.from_numpy(data.labels[:4])
    views = Views(torch.rand(4, 3, side, side) * 2 - 1, labels, torch.arange(4), False)
    for kind in ("raw", "x0"):
        evaluate = ClassifierGradient(network, "eps", schedule, model, kind, "straight_through")
        guided = evaluate(views.images, 10, 1)
        assert guided.logits.shape == (4, 4)
        assert guided.gradient.isfinite().all()
        assert (guided.gradient.flatten(1).norm(dim=1) > 0).all()
        found = {
            quantity: value
            for _, _, quantity, value in pairs(
                evaluate, schedule, views, [10], labels, {"none": Identity}
            )
        }
        assert found.keys() >= {"logit_sensitivity", "grad_sensitivity", "grad_cosine"}
        assert all(value.isfinite().all() for value in found.values())
        ((t, correct),) = accuracy(evaluate, schedule, views, [10])
        assert (t, correct.shape) == (10, (4,))
