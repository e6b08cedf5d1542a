"""CPU seconds of a training step of the default SportBalls network, against a plain loop's.

The plain one is what `torch` and diffusers have out of the box: AdamW and AveragedModel as they
come, the network in training mode, the loss read in each step. Both see the same images, noise and
times, from the same memory map. Usage: .venv/bin/python benchmarks/training.py
"""

import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pairs
import torch
from torch import nn
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from guidebench.base.seeds import derive
from guidebench.data.store import Stored, to_float
from guidebench.diffusion.convert import target
from guidebench.diffusion.schedules import DDPMLinear
from guidebench.models.denoiser import build
from guidebench.pipeline.experiment import sections
from guidebench.train.denoiser import train
from guidebench.train.loop import Batches, generator

OPTIONS = sections.Denoiser(patch=2, channels=[16, 32], batch_size=32, checkpoint_every=10**6)
IMAGES, SIDE = 6000, 32
STEPS, ROUNDS, WARM = 40, 5, 5
CPU, SCHEDULE = torch.device("cpu"), DDPMLinear(400, rescale=True)


class Ticks:
    """A checkpoint and events that go nowhere: each step's CPU seconds."""

    path = ""

    def __init__(self) -> None:
        self.times: list[float] = []

    def load(self) -> None:
        """Nothing to continue from."""

    def save(self, state: bytes) -> None:
        """Nothing."""

    def metric(self, *_: Any, **__: Any) -> None:
        """Nothing."""

    def progress(self, *_: Any) -> None:
        """A step is over."""
        self.times.append(time.process_time())

    def steps(self) -> list[float]:
        """CPU seconds of each, without the first, which allocate."""
        return np.diff(self.times)[WARM:].tolist()


def ours(data: Stored) -> list[float]:
    """CPU seconds of each of our steps."""
    ticks: Any = Ticks()
    options = OPTIONS.model_copy(update={"steps": STEPS})
    train(data, options, SCHEDULE, 0, ticks, ticks, CPU)
    return ticks.steps()


def plain(data: Stored) -> list[float]:
    """CPU seconds of each step of the plain loop."""
    torch.manual_seed(0)
    model = build(OPTIONS, SIDE, 3, 4).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.0)
    average = get_ema_multi_avg_fn(OPTIONS.weight_average)
    averaged = AveragedModel(model, multi_avg_fn=average, use_buffers=True)
    batches = Batches(IMAGES, OPTIONS.batch_size, derive(0, "batches"))
    ticks, losses = Ticks(), []
    for step in range(STEPS):
        optimizer.zero_grad(set_to_none=True)
        chance = generator(0, step)
        x0 = to_float(data.images[batches(step)], CPU)
        t = SCHEDULE.draw(len(x0), chance)
        noise = torch.randn(x0.shape, generator=chance)
        levels = SCHEDULE.alpha(t), SCHEDULE.sigma(t)
        alpha, sigma = (level.float().view(-1, 1, 1, 1) for level in levels)
        x = (alpha * x0 + sigma * noise).contiguous(memory_format=torch.channels_last)
        output = model(x, t, return_dict=False)[0]
        loss = functional.mse_loss(output, target("v", x0, noise, alpha, sigma))
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        losses.append(float(loss.detach()))
        optimizer.step()
        averaged.update_parameters(model)
        ticks.progress()
    return ticks.steps()


def reading(data: Stored) -> float:
    """CPU seconds of one step's images, from the memory map to floats."""
    batches = Batches(IMAGES, OPTIONS.batch_size, derive(0, "batches"))
    batches(0)
    steps = range(1, 101)
    started = time.process_time()
    for step in steps:
        to_float(data.images[batches(step)], CPU)
    return (time.process_time() - started) / len(steps)


def main() -> None:
    """Median ratio over rounds, with the order swapped in every other one."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "images.npy"
        chance = np.random.default_rng(0)
        np.save(path, chance.integers(0, 256, (IMAGES, 3, SIDE, SIDE), dtype=np.uint8))
        labels = np.zeros(IMAGES, np.int64)
        data = Stored(np.load(path, mmap_mode="r"), labels, list("abcd"))
        medians: dict[str, list[float]] = {"ours": [], "plain": []}
        for number in range(ROUNDS):
            for call in (ours, plain)[:: -1 if number % 2 else 1]:
                medians[call.__name__].append(float(np.median(call(data))))
        step = float(np.median(medians["ours"]))
        share = reading(data) / step
    print(f"a step of {OPTIONS.batch_size} images: {step * 1e3:.0f} ms of one core")
    gain = pairs.ratio(medians["plain"], medians["ours"])
    pairs.row("training step, plain loop / ours", f"{gain:.2f}", "≥ 1.15")
    pairs.row("images by memory map / training step", f"{100 * share:.1f} %", "< 3 %")


if __name__ == "__main__":
    main()
