"""CPU seconds of a guided step of the default SportBalls network, against its bare networks'.

Bare is what no implementation can leave out: of `raw` a forward pass, and the classifier's forward
and backward; of `x0` one forward and one backward through both. And against a plain diffusers loop,
unguided. Usage: .venv/bin/python benchmarks/sampling.py
"""

import statistics
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pairs
import torch
from diffusers import DDPMScheduler
from torch import Tensor

from guidebench.diffusion.schedules import DDPMLinear
from guidebench.guidance.sampling import Sampler
from guidebench.models.classifier import Classifier
from guidebench.models.denoiser import Denoiser, build, save
from guidebench.pipeline.experiment import sections
from guidebench.pipeline.experiment.sections import Sampling, Setup, Stabilizer

NETWORK = sections.Denoiser(patch=2, channels=[16, 32])
STEPS, ROWS, REPETITIONS = 25, 32, 7
SAMPLING = Sampling(steps=STEPS, micro_batch=ROWS)
GUIDED = Setup(guidance="classifier", stabilizer=Stabilizer(name="ema", beta=0.99))
ALPHA, SIGMA, TIME = 0.6, 0.8, 200


def plain(denoiser: Denoiser) -> None:
    """Diffusers' own loop: network and scheduler step under no_grad."""
    scheduler = DDPMScheduler(400, prediction_type="v_prediction", timestep_spacing="trailing")
    scheduler.set_timesteps(STEPS)
    x = torch.randn(ROWS, 3, 32, 32).contiguous(memory_format=torch.channels_last)
    with torch.no_grad():
        for t in scheduler.timesteps:
            x = scheduler.step(denoiser.model(x, t).sample, t, x).prev_sample


def bare(kind: str, denoiser: Denoiser, classifier: Classifier, x: Tensor) -> None:
    """The networks' passes of a step, and nothing else."""

    def gradient(given: Tensor, wanted: Tensor) -> None:
        torch.autograd.grad(classifier.log_prob(classifier(given, 0.0), 0).sum(), wanted)

    asked = x.detach().requires_grad_()
    with torch.set_grad_enabled(kind == "x0"):
        output = denoiser.model(asked, TIME, return_dict=False)[0]
    if kind == "x0":
        gradient(ALPHA * asked - SIGMA * output, asked)
    elif kind == "raw":
        gradient(asked, asked)


def main() -> None:
    """Median ratios over paired repetitions, on one thread."""
    torch.set_num_threads(1)
    schedule = DDPMLinear(400, rescale=True)
    with tempfile.TemporaryDirectory() as folder:
        save(build(NETWORK, 32, 3, 4), Path(folder), schedule.betas.tolist(), "v")
        denoiser = Denoiser(Path(folder), torch.device("cpu"))
    classifier = Classifier("small_cnn", 4, 64).eval().requires_grad_(False)
    classifier = classifier.to(memory_format=torch.channels_last)
    sampler = Sampler(denoiser, schedule, SAMPLING, (3, 32, 32))
    seeds, labels = torch.arange(ROWS), torch.zeros(ROWS, dtype=torch.long)
    x = torch.randn(ROWS, 3, 32, 32).contiguous(memory_format=torch.channels_last)

    def passes(kind: str) -> None:
        for _ in range(STEPS):
            bare(kind, denoiser, classifier, x)

    calls: dict[str, Callable[[], object]] = {"plain diffusers loop": partial(plain, denoiser)}
    setups = {kind: GUIDED.model_copy(update={"input": kind}) for kind in ("raw", "x0")}
    for kind, setup in {"unguided": Setup(), **setups}.items():
        arguments = (None, None) if kind == "unguided" else (3.0, classifier)
        calls[kind] = partial(sampler, setup, *arguments, seeds, labels)
        calls[f"bare {kind}"] = partial(passes, kind)
    seconds = pairs.cpu_seconds(calls, REPETITIONS)
    for name, values in seconds.items():
        each = statistics.median(values) / STEPS * 1e3
        print(f"{name}: {each:.1f} ms a step of {ROWS} rows")
    loop = pairs.ratio(seconds["unguided"], seconds["plain diffusers loop"])
    pairs.row("unguided sampling / plain diffusers loop", f"{loop:.2f}", "≤ 1")
    for kind in ("unguided", *setups):
        found = pairs.ratio(seconds[kind], seconds[f"bare {kind}"])
        pairs.row(f"{kind} step / its bare networks, {ROWS} rows", f"{found:.2f}", "≤ 1.10")


if __name__ == "__main__":
    main()
