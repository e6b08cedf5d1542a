"""The public nrCG code's choices in guidance: off they change no byte, on they are its formulas.

What its sampler does is written out here in float64, from algorithm 1 and from what its code does
beside it: clipped x0_pred whose gradient is zero where it saturates, DDPM's step by betas, the raw
logit of the target, and EMA or ADAM whose state goes on in the next batch.
"""

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from guidebench.base.seeds import normal
from guidebench.diffusion.samplers import SAMPLERS, ancestral
from guidebench.diffusion.schedules import DDPMLinear
from guidebench.guidance import sampling
from guidebench.guidance.compat import HalfPrecision, RawLogit
from guidebench.guidance.sampling import Sampler
from guidebench.models.classifier import Classifier
from guidebench.models.denoiser import Denoiser, build, save
from guidebench.pipeline.experiment import sections
from guidebench.pipeline.experiment.sections import Sampling, Setup, Stabilizer

SHAPE = (3, 8, 8)
T, BETAS = 20, (1e-3, 0.3)
SCHEDULE = DDPMLinear(T, *BETAS)
BATCH, TARGET = 3, 2
SEEDS, LABELS = torch.arange(2 * BATCH) + 7, torch.full((2 * BATCH,), TARGET)
EMA = Stabilizer(name="ema", beta=0.9, per_step="literal")
LONG = Stabilizer(name="ema", beta=0.99, per_step="literal")
ADAM = Stabilizer(name="adam", per_step="literal")
ALL = {"paper_compat": ["raw_logit", "carried_state"], "clip_gradient": "zero"}
SAMPLING = Sampling(steps=T, micro_batch=BATCH, variance=0.0)


@pytest.fixture(scope="module")
def networks(tmp_path_factory: pytest.TempPathFactory) -> tuple[Denoiser, Classifier]:
    """A denoiser of eps with attention, and a classifier of three classes, in float32."""
    folder: Path = tmp_path_factory.mktemp("denoiser")
    torch.manual_seed(0)
    options = sections.Denoiser(channels=[8, 16], attention=[False, True], norm_groups=4)
    save(build(options, 8, 3, 3), folder, SCHEDULE.betas.tolist(), "eps")
    classifier = Classifier("small_cnn", 3, 8).eval().requires_grad_(False)
    return Denoiser(folder, torch.device("cpu")), classifier


@pytest.fixture
def exact(networks: tuple[Denoiser, Classifier], monkeypatch: pytest.MonkeyPatch) -> Any:
    """The same in float64, and noise in float64, too."""
    monkeypatch.setattr(sampling, "normal", lambda *arguments: normal(*arguments).double())
    for network in (networks[0].model, networks[1]):
        network.double()
    yield networks
    for network in (networks[0].model, networks[1]):
        network.float()


def _ours(
    networks: tuple[Denoiser, Classifier],
    setup: Setup,
    scale: float,
    monkeypatch: pytest.MonkeyPatch,
) -> list[list[Tensor]]:
    """x_t before each step, and the image, of each micro-batch."""
    found: list[list[Tensor]] = []

    def recording(predict, x, schedule, grid, noise, callback, **options):
        states: list[Tensor] = []

        def watch(step, t, x, prediction):
            states.append(x.clone())
            callback(step, t, x, prediction)

        last = ancestral(predict, x, schedule, grid, noise, watch, **options)
        found.append([*states, last])
        return last

    monkeypatch.setitem(SAMPLERS, "ancestral", recording)
    denoiser, classifier = networks
    Sampler(denoiser, SCHEDULE, SAMPLING, SHAPE)(setup, scale, classifier, SEEDS, LABELS)
    return found


