"""What the paper's network does on a GPU, within ten minutes: images a second, and of what share.

Each number stands beside the bare network's in the same precision and beside the card's bf16 peak;
a plain diffusers loop and the quality of bf16 are measured in the same run. `--tiny` runs the same
code on the CPU with a small network, and compiles nothing. With names of `MODES`, these alone, and
no quality.
Usage: .venv/bin/python benchmarks/gpu.py [--tiny] [MODE ...]
"""

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import torch
from diffusers import DDPMScheduler
from torch import Tensor

from guidebench.data.sportballs import draw
from guidebench.data.store import Stored
from guidebench.diffusion.schedules import DDPMLinear
from guidebench.guidance.sampling import Sampler
from guidebench.metrics.extractors import ClassifierFeatures, extract
from guidebench.metrics.frechet import Fitted, moments
from guidebench.models.classifier import Classifier
from guidebench.models.denoiser import Denoiser, build, save
from guidebench.models.precision import autocast, products
from guidebench.pipeline.experiment import sections
from guidebench.pipeline.experiment.sections import Sampling, Setup, Stabilizer
from guidebench.train import classifier as classifiers
from guidebench.train import denoiser as denoisers

TINY = "--tiny" in sys.argv
ASKED = [name for name in sys.argv[1:] if name != "--tiny"]
if not TINY and not torch.cuda.is_available():
    raise SystemExit("benchmarks/gpu.py: found no GPU that torch can use, allowed: --tiny")
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
LONG = 60  # training steps
# for the quality of bf16: training steps, drawn images, samples of each set and their steps
LEARNT, DRAWN, SAMPLED, FINE = 300, 2000, 256, 50
if TINY:
    NETWORK = sections.Denoiser(channels=[8, 16], condition_dropout=0.1, checkpoint_every=10**6)
    SIDE, ROWS, STEPS, LONG, PRODUCT = 8, 2, 2, 20, 64
    LEARNT, DRAWN, SAMPLED, FINE = 4, 32, 8, 2
# of one image: forward, with the backward to the input, and in training
FORWARD, THROUGH, TRAINED = 18.66e9, 40.27e9, 55.96e9
SCHEDULE = DDPMLinear(TIMESTEPS, rescale=True, device=DEVICE)
NOWHERE: Any = SimpleNamespace(
    path="",
    load=lambda: None,
    save=lambda state: None,
    metric=lambda *at, **values: None,
    progress=lambda *at: None,
)


class Mode(NamedTuple):
    """How a network runs: `sampling.precision`, its name in training, and `compile`."""

    precision: str
    training: str
    compile: bool = False

    def __str__(self) -> str:
        return f"{self.precision}{', compiled' if self.compile else ''}"


MODES = {
    "bf16": Mode("bf16", "bf16"),
    "compiled": Mode("bf16", "bf16", compile=True),
    "tf32": Mode("tf32", "tf32"),
    "float32": Mode("float32", "no"),
}
if TINY:
    del MODES["compiled"]


def seconds(call: Callable[[], object], repetitions: int = 5, warming: int = 2) -> float:
    """Median seconds of a call, after some that warm up."""
    measured = []
    for number in range(warming + repetitions):
        started = time.perf_counter()
        call()
        if DEVICE.type == "cuda":
            torch.cuda.synchronize()
        if number >= warming:
            measured.append(time.perf_counter() - started)
    return statistics.median(measured)


def peak(kind: torch.dtype) -> float:
    """Floating-point operations per second of a matrix product."""
    a, b = (torch.randn(PRODUCT, PRODUCT, device=DEVICE).to(kind) for _ in range(2))
    return 2 * PRODUCT**3 / seconds(lambda: a @ b)


def say(
    name: str, images: float, operations: float, best: float, alone: float | None = None
) -> None:
    """One line: images a second, the share of the bf16 peak, and that of the bare network's."""
    share = "" if alone is None else f", {images / alone:.2f} of the bare network"
    print(f"{name:44} {images:9.3g} images/s, {images * operations / best:.3f} of the peak{share}")


def bare(denoiser: Denoiser, mode: Mode, best: float) -> tuple[float, float]:
    """Images a second of the network alone: forward, and with the backward to its input."""
    x = torch.randn(ROWS, 3, SIDE, SIDE, device=DEVICE)
    x = x.contiguous(memory_format=torch.channels_last)

    def through() -> Tensor:
        asked = x.detach().requires_grad_()
        return torch.autograd.grad(denoiser(asked, 200).square().sum(), asked)[0]

    with products(mode.precision):
        with torch.no_grad():
            forward = ROWS / seconds(lambda: denoiser(x, 200))
        both = ROWS / seconds(through)
    say(f"bare network, {mode}, forward", forward, FORWARD, best)
    say(f"bare network, {mode}, and backward", both, THROUGH, best)
    return forward, both


def plain(denoiser: Denoiser, mode: Mode) -> None:
    """A diffusers loop, unguided."""
    scheduler = DDPMScheduler(TIMESTEPS, prediction_type="v_prediction")
    scheduler.set_timesteps(STEPS)
    label = torch.full((ROWS,), denoiser.null, device=DEVICE)
    x = torch.randn(ROWS, 3, SIDE, SIDE, device=DEVICE)
    with torch.no_grad(), autocast(DEVICE, mode.precision), products(mode.precision):
        for t in scheduler.timesteps:
            x = scheduler.step(denoiser.model(x, t, label).sample.float(), t, x).prev_sample


