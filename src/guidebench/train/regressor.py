"""Training of a regressor on images whose true numbers are known."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from guidebench.base.seeds import derive
from guidebench.data.store import Stored, to_device, to_float
from guidebench.models.regressor import Regressor
from guidebench.pipeline.records.checkpoint import Checkpoint
from guidebench.pipeline.records.events import Events
from guidebench.train.loop import Batches, History, Plan, fit

if TYPE_CHECKING:
    from guidebench.pipeline.experiment import sections


def train(
    data: Stored,
    true: np.ndarray,
    options: sections.Attributes,
    seed: int,
    checkpoint: Checkpoint,
    events: Events,
    device: torch.device,
) -> tuple[Regressor, History]:
    """Train on images of `data` and their true numbers [N, K]."""
    torch.manual_seed(derive(seed, "weights"))
    known = torch.from_numpy(true).float()
    model = Regressor(data.images.shape[2], known.mean(0), known.std(0)).to(device)
    batches = Batches(len(known), options.batch_size, derive(seed, "batches"))

    def loss(network: nn.Module, step: int) -> Tensor:
        index = batches(step)
        wanted = to_device(known[index], device)
        return model.loss(network(to_float(data.images[index], device)), wanted)

    # a minute's work: it begins again rather than resumes
    plan = Plan(
        options.steps,
        options.batch_size,
        options.learning_rate,
        options.steps // 20,
        0.0,
        options.steps,
    )
    trained, history = fit(model, loss, plan, checkpoint, events, device)
    assert isinstance(trained, Regressor)
    return trained.eval().requires_grad_(False), history
