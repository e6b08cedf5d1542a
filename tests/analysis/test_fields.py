"""Which guided fields are gradients, and how far from one the others are."""

import math
from itertools import pairwise

import pytest
import torch
from torch.autograd.functional import jacobian

from guidebench.analysis import fields
from guidebench.analysis.fields import STEP, curl, drawn, guidance, guided, is_field, rotation
from guidebench.analysis.ground_truth import Truth
from guidebench.analysis.learned import learned
from guidebench.base.cells import Cell
from guidebench.data.gaussian_mixture import GaussianMixture
from guidebench.diffusion.continuous import VPSDE, LogSNRUniform
from guidebench.diffusion.schedules import DDPMLinear
from guidebench.pipeline.experiment.sections import Setup, Stabilizer

TARGET, T = 1, 0.3
CLASSIFIER = {"guidance": "classifier", "injection": "score"}
NOISE_TRAINED = Setup(**CLASSIFIER, classifier="noise_trained")
FROZEN = Setup(**CLASSIFIER, classifier="clean", input="x0_frozen")
CFG = Setup(guidance="cfg")


def _truth(schedule=None, count: int = 64) -> Truth:
    mixture = GaussianMixture(
        torch.tensor([[0.0, 1.0], [-0.9, -0.5], [0.9, -0.5]]),
        torch.tensor([0.25, 0.16, 0.36]),
        torch.tensor([1.0, 2.0, 1.0]),
        torch.tensor([0, 1, 2]),
    )
    return Truth(mixture, schedule or VPSDE(b_min=0.1, b_max=20.0), list(range(count)))


def _rotation(truth: Truth, setup: Setup, scale: float | None, kind=guided) -> float:
    return float(rotation(lambda t: kind(truth, setup, scale, TARGET, t), truth, 0))


@pytest.mark.parametrize("schedule", [None, DDPMLinear(200, rescale=True)])
@pytest.mark.parametrize(
    "setup",
    [
        Setup(),
        Setup(conditional=True),
        CFG,
        NOISE_TRAINED,
        NOISE_TRAINED.model_copy(update={"injection": "mean"}),
        Setup(**CLASSIFIER, classifier="clean", temperature=0.5),
        Setup(**CLASSIFIER, classifier="clean", input="x0"),
    ],
)
def test_exact_fields_are_gradients(setup: Setup, schedule) -> None:
    """Cfg's as well: of -sigma ((1 + w) log p_t(x | y) - w log p_t(x)), for every fixed t."""
    scale = None if setup.guidance == "none" else 3.0
    assert _rotation(_truth(schedule), setup, scale) < 1e-10


@pytest.mark.parametrize(
    "schedule",
    [DDPMLinear(2), DDPMLinear(4), LogSNRUniform(logsnr_max=300.0), LogSNRUniform(logsnr_max=56.0)],
)
def test_times_of_clean_data_are_left_out(schedule) -> None:
    """There p_t is narrower than a difference can be small, or of no width at all."""
    assert _rotation(_truth(schedule), CFG, 3.0) < 1e-9


def test_a_process_that_is_clean_all_along_has_no_rotation() -> None:
    assert math.isnan(_rotation(_truth(LogSNRUniform(1000, 200.0, 300.0)), CFG, 3.0))


def test_a_held_denoiser_gives_no_gradient() -> None:
    """alpha (grad log p_0(y | .))(x0_pred(x)): its Jacobian is a product of two Hessians."""
    truth, mixture = _truth(), _truth().mixture
    alpha, sigma = truth.schedule.alpha(T), truth.schedule.sigma(T)

    def by_hand(x):
        x0 = mixture.x0(x, alpha, sigma)
        own = mixture.score(x0, 1.0, 0.0, TARGET) - mixture.score(x0, 1.0, 0.0)
        return (-sigma * (mixture.score(x, alpha, sigma) + 2 * alpha * own)).sum(0)

    x = truth.start(T)
    matrices = jacobian(by_hand, x).permute(1, 0, 2)
    field = guided(truth, FROZEN, 2.0, TARGET, T)
    found = curl(field, x, STEP * float(sigma))
    torch.testing.assert_close(found, matrices[:, 1, 0] - matrices[:, 0, 1], rtol=1e-8, atol=1e-9)
    assert found.abs().max() > 0.1
    assert _rotation(truth, FROZEN, 2.0) > 1e-3


@pytest.mark.parametrize("size", [2, 5])
def test_rotation_of_a_linear_field(size: int, monkeypatch) -> None:
    """|(J - J^T) / 2| / |J| itself: in two dimensions exactly, else as a mean over directions."""
    monkeypatch.setattr(fields, "POINTS", 4000)
    chance = torch.Generator().manual_seed(0)
    matrix = torch.randn(size, size, generator=chance, dtype=torch.float64)
    mixture = GaussianMixture(
        torch.randn(2, size, generator=chance), torch.ones(2), torch.ones(2), torch.tensor([0, 1])
    )
    truth = Truth(mixture, VPSDE(), list(range(4000)))
    found = rotation(lambda t: lambda x: x @ matrix.T, truth, 0, blocks=8)
    expected = float(torch.linalg.norm(matrix - matrix.T) / 2 / torch.linalg.norm(matrix))
    assert float(found[0]) == pytest.approx(expected, rel=1e-9 if size == 2 else 0.03)
    assert found.shape == (9,)
    still = rotation(lambda t: torch.zeros_like, truth, 0)
    assert math.isnan(float(still))


