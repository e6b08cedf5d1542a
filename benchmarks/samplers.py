"""The error of every sampler on every schedule at few steps, against a mixture's exact flow.

Prints the tables of docs/samplers.md. Usage: .venv/bin/python benchmarks/samplers.py
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor

from guidebench.analysis.ground_truth import Reference, Truth
from guidebench.analysis.sampler import variance_ratios
from guidebench.data.gaussian_mixture import GaussianMixture
from guidebench.diffusion import samplers
from guidebench.diffusion.continuous import LogSNRCosine
from guidebench.diffusion.samplers import Prediction
from guidebench.diffusion.schedule import CLEAN, Schedule
from guidebench.diffusion.schedules import build
from guidebench.diffusion.time_grid import times
from guidebench.pipeline.experiment import sections
from guidebench.pipeline.experiment.sections import Setup, Steps

POINTS, FOLLOWED = 4096, 256
SCHEDULES: dict[str, Schedule] = {
    "ddpm_linear": build(sections.DDPMLinear()),
    "vp_sde": build(sections.VPSDE(name="vp_sde")),
    "logsnr_cosine": build(sections.LogSNR(name="logsnr_cosine")),
    "logsnr_uniform": build(sections.LogSNR(name="logsnr_uniform")),
}
SAMPLERS: dict[str, dict[str, Any]] = {
    "ddim": {"sampler": "ddim"},
    "heun": {"sampler": "heun"},
    "dpmpp_2m": {"sampler": "dpmpp_2m"},
    "ancestral, v = 0": {"sampler": "ancestral", "variance": 0.0},
    "ancestral, v = 0.5": {"sampler": "ancestral", "variance": 0.5},
    "ancestral, v = 0.8": {"sampler": "ancestral", "variance": 0.8},
    "ancestral, v = 1": {"sampler": "ancestral", "variance": 1.0},
    "ddim, eta = 1": {"sampler": "ddim", "eta": 1.0},
    "euler_maruyama": {"sampler": "euler_maruyama"},
}
# of the CFG paper's algorithm 2, whose last evaluation is at logsnr_max
ENDED = ("ddim", "ancestral, v = 0", "ancestral, v = 0.5", "ancestral, v = 1")
FLOWS = ("ddim", "heun", "dpmpp_2m")
STEPS, SCALE_STEPS = (10, 20, 50), (25, 100, 400)
DEVIATIONS = [0.1, 0.3, 0.55, 1.0]


class Ended(LogSNRCosine):
    """The cosine process walked to its clean end: n evaluations at 1, .., 1 / (n - 1), 0."""

    def grid(self, steps: int) -> list[float]:
        """`steps` times, even from 1 to 0, then CLEAN."""
        return [1 - i / (steps - 1) for i in range(steps)] + [CLEAN]


class Error(NamedTuple):
    """Root mean square distance to the exact flow's ends (None with noise), and of the law.

    `law`: sliced Wasserstein distance; `covariance`: relative error, in Frobenius norm.
    """

    flow: float | None
    law: float
    covariance: float


def mixture() -> GaussianMixture:
    """Five Gaussians in three dimensions: full covariances, unequal weights, variance 0.6 to 1."""
    chance = torch.Generator().manual_seed(0)
    means = 0.8 * torch.randn(5, 3, generator=chance, dtype=torch.float64)
    roots = 0.25 * torch.randn(5, 3, 3, generator=chance, dtype=torch.float64)
    spread = roots @ roots.mT + 0.02 * torch.eye(3, dtype=torch.float64)
    weights = torch.tensor([1.0, 2.0, 1.5, 0.5, 1.0])
    return GaussianMixture(means, spread, weights, torch.tensor([0, 1, 0, 1, 0]))


class Bench:
    """One schedule: start points, where the exact flow takes them, and the law of the data."""

    def __init__(self, schedule: Schedule) -> None:
        self.schedule, self.mixture = schedule, mixture()
        self.truth = Truth(self.mixture, schedule, list(range(POINTS)))
        self.reference = Reference(self.mixture, 0, 0.0, seed=0)
        self.ends: dict[Any, Tensor] = {}

    def flow(self, t: Any) -> Tensor:
        """The exact ends of the first start points at t."""
        if t not in self.ends:
            start, schedule = self.truth.start(t)[:FOLLOWED], self.schedule
            level = float(schedule.alpha(t)), float(schedule.sigma(t))
            self.ends[t] = self.mixture.flow(start, *level)
        return self.ends[t]

    def error(self, options: dict[str, Any], steps: int) -> Error:
        """The errors of one sampler in `steps` steps."""
        section = Steps(steps=steps, **options)
        points = self.truth.sample(Setup(), None, section, 0)
        found = self.reference.measure(points)
        exact = self.flow(times(section.sampler, self.schedule, steps)[0])
        gap = (points[:FOLLOWED] - exact).square().sum(1).mean().sqrt()
        deterministic = section.sampler in FLOWS and not section.eta
        size = torch.linalg.matrix_norm(self.reference.covariance)
        return Error(
            float(gap) if deterministic else None,
            float(found["sliced_wasserstein"]),
            float(found["covariance_error"] / size),
        )


def evaluations(options: dict[str, Any], steps: int) -> int:
    """How often a sampler asks the denoiser in `steps` steps, counted."""
    section, schedule, calls = Steps(steps=steps, **options), SCHEDULES["ddpm_linear"], 0

    def predict(x: Tensor, t: Any, step: int, *, corrector: bool = False) -> Prediction:
        nonlocal calls
        calls += 1
        return Prediction(x, x)

    name, x = section.sampler, torch.zeros(1)
    samplers.SAMPLERS[name](predict, x, schedule, times(name, schedule, steps), lambda step: x)
    return calls


def share(bench: Bench, points: Tensor) -> float:
    """Share of points that the exact classifier takes for class 0."""
    classes = bench.mixture.log_posterior(points, 1.0, 0.0).argmax(1)
    return float((classes == 0).double().mean())


def conditional(bench: Bench, options: dict[str, Any], injection: str, steps: int) -> float:
    """The share at scale 1 of the exact classifier, injected in the mean or in the score."""
    setup = Setup(guidance="classifier", classifier="noise_trained", injection=injection)
    section = Steps(steps=steps, **options)
    return share(bench, bench.truth.sample(setup, 1.0, section, 0))


def endings(title: str) -> list[float]:
    """Law of a sampler on logsnr_cosine for each of STEPS: as here, then ended at logsnr_max."""
    return [
        bench.error(SAMPLERS[title], steps).law
        for bench in (Bench(SCHEDULES["logsnr_cosine"]), Bench(Ended()))
        for steps in STEPS
    ]


def row(*cells: str) -> None:
    """One line of a table."""
    print("| " + " | ".join(cells) + " |")


def main() -> None:
    """All tables."""
    torch.set_num_threads(1)
    benches = {name: Bench(schedule) for name, schedule in SCHEDULES.items()}
    exact = benches["vp_sde"].reference.floor(POINTS, list(range(90, 98)))
    size = torch.linalg.matrix_norm(benches["vp_sde"].reference.covariance)
    print(
        f"floor: law {exact['sliced_wasserstein'].value:.3f}, covariance "
        f"{exact['covariance_error'].value / float(size):.3f}\n"
    )
    row(
        "sampler",
        *(
            f"{name}, n = {STEPS[0]}" if not i else str(n)
            for name in benches
            for i, n in enumerate(STEPS)
        ),
    )
    row(*["---"] * (1 + len(STEPS) * len(benches)))
    for title, options in SAMPLERS.items():
        errors = [bench.error(options, n) for bench in benches.values() for n in STEPS]
        row(title, *(f"{e.law:.3f}" if e.flow is None else f"{e.flow:.3f}" for e in errors))
    print("\nThe default schedule, by evaluations\n")
    row(
        "sampler",
        "steps",
        "evaluations",
        "law",
        "covariance",
        *(f"variance ratio, s = {s:g}" for s in DEVIATIONS),
    )
    row(*["---"] * (5 + len(DEVIATIONS)))
    bench = benches["ddpm_linear"]
    for title, options in SAMPLERS.items():
        for most in (10, 25, 50, 100, 400):
            steps = (most + 1) // 2 if title == "heun" else most
            error = bench.error(options, steps)
            section = Steps(steps=steps, **options)
            ratios = variance_ratios(bench.schedule, section, DEVIATIONS)
            row(
                title,
                str(steps),
                str(evaluations(options, steps)),
                f"{error.law:.3f}",
                f"{error.covariance:.3f}",
                *(f"{ratio:.2f}" for ratio in ratios),
            )
    print("\nThe last evaluation\n")
    row("sampler", *(f"{where}, n = {n}" for where in ("u = 1/n", "u = 0") for n in STEPS))
    row(*["---"] * (1 + 2 * len(STEPS)))
    for title in ENDED:
        row(title, *(f"{value:.3f}" for value in endings(title)))
    drawn, _ = bench.mixture.draw(torch.Generator().manual_seed(3), 10 * POINTS, label=0)
    print(f"\nScale 1: share of the target class, {share(bench, drawn):.3f} of exact samples\n")
    row("sampler", "injection", *(f"n = {steps}" for steps in SCALE_STEPS))
    row(*["---"] * (2 + len(SCALE_STEPS)))
    for title in ("ancestral, v = 0", "ancestral, v = 1", "euler_maruyama"):
        for injection in ("mean", "score"):
            found = [conditional(bench, SAMPLERS[title], injection, n) for n in SCALE_STEPS]
            row(title, injection, *(f"{value:.3f}" for value in found))


if __name__ == "__main__":
    main()