def _theirs(
    networks: tuple[Denoiser, Classifier], kind: str, stabilizer: Stabilizer, scale: float
) -> list[list[Tensor]]:
    """The same, written out."""
    denoiser, classifier = networks
    beta = torch.linspace(*BETAS, T, dtype=torch.float64)
    kept = torch.cumprod(1 - beta, 0)
    mean = square = torch.zeros(BATCH, *SHAPE, dtype=torch.float64)
    batches = []
    for seeds in SEEDS.split(BATCH):
        x = normal(seeds, 0, SHAPE).double()
        states = [x]
        for step, t in enumerate(range(T - 1, -1, -1)):
            before = kept[t - 1] if t > 0 else torch.ones((), dtype=torch.float64)
            x = x.detach().requires_grad_()
            eps = denoiser.model(x, t, return_dict=False)[0]
            x0 = ((x - (1 - kept[t]).sqrt() * eps) / kept[t].sqrt()).clamp(-1, 1)
            logits = classifier(x if kind == "raw" else x0)
            (g,) = torch.autograd.grad(logits[:, TARGET].sum(), x)
            if stabilizer.name == "ema":
                g = mean = stabilizer.beta * mean + (1 - stabilizer.beta) * g
            elif stabilizer.name == "adam":
                mean = 0.9 * mean + 0.1 * g
                square = 0.999 * square + 0.001 * g**2
                g = mean / (square.sqrt() + 1e-4)
            variance = (1 - before) / (1 - kept[t]) * beta[t]
            x = (
                before.sqrt() * beta[t] / (1 - kept[t]) * x0
                + (1 - beta[t]).sqrt() * (1 - before) / (1 - kept[t]) * x
                + variance * scale * g
            ).detach()
            if t > 0:
                x = x + variance.sqrt() * normal(seeds, step + 1, SHAPE).double()
            states.append(x)
        batches.append(states)
    return batches


def _apart(first: list[list[Tensor]], second: list[list[Tensor]], batch: int) -> float:
    """Largest difference over all states of a batch, relative to the largest value of each."""
    pairs = zip(first[batch], second[batch], strict=True)
    return max(float((a - b).abs().max() / b.abs().max()) for a, b in pairs)


CASES = {
    "raw": ("raw", Stabilizer(), 20.0),
    "raw+ema0.9": ("raw", EMA, 100.0),
    "x0": ("x0", Stabilizer(), 50.0),
    "x0+ema0.9": ("x0", EMA, 200.0),
    "x0+ema0.99": ("x0", LONG, 1000.0),
    "x0+adam": ("x0", ADAM, 1.0),
}


def _setup(kind: str, stabilizer: Stabilizer, **keys: Any) -> Setup:
    switches = keys.get("paper_compat", [])
    if stabilizer.name == "none":
        keys |= {"paper_compat": [one for one in switches if one != "carried_state"]}
    if kind == "raw":
        keys.pop("clip_gradient", None)
    return Setup(guidance="classifier", input=kind, stabilizer=stabilizer, **keys)


@pytest.mark.parametrize("name", CASES)
def test_with_all_switches_the_trajectory_is_the_public_codes(name, exact, monkeypatch) -> None:
    """Two batches of all T steps in float64; 1e-4 is asked, rounding is what is left."""
    kind, stabilizer, scale = CASES[name]
    ours = _ours(exact, _setup(kind, stabilizer, **ALL), scale, monkeypatch)
    theirs = _theirs(exact, kind, stabilizer, scale)
    assert len(ours) == 2
    assert max(_apart(ours, theirs, batch) for batch in (0, 1)) < 1e-9


@pytest.mark.parametrize("name", ["raw", "x0", "x0+ema0.99"])
def test_in_float32_as_well(name, networks, monkeypatch) -> None:
    kind, stabilizer, scale = CASES[name]
    ours = _ours(networks, _setup(kind, stabilizer, **ALL), scale, monkeypatch)
    for network in (networks[0].model, networks[1]):
        network.double()
    theirs = _theirs(networks, kind, stabilizer, scale)
    for network in (networks[0].model, networks[1]):
        network.float()
    assert max(_apart(ours, theirs, batch) for batch in (0, 1)) < 1e-4


