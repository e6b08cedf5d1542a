"""Seconds per sampling step against a plain diffusers loop on the same network.

An x0-guided step is one denoiser forward and backward and the classifier's: about three forwards.

Usage: .venv/bin/python benchmarks/sampling.py
"""

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from diffusers import DDPMScheduler

from guidebench.diffusion.schedules import DDPMLinear
from guidebench.guidance.sampling import Sampler
from guidebench.models.classifier import Classifier
from guidebench.models.denoiser import Denoiser, build, save
from guidebench.pipeline.experiment import sections
from guidebench.pipeline.experiment.sections import Sampling, Setup, Stabilizer

NETWORK = sections.Denoiser(channels=[16, 32, 64])
STEPS, ROWS, REPETITIONS = 4, 32, 7
SAMPLING = Sampling(steps=STEPS, micro_batch=ROWS)
UNGUIDED = Setup()
GUIDED = Setup(guidance="classifier", stabilizer=Stabilizer(name="ema", beta=0.99))


def plain(denoiser: Denoiser) -> None:
    """Diffusers' own loop: network and scheduler step under no_grad."""
    scheduler = DDPMScheduler(400, prediction_type="v_prediction", timestep_spacing="trailing")
    scheduler.set_timesteps(STEPS)
    x = torch.randn(ROWS, 3, 32, 32).contiguous(memory_format=torch.channels_last)
    with torch.no_grad():
        for t in scheduler.timesteps:
            x = scheduler.step(denoiser.model(x, t).sample, t, x).prev_sample


def main() -> None:
    """Median ratios over paired repetitions."""
    torch.set_num_threads(1)
    schedule = DDPMLinear(400, rescale=True)
    with tempfile.TemporaryDirectory() as folder:
        save(build(NETWORK, 32, 3, 4), Path(folder), schedule.betas.tolist(), "v")
        denoiser = Denoiser(Path(folder), torch.device("cpu"))
    classifier = Classifier("small_cnn", 4, 64).eval().requires_grad_(False)
    classifier = classifier.to(memory_format=torch.channels_last)
    sampler = Sampler(denoiser, schedule, SAMPLING, (3, 32, 32))
    seeds, labels = torch.arange(ROWS), torch.zeros(ROWS, dtype=torch.long)
    calls: dict[str, Callable[[], object]] = {
        "plain diffusers loop": lambda: plain(denoiser),
        "unguided": lambda: sampler(UNGUIDED, None, None, seeds, labels),
    }
    for kind in ("raw", "x0_frozen", "x0"):
        setup = GUIDED.model_copy(update={"input": kind})
        calls[kind] = lambda setup=setup: sampler(setup, 3.0, classifier, seeds, labels)
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for repetition in range(REPETITIONS + 1):
        for name, call in calls.items():
            started = time.perf_counter()
            call()
            if repetition:
                seconds[name].append((time.perf_counter() - started) / STEPS)
    base = seconds["plain diffusers loop"]
    for name, values in seconds.items():
        ratio = statistics.median(a / b for a, b in zip(values, base, strict=True))
        print(
            f"{name}: {statistics.median(values) * 1e3:.1f} ms a step of {ROWS} rows, "
            f"{ratio:.2f} of the plain loop"
        )


if __name__ == "__main__":
    main()