def sampling(folder: Path, mode: Mode, best: float) -> None:
    """Our sampler by every kind of guidance, beside the bare network and a plain loop."""
    options = Sampling(steps=STEPS, micro_batch=ROWS)
    how = {"precision": mode.precision, "compile": mode.compile}
    options = options.model_copy(update=how)
    sampler = Sampler.opened(folder, DEVICE, SCHEDULE, options, (3, SIDE, SIDE))
    forward, both = bare(sampler.denoiser, mode, best)
    if not mode.compile:
        images = ROWS * STEPS / seconds(partial(plain, sampler.denoiser, mode), 2, 1)
        name = f"plain diffusers loop, {mode}, T = {TIMESTEPS}"
        say(name, images / TIMESTEPS, FORWARD * TIMESTEPS, best, forward / TIMESTEPS)
    classifier = Classifier("small_resnet", 4, 64).eval().requires_grad_(False)
    classifier = classifier.to(DEVICE, memory_format=torch.channels_last)
    ema = Setup(guidance="classifier", stabilizer=Stabilizer(name="ema", beta=0.99))
    inputs = {kind: ema.model_copy(update={"input": kind}) for kind in ("raw", "x0_frozen", "x0")}
    calls: dict[str, tuple[Setup, float | None, Any]] = {
        "unguided": (Setup(), None, None),
        "cfg": (Setup(guidance="cfg"), 1.0, None),
        **{kind: (setup, 3.0, classifier) for kind, setup in inputs.items()},
    }
    seeds = torch.arange(ROWS, device=DEVICE)
    labels = torch.zeros(ROWS, dtype=torch.long, device=DEVICE)
    for name, (setup, scale, guide) in calls.items():
        if mode.compile and name not in ("unguided", "x0"):
            continue  # each other shape is another minute of compiling
        took = seconds(partial(sampler, setup, scale, guide, seeds, labels), 2, 1)
        cost, alone = (THROUGH, both) if name == "x0" else (FORWARD, forward)
        twice = 2 if name == "cfg" else 1
        images = ROWS * STEPS / TIMESTEPS / took
        what = f"{name}, {mode}, T = {TIMESTEPS}"
        say(what, images, twice * cost * TIMESTEPS, best, alone / twice / TIMESTEPS)


def training(data: Stored, mode: Mode, best: float) -> None:
    """Our training loop: a long run less a short one."""
    how = {"batch_size": ROWS, "mixed_precision": mode.training, "compile": mode.compile}
    options = NETWORK.model_copy(update=how)

    def run(steps: int) -> None:
        few = options.model_copy(update={"steps": steps})
        denoisers.train(data, few, SCHEDULE, 0, NOWHERE, NOWHERE, DEVICE)

    run(STEPS)
    short, long = (seconds(partial(run, steps), 1, 0) for steps in (STEPS, LONG))
    say(f"training, {mode}", (LONG - STEPS) * ROWS / (long - short), TRAINED, best)


def quality(data: Stored, folder: Path) -> None:
    """The distance of bf16 samples from float32's of the same seeds, and of other seeds from them.

    On features of a classifier that was trained on the same images, as the denoiser was.
    """
    options = NETWORK.model_copy(update={"steps": LEARNT, "batch_size": ROWS, "warmup": 2})
    bf16 = options.model_copy(update={"mixed_precision": "bf16"})
    model, _ = denoisers.train(data, bf16, SCHEDULE, 0, NOWHERE, NOWHERE, DEVICE)
    save(model, folder, SCHEDULE.discrete_betas().tolist(), "v")
    section = sections.Classifier(architecture="small_resnet", steps=LEARNT)
    judge, _ = classifiers.train(data, section, None, 1, NOWHERE, NOWHERE, DEVICE)

    def features(precision: str, first: int) -> np.ndarray:
        asked = Sampling(steps=FINE, micro_batch=ROWS, precision=precision)
        sampler = Sampler.opened(folder, DEVICE, SCHEDULE, asked, (3, SIDE, SIDE))
        seeds = torch.arange(first, first + SAMPLED, device=DEVICE)
        images = sampler(Setup(), None, None, seeds, torch.zeros_like(seeds)).images
        return extract(ClassifierFeatures("judge", judge), images, DEVICE)[0]

    reference = features("float32", 0)
    fitted = Fitted(reference, np.zeros(len(reference), int), 1)
    for name, found in {
        "bf16 against float32, equal seeds": features("bf16", 0),
        "float32 against float32, other seeds": features("float32", SAMPLED),
        "bf16 against float32, other seeds": features("bf16", SAMPLED),
    }.items():
        print(f"FD of {SAMPLED} samples, {name:40} {fitted.distance(moments(found)):.4g}")


def main() -> None:
    """All of it."""
    started = time.perf_counter()
    print(torch.cuda.get_device_name() if DEVICE.type == "cuda" else "CPU", torch.__version__)
    best = peak(torch.bfloat16)
    float32 = peak(torch.float32)
    with products("tf32"):
        tf32 = peak(torch.float32)
    print(
        f"matrix product, TFLOP/s: bf16 {best / 1e12:.3g}, tf32 {tf32 / 1e12:.3g}, "
        f"float32 {float32 / 1e12:.3g}"
    )
    balls = draw(sections.SportBallsData(source="sportballs", size=SIDE, canvas=4 * SIDE), DRAWN, 0)
    data = Stored(balls.images, balls.labels, balls.classes)
    with tempfile.TemporaryDirectory() as folder:
        betas = SCHEDULE.discrete_betas().tolist()
        save(build(NETWORK, SIDE, 3, 4), Path(folder), betas, "v")
        for name in ASKED or MODES:
            sampling(Path(folder), MODES[name], best)
            training(data, MODES[name], best)
        if not ASKED:
            quality(data, Path(folder))
    print(f"{(time.perf_counter() - started) / 60:.1f} minutes")


if __name__ == "__main__":
    main()
