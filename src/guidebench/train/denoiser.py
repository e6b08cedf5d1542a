"""Training of the denoiser: the objective of Ho et al. 2020, eq. 14, for eps, v, x0 or score."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from accelerate import PartialState
from torch import Tensor, nn
from torch.nn import functional

from guidebench.base.seeds import derive
from guidebench.data.store import Stored, to_device, to_float
from guidebench.diffusion.continuous import LogSNRCosine
from guidebench.diffusion.convert import target
from guidebench.diffusion.schedule import Schedule
from guidebench.models import denoiser as network
from guidebench.models.precision import autocast, compiled, products
from guidebench.pipeline.recording import Methods
from guidebench.pipeline.records.checkpoint import Checkpoint
from guidebench.pipeline.records.events import Events
from guidebench.train.loop import Batches, History, Plan, fit, flip, generator

if TYPE_CHECKING:
    from guidebench.pipeline.experiment import sections

LOSSES: Methods[Callable[[Tensor, Tensor], Tensor]] = Methods(
    mse=functional.mse_loss, l1=functional.l1_loss, huber=functional.smooth_l1_loss
)


def train(
    data: Stored,
    options: sections.Denoiser,
    schedule: Schedule,
    seed: int,
    checkpoint: Checkpoint,
    events: Events,
    device: torch.device,
) -> tuple[nn.Module, History]:
    """Train on images of `data` and return (averaged model, history)."""
    torch.manual_seed(derive(seed, "weights"))
    _, channels, size, _ = data.images.shape
    model = network.build(options, size, channels, len(data.classes)).to(device)
    batches = Batches(len(data.images), options.batch_size, derive(seed, "batches"))
    drop, kind = options.condition_dropout, options.prediction
    criterion = LOSSES[options.loss]

    # each process draws the whole batch and takes its part: the batch is that of one process
    state = PartialState(cpu=device.type == "cpu")
    mine = slice(state.process_index, None, state.num_processes)

    def loss(network: nn.Module, step: int) -> Tensor:
        chance = generator(seed, step)
        index = batches(step)
        x0 = to_float(data.images[index], device)
        if options.flip:
            x0 = flip(x0, chance)
        t = times(options.time_sampling, schedule, len(x0), chance)
        noise = torch.randn(x0.shape, generator=chance)[mine]
        label = None
        if drop is not None:
            dropped = torch.rand(len(x0), generator=chance) < drop
            label = torch.from_numpy(data.labels[index])
            label = to_device(torch.where(dropped, len(data.classes), label)[mine], device)
        x0, noise, t = x0[mine], to_device(noise, device), to_device(t[mine], device)
        alpha, sigma = (
            level.float().view(-1, 1, 1, 1) for level in (schedule.alpha(t), schedule.sigma(t))
        )
        objective = target(kind, x0, noise, alpha, sigma)
        with autocast(device, options.mixed_precision):
            x = (alpha * x0 + sigma * noise).contiguous(memory_format=torch.channels_last)
            output = network(x, schedule.network_time(t), class_labels=label, return_dict=False)[0]
        output = sigma * output.float() if kind == "score" else output.float()
        return criterion(output, objective)

    plan = Plan(
        options.steps,
        options.batch_size,
        options.learning_rate,
        options.warmup,
        options.weight_decay,
        options.checkpoint_every,
        options.weight_average,
        options.rate,
        options.clip_norm,
    )
    if options.compile:
        compiled(model, device, "denoiser.compile")
    with products(options.mixed_precision):
        return fit(model, loss, plan, checkpoint, events, device)


def times(sampling: str, schedule: Schedule, count: int, chance: torch.Generator) -> Tensor:
    """Training times [count]: uniform, or with the cosine schedule's logsnr (CFG paper, sec. 2)."""
    if sampling == "uniform":
        return schedule.draw(count, chance)
    cosine = LogSNRCosine()
    return schedule.at_logsnr(cosine.logsnr(cosine.draw(count, chance)))
