"""Guides on an exact denoiser: what must be exact is, and the measured errors are right."""

import math

import pytest
import torch

from guidebench.analysis.ground_truth import (
    Aimed,
    Errors,
    Reference,
    Truth,
    bias,
    densities,
    exponent,
    jackknife,
)
from guidebench.analysis.sensitivity import Views, implicit
from guidebench.data.gaussian_mixture import GaussianMixture
from guidebench.diffusion.continuous import VPSDE
from guidebench.diffusion.schedules import DDPMLinear
from guidebench.guidance.gradients import ClassifierGradient
from guidebench.guidance.networks import BoundDenoiser
from guidebench.pipeline.experiment.sections import Setup, Steps

SCHEDULES = {"vp_sde": VPSDE(b_min=0.1, b_max=20.0), "ddpm_linear": DDPMLinear(200, rescale=True)}
SAMPLERS = ["ancestral", "euler_maruyama", "ddim", "dpmpp_2m", "heun"]
TARGET = 1


def _mixture() -> GaussianMixture:
    return GaussianMixture(
        torch.tensor([[0.0, 1.0], [-0.9, -0.5], [0.9, -0.5]]),
        torch.tensor([0.25, 0.16, 0.36]),
        torch.tensor([1.0, 2.0, 1.0]),
        torch.tensor([0, 1, 2]),
    )


def _steps(sampler: str, steps: int = 20) -> Steps:
    return Steps(sampler=sampler, steps=steps, limit=None)


def _truth(schedule: str = "vp_sde", count: int = 64) -> Truth:
    return Truth(_mixture(), SCHEDULES[schedule], list(range(count)))


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("sampler", SAMPLERS)
def test_exact_classifier_at_scale_one_is_the_conditional_denoiser(sampler, schedule) -> None:
    """Score of p_t(x) + grad log p_t(y | x) = score of p_t(x | y): the same points, to rounding."""
    truth = _truth(schedule)
    steps = _steps(sampler)
    guided = Setup(guidance="classifier", classifier="noise_trained", injection="score")
    expected = truth.sample(Setup(conditional=True), None, steps, TARGET)
    assert torch.isfinite(expected).all()
    found = truth.sample(guided, 1.0, steps, TARGET)
    torch.testing.assert_close(found, expected, rtol=1e-8, atol=1e-8)
    other = truth.sample(guided, 2.0, steps, TARGET)
    assert (other - expected).abs().max() > 0.05


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("weight", [0.0, 2.0])
def test_cfg_is_exact_classifier_guidance_at_scale_one_plus_w(sampler, weight) -> None:
    truth, steps = _truth(), _steps(sampler)
    cfg = truth.sample(Setup(guidance="cfg"), weight, steps, TARGET)
    guided = Setup(guidance="classifier", classifier="noise_trained", injection="score")
    torch.testing.assert_close(
        cfg, truth.sample(guided, 1 + weight, steps, TARGET), rtol=1e-8, atol=1e-8
    )
    # on the conditional denoiser, the classifier adds to what the label has done already
    onto = Setup(
        guidance="classifier", classifier="noise_trained", injection="score", conditional=True
    )
    torch.testing.assert_close(cfg, truth.sample(onto, weight, steps, TARGET), rtol=1e-8, atol=1e-8)


def test_mean_injection_tends_to_score_injection() -> None:
    """Their difference over a whole trajectory halves with the step."""
    truth = _truth()
    guided = {"guidance": "classifier", "classifier": "noise_trained"}
    setups = [Setup(**guided, injection=injection) for injection in ("mean", "score")]

    def gap(sampler: str, steps: int) -> torch.Tensor:
        by_mean, by_score = (
            truth.sample(setup, 1.0, _steps(sampler, steps), TARGET) for setup in setups
        )
        return (by_mean - by_score).abs()

    # the same Brownian path is not needed: without noise the two are compared at one start, and
    # g^2 dt (score + s g) is the same sum in both
    assert max(float(gap("euler_maruyama", steps).max()) for steps in (100, 200, 400)) < 1e-8
    ancestral = [float(gap("ancestral", steps).mean()) for steps in (50, 100, 200)]
    assert ancestral[0] > 1.7 * ancestral[1] > 2.9 * ancestral[2] > 0