@pytest.mark.parametrize("left_out", ["raw_logit", "carried_state", "clip_gradient"])
def test_without_one_of_them_it_is_not(left_out, exact, monkeypatch) -> None:
    """A state that is not carried leaves the first batch as it was."""
    kind, stabilizer, scale = CASES["x0+ema0.99"]
    keys = dict(ALL)
    if left_out == "clip_gradient":
        del keys["clip_gradient"]
    else:
        keys["paper_compat"] = [one for one in ALL["paper_compat"] if one != left_out]
    ours = _ours(exact, _setup(kind, stabilizer, **keys), scale, monkeypatch)
    theirs = _theirs(exact, kind, stabilizer, scale)
    assert (_apart(ours, theirs, 0) < 1e-9) == (left_out == "carried_state")
    assert _apart(ours, theirs, 1) > 1e-3


def test_the_raw_logit_is_the_targets_alone() -> None:
    logits = torch.tensor([[1.0, 2.0, -3.0], [0.5, 0.0, 4.0]], requires_grad=True)
    guide = RawLogit(lambda x, time=0.0: x * (1 + time))  # type: ignore[arg-type]
    found = guide.log_prob(logits, torch.tensor([1, 2]), temperature=2.0)
    assert found.tolist() == [1.0, 2.0]
    (gradient,) = torch.autograd.grad(found.sum(), logits)
    assert gradient.tolist() == [[0, 0.5, 0], [0, 0, 0.5]]
    assert guide.log_prob(logits, 0).tolist() == [1.0, 0.5]
    assert torch.equal(guide(logits, 1.0), 2 * logits)


def test_half_precision_rounds_the_network_and_its_gradient(networks, monkeypatch) -> None:
    """float16 has 11 bits: every step rounds to 5e-4, and less than 6e-8 is nothing."""
    network = networks[0].model
    asked: list[torch.dtype] = []
    watch = network.conv_in.register_forward_hook(lambda *seen: asked.append(seen[-1].dtype))
    plain = _setup("x0", Stabilizer())
    half = _setup("x0", Stabilizer(), paper_compat=["half_precision"])
    exact, rounded = (_ours(networks, setup, 20.0, monkeypatch) for setup in (plain, half))
    watch.remove()
    assert set(asked[: len(asked) // 2]) == {torch.float32}
    assert set(asked[len(asked) // 2 :]) == {torch.float16}
    assert 1e-5 < _apart(rounded, exact, 0) < 0.05
    x = torch.ones(1, 4, requires_grad=True)
    weight = torch.full((4, 4), 1e-5)
    small = HalfPrecision(lambda x, t: x @ weight)(x, 0)
    assert small.dtype == torch.float32
    (gradient,) = torch.autograd.grad(small, x, torch.full((1, 4), 1e-6))
    assert not gradient.any()


def _images(networks: tuple[Denoiser, Classifier], setup: Setup, count: int) -> np.ndarray:
    denoiser, classifier = networks
    sampler = Sampler(denoiser, SCHEDULE, SAMPLING.model_copy(update={"steps": 6}), SHAPE)
    return sampler(setup, 300.0, classifier, SEEDS[:count], LABELS[:count]).images


def test_a_carried_state_begins_at_zero_in_every_block(networks) -> None:
    """The first micro-batch is the corrected one, the second is not; a call carries nothing on."""
    plain, carried = (
        _setup("x0", EMA, paper_compat=switches) for switches in ([], ["carried_state"])
    )
    corrected, found = (_images(networks, setup, 6) for setup in (plain, carried))
    assert np.array_equal(found[:BATCH], corrected[:BATCH])
    assert not np.array_equal(found[BATCH:], corrected[BATCH:])
    assert np.array_equal(found, _images(networks, carried, 6))
    # a padded micro-batch carries its own rows' states
    assert np.array_equal(found[:4], _images(networks, carried, 4))


def test_a_setups_gradient_of_the_clip_is_that_of_its_data_set(networks) -> None:
    denoiser, classifier = networks
    for own, shared in pairwise(("zero", "straight_through", "zero")):
        setups = [_setup("x0", EMA), _setup("x0", EMA, clip_gradient=own)]
        first, second = (
            Sampler(
                denoiser, SCHEDULE, Sampling(steps=6, micro_batch=3, clip_gradient=clip), SHAPE
            )(setup, 300.0, classifier, SEEDS[:3], LABELS[:3]).images
            for setup, clip in zip(setups, (own, shared), strict=True)
        )
        assert np.array_equal(first, second)
