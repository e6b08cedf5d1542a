"""Labels are dropped in training, as the MNIST notebook says and its code does not do.

Its loop writes the null token into `y`, a variable of an earlier cell, and trains on `target`.
"""

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from guidebench.data.store import Stored
from guidebench.diffusion.schedules import DDPMLinear
from guidebench.models import denoiser as network
from guidebench.pipeline.experiment.sections import Denoiser
from guidebench.pipeline.records.checkpoint import Checkpoint
from guidebench.pipeline.records.events import Events
from guidebench.train.denoiser import train

CLASSES, STEPS, BATCH = 4, 25, 32


@pytest.mark.parametrize("dropout", [0.0, 0.5, 1.0])
def test_labels_are_dropped(dropout: float, tmp_path: Path, monkeypatch) -> None:
    """The share of null tokens is p_uncond, and every other label is its own image's."""
    seen: list[tuple[torch.Tensor, torch.Tensor]] = []
    build = network.build

    def recording(*arguments):
        model = build(*arguments)

        def record(module, args, kwargs) -> None:
            seen.append((args[0].detach().clone(), kwargs["class_labels"].clone()))

        model.register_forward_pre_hook(record, with_kwargs=True)
        return model

    monkeypatch.setattr(network, "build", recording)
    labels = np.arange(64) % CLASSES
    # an image's brightness tells its label; almost no noise at the times of this schedule
    images = np.repeat(60 * labels, 64).reshape(64, 1, 8, 8).astype(np.uint8)
    data = Stored(images, labels, [str(label) for label in range(CLASSES)])
    options = Denoiser(
        channels=[8], norm_groups=4, steps=STEPS, batch_size=BATCH, condition_dropout=dropout
    )
    schedule = DDPMLinear(10, beta_start=1e-6, beta_end=1e-5)
    events = Events(tmp_path / "results/x/events/train_denoiser/d.jsonl", "train_denoiser", "d")
    events.start({}, {})
    train(
        data,
        options,
        schedule,
        0,
        Checkpoint(tmp_path / "c.pt", tmp_path),
        events,
        torch.device("cpu"),
    )
    x = torch.cat([pictures for pictures, _ in seen])
    tokens = torch.cat([label for _, label in seen])
    assert len(tokens) == STEPS * BATCH
    null = tokens == CLASSES
    error = math.sqrt(dropout * (1 - dropout) / len(tokens))
    assert abs(float(null.double().mean()) - dropout) <= 5 * error
    shown = ((x.mean(dim=(1, 2, 3)) + 1) * 127.5 / 60).round().long()
    assert torch.equal(tokens[~null], shown[~null])
    # dropped at random, not by label
    if dropout == 0.5:
        assert all(
            0.35 < float(null[shown == label].double().mean()) < 0.65 for label in range(CLASSES)
        )
