"""Training of classifiers: on clean images, on x_t (nrCG, eq. 2), on adversarial examples."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from guidebench.base.seeds import derive
from guidebench.data.store import Stored, to_device, to_float
from guidebench.diffusion.schedule import Schedule
from guidebench.models.classifier import Classifier, predicted
from guidebench.pipeline.records.checkpoint import Checkpoint
from guidebench.pipeline.records.events import Events
from guidebench.train.adversarial import attack
from guidebench.train.loop import Batches, History, Plan, fit, flip, generator

if TYPE_CHECKING:
    from guidebench.pipeline.experiment import sections


def train(
    data: Stored,
    options: sections.Classifier,
    schedule: Schedule | None,
    seed: int,
    checkpoint: Checkpoint,
    events: Events,
    device: torch.device,
) -> tuple[Classifier, History]:
    """Train on `data`, on x_t with t uniform when `schedule` is given.

    With `options.adversarial`: on adversarial examples (Madry et al. 2018, eq. 2.1).
    """
    torch.manual_seed(derive(seed, "weights"))
    model = Classifier(
        options.architecture,
        len(data.classes),
        options.hidden,
        mean=options.mean,
        std=options.std,
        input_size=options.input_size,
    )
    model = model.to(device).to(memory_format=torch.channels_last)
    batches = Batches(len(data.images), options.batch_size, derive(seed, "batches"))

    def loss(network: nn.Module, step: int) -> Tensor:
        chance = generator(seed, step)
        torch.manual_seed(derive(seed, "dropout", step))  # a resumed training drops the same
        index = batches(step)
        x = to_float(data.images[index], device)
        labels = to_device(torch.from_numpy(data.labels[index]), device)
        if options.flip:
            x = flip(x, chance)
        time: Tensor | float = 0.0
        if schedule is not None:
            t = to_device(schedule.draw(len(x), chance), device)
            noise = to_device(torch.randn(x.shape, generator=chance), device)
            x = schedule.diffuse(x, noise, t)
            time = schedule.time(t)
        if options.adversarial is not None:
            # on the network as it guides, so that no step enters its running statistics, and each
            # row's example is its own
            network.eval()
            x = attack(
                lambda given: -model.log_prob(network(given, time), labels).sum(),
                x,
                options.adversarial,
                chance,
            )
            network.train()
        return model.loss(network(x, time), labels)

    warmup = options.steps // 20 if options.warmup is None else options.warmup
    plan = Plan(
        options.steps,
        options.batch_size,
        options.learning_rate,
        warmup,
        options.weight_decay,
        options.checkpoint_every,
        clip_norm=options.clip_norm,
    )
    trained, history = fit(model, loss, plan, checkpoint, events, device)
    assert isinstance(trained, Classifier)
    return trained.eval().requires_grad_(False), history


@torch.no_grad()
def accuracy(model: Classifier, data: Stored, device: torch.device, batch: int = 256) -> float:
    """Share of `data` that the model classifies correctly."""
    correct = 0
    for start in range(0, len(data.images), batch):
        logits = model(to_float(data.images[start : start + batch], device))
        labels = torch.from_numpy(data.labels[start : start + batch]).to(device)
        correct += int((predicted(logits) == labels).sum())
    return correct / len(data.images)