@pytest.mark.parametrize(
    ("setup", "scale", "expected"),
    [
        ({}, None, 0.0),
        ({"conditional": True}, None, 1.0),
        ({"guidance": "cfg"}, 3.0, 4.0),
        ({"guidance": "classifier"}, 3.0, 3.0),
        ({"guidance": "classifier", "conditional": True}, 3.0, 4.0),
    ],
)
def test_exponent_of_the_density_aimed_at(setup, scale, expected) -> None:
    assert exponent(Setup(**setup), scale) == expected


@pytest.mark.parametrize("value", [torch.nan, torch.inf, 1e200])
def test_points_that_are_not_finite_have_no_class_and_no_error(value: float) -> None:
    """Nor those so far off that no class has a density there in float64."""
    mixture = GaussianMixture(
        torch.tensor([[-1.0, 0.0], [1.0, 0.0]]).double(),
        torch.full((2,), 0.25).double(),
        torch.ones(2),
        torch.tensor([0, 1]),
    )
    reference = Reference(mixture, 0, 1.0, seed=0)
    points = torch.zeros(8, 2, dtype=torch.float64)
    points[3, 1] = value
    for name, values in reference.measure(points, 4).items():
        assert values.shape == (5,)
        assert values.isnan().all(), name


def test_errors_of_a_known_shift() -> None:
    """Exact samples moved by (0.3, 0): each metric has its closed form."""
    mixture = GaussianMixture(
        torch.zeros(1, 2), torch.tensor([1.0]), torch.ones(1), torch.tensor([0])
    )
    reference = Reference(mixture, 0, 1.0, seed=0)
    points, _ = mixture.draw(torch.Generator().manual_seed(9), 4096)
    floor = reference.measure(points)
    moved = reference.measure(points + torch.tensor([0.3, 0.0]))
    assert float(floor["sliced_wasserstein"]) < 0.04
    # W1 along a direction at angle a is 0.3 |cos a|, its mean over angles 0.3 * 2 / pi
    assert float(moved["sliced_wasserstein"]) == pytest.approx(0.6 / math.pi, abs=0.03)
    assert float(moved["mean_error"]) == pytest.approx(0.3, abs=0.03)
    stretched = reference.measure(2 * points)
    assert float(stretched["covariance_error"]) == pytest.approx(3 * math.sqrt(2), abs=0.2)
    assert float(floor["covariance_error"]) < 0.1


def test_jackknife_error_is_the_spread_over_seeds() -> None:
    reference = Reference(_mixture(), TARGET, 1.0, seed=0)
    errors, values = [], []
    for seed in range(40):
        points, _ = _mixture().draw(torch.Generator().manual_seed(seed), 512, label=TARGET)
        found = jackknife(reference.measure(points + 0.5, 16)["mean_error"])
        errors.append(found.se)
        values.append(found.value)
    assert sum(errors) / 40 == pytest.approx(torch.tensor(values).std().item(), rel=0.35)


def test_one_dimension_is_measured_as_two_that_are_one() -> None:
    """A second coordinate that is 0 adds nothing to the errors of mean and covariance."""
    points = torch.linspace(-1, 2, 64, dtype=torch.float64)[:, None]
    mixture = GaussianMixture(
        torch.tensor([[-1.0], [1.0]]),
        torch.tensor([0.25, 0.25]),
        torch.ones(2),
        torch.tensor([0, 1]),
    )
    reference = Reference(mixture, 1, 1.0, 0)
    assert reference.covariance.shape == (1, 1)
    assert float(reference.covariance) == pytest.approx(0.25, rel=0.05)
    found = reference.measure(points, blocks=4)
    spread = float(points.var() - reference.covariance)
    assert float(found["covariance_error"][0]) == pytest.approx(abs(spread))
    assert all(values.shape == (5,) and values.isfinite().all() for values in found.values())


def test_class_frequencies() -> None:
    reference = Reference(_mixture(), TARGET, 1.0, seed=0)
    other, _ = _mixture().draw(torch.Generator().manual_seed(1), 1024, label=0)
    assert float(reference.measure(other)["class_frequency"]) > 0.8


