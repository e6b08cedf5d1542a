"""What the paper's network does on a GPU: images a second, and the share of the card's peak.

Against the bare network, and a plain diffusers loop in the same run. `--tiny` runs the same code on
the CPU with a small network. Usage: .venv/bin/python benchmarks/gpu.py [--tiny]
"""

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from diffusers import DDPMScheduler
from torch import Tensor

from guidebench.diffusion.schedules import DDPMLinear
from guidebench.guidance.sampling import Sampler
from guidebench.models.classifier import Classifier
from guidebench.models.denoiser import Denoiser, build, save
from guidebench.pipeline.experiment import sections
from guidebench.pipeline.experiment.sections import Sampling, Setup, Stabilizer
from guidebench.train.denoiser import train

TINY = "--tiny" in sys.argv
DEVICE = torch.device("cpu" if TINY else "cuda")
# the paper's CelebA network: 22.41 M parameters
NETWORK = sections.Denoiser(
    channels=[64, 128, 192, 256],
    layers_per_block=2,
    attention=[False, True, True, True],
    norm_groups=32,
    condition_dropout=0.1,
    checkpoint_every=10**6,
)
SIDE, ROWS, STEPS, TIMESTEPS, PRODUCT = 64, 128, 10, 400, 8192
if TINY:
    NETWORK = sections.Denoiser(channels=[8, 16], condition_dropout=0.1, checkpoint_every=10**6)
    SIDE, ROWS, STEPS, PRODUCT = 8, 2, 2, 64
# of one image: forward, with the backward to the input, and in training
FORWARD, THROUGH, TRAINED = 18.66e9, 40.27e9, 55.96e9


def seconds(call: Callable[[], object], repetitions: int = 5) -> float:
    """Median seconds of a call, after two that warm up."""
    found = []
    for number in range(repetitions + 2):
        started = time.perf_counter()
        call()
        if DEVICE.type == "cuda":
            torch.cuda.synchronize()
        if number > 1:
            found.append(time.perf_counter() - started)
    return statistics.median(found)


def peak(kind: torch.dtype) -> float:
    """Floating-point operations per second of a matrix product."""
    a, b = (torch.randn(PRODUCT, PRODUCT, device=DEVICE).to(kind) for _ in range(2))
    return 2 * PRODUCT**3 / seconds(lambda: a @ b)


def say(name: str, images: float, operations: float, best: float) -> None:
    """One line: images a second, and the share of the bf16 peak."""
    print(f"{name:54} {images:9.3g} images/s, {images * operations / best:.3f} of the bf16 peak")


def networks(denoiser: Denoiser, best: float) -> None:
    """The bare network, forward and with the backward to its input."""
    x = torch.randn(ROWS, 3, SIDE, SIDE, device=DEVICE)
    x = x.contiguous(memory_format=torch.channels_last)

    def through() -> Tensor:
        asked = x.detach().requires_grad_()
        return torch.autograd.grad(denoiser(asked, 200).float().square().sum(), asked)[0]

    for mixed in (False, True):
        with torch.autocast(DEVICE.type, torch.bfloat16, enabled=mixed):
            words = "bf16 autocast" if mixed else "float32"
            with torch.no_grad():
                forward = seconds(lambda: denoiser(x, 200))
            say(f"bare network, {words}, forward", ROWS / forward, FORWARD, best)
            both = seconds(through)
            say(f"bare network, {words}, forward and backward", ROWS / both, THROUGH, best)


def sampling(denoiser: Denoiser, schedule: DDPMLinear, best: float) -> None:
    """Our sampler by every kind of guidance, and a plain diffusers loop."""
    classifier = Classifier("small_resnet", 4, 64).eval().requires_grad_(False)
    classifier = classifier.to(DEVICE, memory_format=torch.channels_last)
    options = Sampling(steps=STEPS, micro_batch=ROWS)
    sampler = Sampler(denoiser, schedule, options, (3, SIDE, SIDE))
    seeds = torch.arange(ROWS, device=DEVICE)
    labels = torch.zeros(ROWS, dtype=torch.long, device=DEVICE)
    ema = Setup(guidance="classifier", stabilizer=Stabilizer(name="ema", beta=0.99))
    inputs = {kind: ema.model_copy(update={"input": kind}) for kind in ("raw", "x0_frozen", "x0")}
    calls: dict[str, tuple[Setup, float | None, Any]] = {
        "unguided": (Setup(), None, None),
        "cfg": (Setup(guidance="cfg"), 1.0, None),
        **{kind: (setup, 3.0, classifier) for kind, setup in inputs.items()},
    }

    def plain() -> None:
        scheduler = DDPMScheduler(TIMESTEPS, prediction_type="v_prediction")
        scheduler.set_timesteps(STEPS)
        x = torch.randn(ROWS, 3, SIDE, SIDE, device=DEVICE)
        with torch.no_grad():
            for t in scheduler.timesteps:
                x = scheduler.step(denoiser(x, t), t, x).prev_sample

    images = ROWS * STEPS / TIMESTEPS / seconds(plain, 3)
    say("plain diffusers loop, unguided, T = 400", images, FORWARD * TIMESTEPS, best)
    for name, (setup, scale, guide) in calls.items():
        took = seconds(partial(sampler, setup, scale, guide, seeds, labels), 3)
        cost = (THROUGH if name == "x0" else FORWARD) * (2 if name == "cfg" else 1)
        say(f"{name}, T = 400", ROWS * STEPS / TIMESTEPS / took, cost * TIMESTEPS, best)


def training(schedule: DDPMLinear, best: float) -> None:
    """Our training loop: a long run less a short one."""
    chance = np.random.default_rng(0)
    data: Any = SimpleNamespace(
        images=chance.integers(0, 255, (2048, 3, SIDE, SIDE), dtype=np.uint8),
        labels=np.zeros(2048, np.int64),
        classes=list("abcd"),
    )
    nothing: Any = SimpleNamespace(
        path="",
        load=lambda: None,
        save=lambda state: None,
        metric=lambda *at, **values: None,
        progress=lambda *at: None,
    )
    for mixed in ("no", "bf16"):
        options = NETWORK.model_copy(update={"batch_size": ROWS, "mixed_precision": mixed})
        run = partial(
            train,
            data,
            schedule=schedule,
            seed=0,
            checkpoint=nothing,
            events=nothing,
            device=DEVICE,
        )
        short, long = (
            seconds(partial(run, options.model_copy(update={"steps": steps})), 1)
            for steps in (STEPS, 4 * STEPS)
        )
        say(f"training, mixed_precision {mixed}", 3 * STEPS * ROWS / (long - short), TRAINED, best)


def main() -> None:
    """All of it, in a minute or two."""
    print(torch.cuda.get_device_name() if DEVICE.type == "cuda" else "CPU", torch.__version__)
    best = peak(torch.bfloat16)
    print(
        f"matrix product: bf16 {best / 1e12:.3g} TFLOP/s, float32 {peak(torch.float32) / 1e12:.3g}"
    )
    schedule = DDPMLinear(TIMESTEPS, rescale=True, device=DEVICE)
    with tempfile.TemporaryDirectory() as folder:
        save(build(NETWORK, SIDE, 3, 4), Path(folder), schedule.discrete_betas().tolist(), "v")
        denoiser = Denoiser(Path(folder), DEVICE)
    networks(denoiser, best)
    sampling(denoiser, schedule, best)
    training(schedule, best)


if __name__ == "__main__":
    main()