class Swirling:
    """A mixture's exact eps, with a rotation added where there is a label."""

    prediction, conditional = "eps", True

    def __init__(self, truth: Truth, strength: float) -> None:
        self.exact, self.null, self.strength = truth.denoiser, truth.denoiser.null, strength
        self.schedule = truth.schedule

    def __call__(self, x, time, label=None):
        score = self.exact(x, time, label)
        eps = -self.schedule.sigma(time / 1000) * score
        if label is None:
            return eps
        around = torch.stack((-x[:, 1], x[:, 0]), dim=1) * torch.exp(-x.square().sum(1))[:, None]
        return eps + self.strength * around * (label != self.null)[:, None]


@pytest.mark.parametrize("weight", [0.0, 2.0])
def test_curl_is_the_circulation_around_small_squares(weight: float) -> None:
    """Of cfg with a conditional eps that is no gradient; with w the curl grows by 1 + w."""
    truth = _truth()
    truth.denoiser = Swirling(truth, 0.4)
    field = guided(truth, CFG, weight, TARGET, T)
    x, side = truth.start(T), 0.02
    # Stokes: the line integral around a square over its area, Simpson's rule along each side
    total = torch.zeros(len(x), dtype=torch.float64)
    corners = torch.tensor([[-1, -1], [1, -1], [1, 1], [-1, 1], [-1, -1]]) * side / 2
    for start, end in pairwise(corners):
        for share, simpson in ((0.0, 1 / 6), (0.5, 4 / 6), (1.0, 1 / 6)):
            total += simpson * (field(x + start + share * (end - start)) * (end - start)).sum(1)
    found = curl(field, x, STEP * float(truth.schedule.sigma(T)))
    torch.testing.assert_close(found, total / side**2, rtol=1e-3, atol=1e-3)
    radius = x.square().sum(1)
    closed = (1 + weight) * 0.4 * (2 - 2 * radius) * torch.exp(-radius)
    torch.testing.assert_close(found, closed, rtol=1e-8, atol=1e-9)
    assert _rotation(truth, CFG, weight) > 1e-3


@pytest.fixture(scope="module")
def trained() -> Truth:
    return learned(_truth(), 300, 0)


def test_trained_networks_are_no_gradients_but_classifiers_guidance_is(trained: Truth) -> None:
    """The CFG notes' sentence, where it is true."""
    assert _rotation(trained, CFG, 2.0) > 1e-4
    assert _rotation(trained, CFG, 2.0, guidance) > 1e-3
    assert _rotation(trained, NOISE_TRAINED, 2.0) > 1e-4  # the denoiser's, not the guidance's
    for setup in (NOISE_TRAINED, Setup(**CLASSIFIER, classifier="clean", input="x0")):
        assert _rotation(trained, setup, 2.0, guidance) < 1e-9


def test_trained_networks_have_learned_the_mixture(trained: Truth) -> None:
    exact = _truth()
    x = exact.start(T)
    found = [guided(one, Setup(conditional=True), None, TARGET, T)(x) for one in (exact, trained)]
    assert (found[0] - found[1]).square().mean().sqrt() < 0.25 * found[0].square().mean().sqrt()
    for name, time in (("clean", 0.0), ("noise_trained", T)):
        points = exact.start(exact.schedule.at_time(time))
        logits, expected = (one.classifiers[name](points, time) for one in (trained, exact))
        assert (logits.argmax(1) == expected.argmax(1)).double().mean() > 0.85
    again = learned(_truth(), 300, 0)
    assert torch.equal(again.denoiser(x, 300.0), trained.denoiser(x, 300.0))


def test_what_remembers_its_way_is_no_field() -> None:
    adam, clipped = (
        NOISE_TRAINED.model_copy(update={"stabilizer": Stabilizer(name=name)})
        for name in ("adam", "norm_clip")
    )
    assert (is_field(adam), is_field(clipped), is_field(Setup())) == (False, True, True)
    assert not is_field(Setup(guidance="own:Guide"))
    setups = {
        "plain": Setup(),
        "adam": adam.model_copy(update={"scales": [1.0]}),
        "a": NOISE_TRAINED.model_copy(update={"scales": [1.0, 5.0]}),
        "b": NOISE_TRAINED.model_copy(update={"scales": [9.0]}),
        "cfg": CFG.model_copy(update={"scales": [2.0]}),
    }
    assert drawn(setups) == [Cell("a", 5.0), Cell("cfg", 2.0)]