def test_bias_is_the_excess_over_the_floor_less_the_samplers_own() -> None:
    """Excesses 0.30 - 0.10 and 0.03 - 0.01 with floors' errors 0.03 and 0.04, own error 0."""
    guided = Aimed(2.0, torch.tensor([0.30, 0.31, 0.29]).double())
    plain = Aimed(1.0, torch.tensor([0.03, 0.04, 0.02]).double())
    floors = {1.0: Errors(0.01, 0.03), 2.0: Errors(0.10, 0.04)}
    assert bias(guided, plain, floors) == pytest.approx((0.18, 0.05), abs=1e-7)
    # of one density: the floor cancels, and its error
    assert bias(guided, plain._replace(power=2.0), floors) == pytest.approx((0.27, 0.0), abs=1e-7)


def test_the_error_of_a_bias_is_its_spread_over_seeds() -> None:
    """Paired: much less than that of two distances that were independent."""
    mixture, errors, values, alone = _mixture(), [], [], []
    references = {power: Reference(mixture, TARGET, power, seed=0) for power in (1.0, 3.0)}
    floors = {power: one.floor(256, list(range(90, 106))) for power, one in references.items()}
    distances = {power: found["sliced_wasserstein"] for power, found in floors.items()}
    for number in range(24):
        truth = Truth(mixture, SCHEDULES["vp_sde"], list(range(1000 * number, 1000 * number + 256)))
        cells = [
            Aimed(
                power,
                references[power].measure(
                    truth.sample(setup, scale, _steps("ddim", 10), TARGET), 8
                )["sliced_wasserstein"],
            )
            for setup, scale, power in (
                (Setup(conditional=True), None, 1.0),
                (Setup(guidance="cfg"), 2.0, 3.0),
            )
        ]
        found = bias(cells[1], cells[0], distances)
        errors.append(found.se)
        values.append(found.value)
        alone.append(math.hypot(*(jackknife(cell.distance).se for cell in cells)))
    spread = torch.tensor(values).std().item()
    assert sum(errors) / 24 == pytest.approx(spread, rel=0.4)
    assert sum(errors) / 24 < 0.9 * sum(alone) / 24


def test_a_floor_is_what_exact_samples_get() -> None:
    reference = Reference(_mixture(), TARGET, 2.0, seed=0)
    found = reference.floor(512, list(range(32)))
    again = reference.floor(512, list(range(100, 132)))
    for name, (value, error) in found.items():
        assert abs(value - again[name].value) < 4 * math.hypot(error, again[name].se), name
    assert 0 < found["sliced_wasserstein"].se < 0.2 * found["sliced_wasserstein"].value


@pytest.mark.parametrize("power", [0.0, 1.0, 3.0])
def test_densities_are_normalised_and_where_the_samples_are(power: float) -> None:
    mixture = _mixture()
    found, (left, right, low, high) = densities(mixture, power, 96)
    cell = (right - left) * (high - low) / 95**2
    torch.testing.assert_close(found.sum((1, 2)) * cell, torch.ones(3, dtype=torch.float64))
    x = torch.linspace(left, right, 96).double()
    mean = (found[TARGET].sum(0) * x).sum() * cell
    drawn = mixture.draw_tilted(torch.Generator().manual_seed(0), 20_000, TARGET, power)
    assert float(mean) == pytest.approx(float(drawn[:, 0].mean()), abs=0.03)


def test_exact_implicit_classifier_is_the_exact_classifier() -> None:
    """-(eps(x, y) - eps(x)) / sigma = grad log p_t(y | x_t) (Ho & Salimans 2021, section 3.2)."""
    chance = torch.Generator().manual_seed(0)
    means = torch.randn(4, 1, 4, 4, generator=chance, dtype=torch.float64)
    mixture = GaussianMixture(
        means, torch.full((4,), 2.0), torch.ones(4), torch.tensor([0, 1, 2, 1])
    )
    schedule = SCHEDULES["ddpm_linear"]
    truth = Truth(mixture, schedule, [0])
    images, labels = mixture.draw(chance, 12)
    views = Views(images, labels, torch.arange(12), False)
    networks = BoundDenoiser(truth.denoiser, schedule, labels)
    cosines = {}
    for name, classifier in truth.classifiers.items():
        evaluate = ClassifierGradient(
            networks.unconditional, "score", schedule, classifier, "raw", None
        )
        found = implicit(evaluate, networks.conditional, schedule, views, [150, 100, 60])
        cosines[name] = torch.stack([cosine for _, cosine in found])
    torch.testing.assert_close(
        cosines["noise_trained"], torch.ones(3, 12, dtype=torch.float64), rtol=1e-6, atol=1e-6
    )
    assert cosines["clean"][0].mean() < 0.99
