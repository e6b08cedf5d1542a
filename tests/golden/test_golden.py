"""Whole sampling loops on a fixed tiny model: the sum of |x| is pinned.

The weights are cosines, so they depend on no library's initialisation; everything runs in float64,
and the noise is rounded to sixteenths: its last digit in float32 depends on the processor, and ADAM
makes of it a difference in the fourth digit of the sum.
"""

import pytest
import torch
from torch import Tensor, nn

from guidebench.base import choices
from guidebench.base.seeds import normal
from guidebench.diffusion.samplers import SAMPLERS
from guidebench.diffusion.schedules import DDPMLinear
from guidebench.guidance.gradients import ClassifierGradient
from guidebench.guidance.guides import ClassifierFree, ClassifierGuided, Unguided
from guidebench.guidance.stabilizers import build as stabilizer
from guidebench.models.classifier import Classifier
from guidebench.models.denoiser import build
from guidebench.pipeline.experiment.sections import Denoiser, Stabilizer

OPTIONS = Denoiser(channels=[8, 16], attention=[False, True], norm_groups=4, condition_dropout=0.2)
SHAPE = (3, 8, 8)
SCHEDULE = DDPMLinear(40, rescale=True)
SEEDS = torch.tensor([3, 1415, 926535])
NONE = Stabilizer(name="none")
EMA = Stabilizer(name="ema", beta=0.9)
ADAM = Stabilizer(name="adam", beta1=0.9, beta2=0.999, eps=1e-4)

# name: sampler, its option, guide, sum of |x|
GOLDEN = {
    "ancestral small": ("ancestral", 0.0, "unguided", 319.45358440),
    "ancestral between": ("ancestral", 0.3, "unguided", 327.41435095),
    "ancestral large": ("ancestral", 1.0, "unguided", 348.77122872),
    "ddim": ("ddim", 0.0, "unguided", 351.71101833),
    "ddim eta": ("ddim", 1.0, "unguided", 319.45358440),
    "cfg": ("ancestral", 0.0, "cfg", 339.16505621),
    "raw": ("ancestral", 0.0, ("raw", "mean", NONE, 20.0), 322.56728219),
    "x0": ("ancestral", 0.0, ("x0", "mean", NONE, 20.0), 321.04506709),
    "x0+ema": ("ancestral", 0.0, ("x0", "mean", EMA, 20.0), 321.61999670),
    "x0+adam": ("ancestral", 0.0, ("x0", "mean", ADAM, 0.3), 360.87747160),
    "x0_frozen": ("ancestral", 1.0, ("x0_frozen", "mean", EMA, 20.0), 349.07707946),
    "score": ("ddim", 0.0, ("x0", "score", EMA, 20.0), 351.06111747),
}


def _fixed(model: nn.Module) -> nn.Module:
    """Weights cos(k) at their running number, scaled by the fan-in; one everywhere in norms."""
    count = 0
    for name, parameter in model.named_parameters():
        number = torch.arange(count, count + parameter.numel(), dtype=torch.float64)
        fan_in = parameter[0].numel() if parameter.ndim > 1 else 100
        values = torch.cos(number**1.1).view(parameter.shape) * (2 / fan_in) ** 0.5
        bare = parameter.ndim == 1 and name.endswith("weight")
        parameter.data = torch.ones_like(values) if bare else values
        count += parameter.numel()
    return model.double().eval().requires_grad_(False)


@pytest.fixture(scope="module")
def unet() -> nn.Module:
    return _fixed(build(OPTIONS, 8, 3, 3))


@pytest.fixture(scope="module")
def classifier() -> nn.Module:
    return _fixed(Classifier("small_cnn", 3, 8))


def _guide(kind, unet: nn.Module, classifier: nn.Module, steps: int):
    def network(labels: list[int]):
        def call(x: Tensor, t: int) -> Tensor:
            label = torch.tensor(labels).repeat_interleave(len(x) // len(labels))
            output: Tensor = unet(x, t, class_labels=label, return_dict=False)[0]
            return output

        return call

    if kind == "unguided":
        return Unguided(network([3]), "v", SCHEDULE, True, True)
    if kind == "cfg":
        weight = lambda t: 1.5  # noqa: E731
        return ClassifierFree(network([1, 3]), weight, network([1]), "v", SCHEDULE, True, True)
    source, injection, section, scale = kind
    evaluate = ClassifierGradient(
        network([3]), "v", SCHEDULE, classifier, source, "straight_through"
    )
    return ClassifierGuided(
        evaluate,
        1,
        lambda t: scale,
        stabilizer(section, SCHEDULE.timesteps, steps),
        injection,
        Unguided(network([3]), "v", SCHEDULE, True, True),
    )


def _noise(stream: int) -> Tensor:
    return (normal(SEEDS, stream, SHAPE).double() * 16).round() / 16


def _run(case: str, unet: nn.Module, classifier: nn.Module) -> Tensor:
    name, option, kind, _ = GOLDEN[case]
    grid = SCHEDULE.grid(10)
    guide = _guide(kind, unet, classifier, 10)
    x = SAMPLERS[name](
        guide,
        _noise(0),
        SCHEDULE,
        grid,
        lambda step: _noise(step + 1),
        **dict.fromkeys(choices.SAMPLERS[name].options, option),
    )
    return x.abs()


@pytest.mark.parametrize("case", GOLDEN)
def test_sum(case: str, unet: nn.Module, classifier: nn.Module) -> None:
    """Relative 1e-7: float64's last digits, 4,000 times larger through ADAM, and room."""
    x = _run(case, unet, classifier)
    *_, total = GOLDEN[case]
    assert x.dtype == torch.float64
    assert float(x.sum()) == pytest.approx(total, rel=1e-7)
