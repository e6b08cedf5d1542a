"""The closed-form world against numerical integration, autograd, Bayes and its own samples."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from guidebench.data.gaussian_mixture import ExactClassifier, GaussianMixture

LEVELS = [(1.0, 0.0), (0.9, math.sqrt(1 - 0.81)), (0.2, math.sqrt(1 - 0.04))]


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=generator(seed), dtype=torch.float64)


def spd(count: int, size: int, seed: int) -> Tensor:
    """Correlated covariances with eigenvalues from 0.1 on."""
    root = normal(count, size, size, seed=seed) / size**0.5
    return 0.6 * root @ root.mT + 0.1 * torch.eye(size, dtype=torch.float64)


def planar() -> GaussianMixture:
    """Four correlated components in the plane, two classes, unequal weights."""
    means = torch.tensor([[-1.0, 0.5], [1.2, -0.3], [0.2, 1.5], [0.1, -1.4]])
    weights, labels = torch.tensor([1.0, 2.0, 3.0, 0.5]), torch.tensor([0, 1, 1, 0])
    return GaussianMixture(means, spd(4, 2, seed=3), weights, labels)


def isotropic() -> GaussianMixture:
    """Three round components in the plane, three classes."""
    means, variances = normal(3, 2, seed=5), torch.tensor([0.1, 0.3, 0.6])
    return GaussianMixture(means, variances, torch.tensor([1.0, 2.0, 1.0]), torch.arange(3))


def pictures() -> GaussianMixture:
    """Three components of correlated 2 x 3 x 2 pictures, two classes."""
    weights, labels = torch.tensor([1.0, 2.0, 1.0]), torch.tensor([1, 0, 1])
    return GaussianMixture(normal(3, 2, 3, 2, seed=6), spd(3, 12, seed=7), weights, labels)


WORLDS = [planar, isotropic, pictures]
worlds = pytest.mark.parametrize("world", WORLDS)
levels = pytest.mark.parametrize(("alpha", "sigma"), LEVELS)
World = Callable[[], GaussianMixture]


def close(found: Tensor, expected: Tensor, tolerance: float = 1e-10) -> None:
    torch.testing.assert_close(found, expected, rtol=tolerance, atol=tolerance)


def gradient(of: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    x = x.clone().requires_grad_()
    (found,) = torch.autograd.grad(of(x).sum(), x)
    return found


def grid(half: float = 6.0, count: int = 241) -> tuple[Tensor, float]:
    """Points [count^2, 2] of a square, and the area of each."""
    line = torch.linspace(-half, half, count, dtype=torch.float64)
    return torch.cartesian_prod(line, line), (2 * half / (count - 1)) ** 2


def grid_moments(density: Tensor, points: Tensor) -> tuple[Tensor, Tensor]:
    """(mean, covariance) of an unnormalised density on grid points."""
    share = density / density.sum()
    mean = share @ points
    return mean, (points - mean).T @ (share[:, None] * (points - mean))


def same_moments(x: Tensor, mean: Tensor, covariance: Tensor) -> None:
    """Sample moments are within five standard errors."""
    centred = x.flatten(1) - mean
    products = (centred[:, :, None] * centred[:, None, :]).flatten(1)
    for rows, expected in ((centred, torch.zeros_like(mean)), (products, covariance.flatten())):
        error = rows.std(0) / len(rows) ** 0.5
        assert ((rows.mean(0) - expected).abs() < 5 * error).all()


@levels
@pytest.mark.parametrize("label", [None, 0, 1])
def test_density_integrates_to_one(alpha: float, sigma: float, label: int | None) -> None:
    points, area = grid()
    total = planar().log_density(points, alpha, sigma, label).exp().sum() * area
    assert abs(float(total) - 1) < 1e-5


def test_density_of_one_gaussian_is_torchs() -> None:
    mean, covariance, x = normal(1, 2, 2, 1), spd(1, 4, 1), normal(5, 2, 2, 1, seed=2)
    one = GaussianMixture(mean, covariance, torch.ones(1), torch.zeros(1, dtype=torch.long))
    noisy = 0.25 * covariance[0] + 0.75 * torch.eye(4, dtype=torch.float64)
    reference = torch.distributions.MultivariateNormal(0.5 * mean.flatten(), noisy)
    close(one.log_density(x, 0.5, 0.75**0.5), reference.log_prob(x.flatten(1)))


@worlds
@levels
@pytest.mark.parametrize("label", [None, 0, 1])
def test_score_is_the_gradient(world: World, alpha: float, sigma: float, label: int | None) -> None:
    mixture = world()
    x = 1.5 * normal(20, *mixture.shape)
    found = mixture.score(x, alpha, sigma, label)
    close(found, gradient(lambda x: mixture.log_density(x, alpha, sigma, label), x))


@worlds
@levels
@pytest.mark.parametrize("label", [None, 1])
def test_x0_is_tweedies(world: World, alpha: float, sigma: float, label: int | None) -> None:
    mixture = world()
    x = 1.5 * normal(20, *mixture.shape)
    tweedie = (x + sigma**2 * mixture.score(x, alpha, sigma, label)) / alpha
    close(mixture.x0(x, alpha, sigma, label), tweedie)


@pytest.mark.parametrize("label", [None, 0])
def test_x0_is_the_mean_of_the_integrated_posterior(label: int | None) -> None:
    mixture, (alpha, sigma), (points, _) = planar(), (0.6, 0.8), grid()
    x = normal(6, 2)
    distances = torch.cdist(x, alpha * points).square() / (2 * sigma**2)
    posterior = (mixture.log_density(points, 1.0, 0.0, label) - distances).softmax(1)
    close(mixture.x0(x, alpha, sigma, label), posterior @ points, 1e-6)


def test_limits_of_x0() -> None:
    mixture, x = pictures(), normal(4, 2, 3, 2)
    close(mixture.x0(x, 1.0, 0.0), x)
    mean, _ = mixture.moments()
    close(mixture.x0(x, 0.0, 1.0).flatten(1), mean.expand(4, -1))


def test_gradients_are_those_of_finite_differences() -> None:
    mixture, x = planar(), normal(3, 2).requires_grad_()
    for of in (mixture.x0, mixture.log_posterior, mixture.log_density):
        assert torch.autograd.gradcheck(lambda x, of=of: of(x, 0.6, 0.8), (x,))


@worlds
@levels
def test_posterior_is_bayes(world: World, alpha: float, sigma: float) -> None:
    mixture = world()
    x = 1.5 * normal(20, *mixture.shape)
    posterior = mixture.log_posterior(x, alpha, sigma)
    close(posterior.exp().sum(1), torch.ones(20, dtype=torch.float64))
    prior = {planar: [1.5, 5.0], isotropic: [1.0, 2.0, 1.0], pictures: [2.0, 2.0]}[world]
    marginal = mixture.log_density(x, alpha, sigma)
    for label, weight in enumerate(prior):
        evidence = mixture.log_density(x, alpha, sigma, label) + math.log(weight / sum(prior))
        close(posterior[:, label], evidence - marginal)


@worlds
@levels
def test_gradient_of_the_posterior_is_the_difference_of_scores(
    world: World, alpha: float, sigma: float
) -> None:
    mixture = world()
    x = 1.5 * normal(20, *mixture.shape)
    found = gradient(lambda x: mixture.log_posterior(x, alpha, sigma)[:, 1], x)
    close(found, mixture.score(x, alpha, sigma, 1) - mixture.score(x, alpha, sigma))


def test_clean_limit() -> None:
    mixture, x, sigma = planar(), normal(20, 2), 1e-4
    alpha = math.sqrt(1 - sigma**2)
    difference = mixture.log_posterior(x, alpha, sigma) - mixture.log_posterior(x, 1.0, 0.0)
    assert 0 < difference.abs().max() < 1e-5
    close(mixture.score(x, alpha, sigma), mixture.score(x, 1.0, 0.0), 1e-5)


def test_posterior_is_finite_far_from_all_means() -> None:
    means = torch.tensor([[1.0, 0.0], [-1.0, 0.0]])
    mixture = GaussianMixture(means, torch.full((2,), 0.5), torch.ones(2), torch.arange(2))
    x = torch.tensor([[1e5, 3.0]], dtype=torch.float64)
    # log p(1 | x) - log p(0 | x) = -2 x m / variance, and p(0 | x) is one
    close(mixture.log_posterior(x, 1.0, 0.0), torch.tensor([[0.0, -4e5]]).double())
    found = gradient(lambda x: mixture.log_posterior(x, 1.0, 0.0)[:, 1], x)
    close(found, torch.tensor([[-4.0, 0.0]]).double(), 1e-9)


@worlds
@pytest.mark.parametrize(("alpha", "sigma"), [(1.0, 0.0), (0.6, 0.8)])
@pytest.mark.parametrize("label", [None, 1])
def test_draws_have_the_moments(
    world: World, alpha: float, sigma: float, label: int | None
) -> None:
    mixture = world()
    x, labels = mixture.draw(generator(), 20_000, alpha, sigma, label)
    mean, covariance = mixture.moments(label)
    noise = sigma**2 * torch.eye(len(mean), dtype=torch.float64)
    same_moments(x, alpha * mean, alpha**2 * covariance + noise)
    assert x.shape == (20_000, *mixture.shape)
    assert x.dtype == torch.float64
    if label is not None:
        assert (labels == label).all()


def test_draws_have_the_classes_frequencies_and_places() -> None:
    mixture = planar()
    x, labels = mixture.draw(generator(), 20_000)
    share, count = 1.5 / 6.5, int((labels == 0).sum())
    assert abs(count - 20_000 * share) < 5 * math.sqrt(20_000 * share * (1 - share))
    same_moments(x[labels == 0], *mixture.moments(0))


@pytest.mark.parametrize("label", [None, 0, 1])
def test_moments_are_the_integrals(label: int | None) -> None:
    points, _ = grid()
    density = planar().log_density(points, 1.0, 0.0, label).exp()
    found, expected = planar().moments(label), grid_moments(density, points)
    for one, other in zip(found, expected, strict=True):
        close(one, other, 1e-5)


@pytest.mark.parametrize("scale", [0.0, 0.5, 1.0, 3.0])
def test_tilted_draws_have_the_integrated_moments(scale: float) -> None:
    mixture, (points, _) = planar(), grid()
    log_posterior = mixture.log_posterior(points, 1.0, 0.0)[:, 0]
    tilted = (mixture.log_density(points, 1.0, 0.0) + scale * log_posterior).exp()
    x = mixture.draw_tilted(generator(), 20_000, 0, scale)
    assert x.shape == (20_000, 2)
    same_moments(x, *grid_moments(tilted, points))


def test_tilted_draws_tell_scales_apart() -> None:
    mixture = planar()
    mean, covariance = mixture.moments(0)
    same_moments(mixture.draw_tilted(generator(), 20_000, 0, 1.0), mean, covariance)
    for scale in (0.5, 3.0):
        with pytest.raises(AssertionError):
            same_moments(mixture.draw_tilted(generator(), 20_000, 0, scale), mean, covariance)


def test_a_hopeless_tilt_is_an_error() -> None:
    # classes that cannot be told apart: p(y | x) is one half everywhere
    same = GaussianMixture(torch.zeros(2, 1), torch.ones(2), torch.ones(2), torch.arange(2))
    with pytest.raises(RuntimeError, match="scale 60"):
        same.draw_tilted(generator(), 10, 0, 60.0)


@levels
def test_isotropic_is_full_covariance_of_variance_times_identity(
    alpha: float, sigma: float
) -> None:
    means, variances = normal(3, 1, 2, 2), torch.tensor([0.2, 0.5, 1.1]).double()
    rest = (torch.tensor([1.0, 2.0, 3.0]), torch.tensor([0, 1, 0]))
    full = variances[:, None, None] * torch.eye(4, dtype=torch.float64)
    one, other = GaussianMixture(means, variances, *rest), GaussianMixture(means, full, *rest)
    x = normal(7, 1, 2, 2, seed=1)
    for name in ("log_density", "log_posterior", "x0", "score"):
        close(getattr(one, name)(x, alpha, sigma), getattr(other, name)(x, alpha, sigma), 1e-12)
    for label in (None, 0, 1):
        for a, b in zip(one.moments(label), other.moments(label), strict=True):
            close(a, b, 1e-12)


def diffused_score(log_density: Tensor, line: Tensor, x: Tensor, level: tuple) -> Tensor:
    """The score at x [N, 1] of a density given at the points `line`, by numerical integration."""
    alpha, sigma = level
    distances = (x - alpha * line) ** 2 / (2 * sigma**2)
    x0 = (log_density - distances).softmax(1) @ line
    return (alpha * x0[:, None] - x) / sigma**2


@pytest.mark.parametrize(("weight", "bias"), [(0.0, 0.0), (1.0, 0.1), (3.0, 0.3)])
def test_guidance_without_classifier_is_not_the_diffused_tilted_density(
    weight: float, bias: float
) -> None:
    """(1 + w) score(x | y) - w score(x) is the score of p(x) p(y | x)^(1 + w) at sigma = 0 only."""
    means, variances = torch.tensor([[-1.0], [0.5], [2.0]]), torch.tensor([0.3, 0.5, 0.2])
    mixture = GaussianMixture(means, variances, torch.ones(3), torch.arange(3))

    def guided(x: Tensor, alpha: float, sigma: float) -> Tensor:
        conditional = mixture.score(x, alpha, sigma, 1)
        return (1 + weight) * conditional - weight * mixture.score(x, alpha, sigma)

    def log_tilted(x: Tensor) -> Tensor:
        posterior = mixture.log_posterior(x, 1.0, 0.0)[:, 1]
        return mixture.log_density(x, 1.0, 0.0) + (1 + weight) * posterior

    x = torch.linspace(-2, 3, 11, dtype=torch.float64)[:, None]
    close(guided(x, 1.0, 0.0), gradient(log_tilted, x))
    line = torch.linspace(-12, 12, 4801, dtype=torch.float64)
    noisy = diffused_score(log_tilted(line[:, None]), line, x, (0.8, 0.6))
    difference = (guided(x, 0.8, 0.6) - noisy).abs().max()
    # weight 0 shows that the integration is exact: the difference is guidance's
    assert difference < 1e-10 if weight == 0 else difference > bias


def test_results_have_the_dtype_of_x() -> None:
    mixture, x = planar(), normal(5, 2)
    level = (torch.tensor(0.6, dtype=torch.float64), torch.tensor(0.8, dtype=torch.float64))
    for name in ("log_density", "log_posterior", "x0", "score"):
        exact = getattr(mixture, name)(x, 0.6, 0.8)
        assert exact.dtype == torch.float64
        close(getattr(mixture, name)(x, *level), exact, 1e-12)
        rounded = getattr(mixture, name)(x.float(), 0.6, 0.8)
        assert rounded.dtype == torch.float32
        close(rounded.double(), exact, 1e-5)


def test_classifier_is_noise_aware_or_clean() -> None:
    mixture, x = planar(), normal(5, 2)
    noisy = ExactClassifier(mixture, lambda time: (0.8 - time / 2, 0.6 + time / 2))
    close(noisy(x, 0.4), mixture.log_posterior(x, 0.6, 0.8))
    # time 0 is the level function's: a discrete schedule's first step is not quite clean
    close(noisy(x), mixture.log_posterior(x, 0.8, 0.6))
    clean = ExactClassifier(mixture)
    close(clean(x, 0.4), mixture.log_posterior(x, 1.0, 0.0))
    assert (noisy(x, 0.4) - clean(x, 0.4)).abs().max() > 0.1


def test_classifiers_log_prob_and_temperature() -> None:
    classifier, x = ExactClassifier(planar()), normal(5, 2)
    logits = classifier(x)
    close(classifier.log_prob(logits, 1), logits[:, 1])
    odds = logits[:, 1] - logits[:, 0]
    cold = torch.nn.functional.logsigmoid(odds / 0.5)
    close(classifier.log_prob(logits, 1, temperature=0.5), cold)


GOOD = {
    "means": torch.zeros(2, 2),
    "covariances": torch.ones(2),
    "weights": torch.ones(2),
    "labels": torch.arange(2),
}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("means", torch.zeros(0, 2)),
        ("covariances", torch.ones(3)),
        ("covariances", torch.ones(2, 3, 3)),
        ("covariances", torch.tensor([1.0, 0.0])),
        ("covariances", torch.tensor([[1.0, 2.0], [2.0, 1.0]]).expand(2, 2, 2)),
        ("covariances", torch.tensor([[1.0, 0.5], [0.0, 1.0]]).expand(2, 2, 2)),
        ("covariances", torch.tensor([1.0, math.nan])),
        ("weights", torch.tensor([1.0, 0.0])),
        ("weights", torch.ones(3)),
        ("labels", torch.tensor([0, 2])),
        ("labels", torch.tensor([1, 1])),
        ("labels", torch.tensor([-1, 0])),
        ("labels", torch.tensor([0.0, 1.0])),
        ("labels", torch.arange(3)),
    ],
)
def test_wrong_parameters_are_value_errors(name: str, value: Tensor) -> None:
    GaussianMixture(**GOOD)
    with pytest.raises(ValueError, match=name):
        GaussianMixture(**{**GOOD, name: value})


@pytest.mark.parametrize("label", [-1, 2])
def test_unknown_labels_are_value_errors(label: int) -> None:
    mixture, x = planar(), normal(1, 2)
    for of in (mixture.log_density, mixture.x0, mixture.score):
        with pytest.raises(ValueError, match="allowed: 0 to 1"):
            of(x, 1.0, 0.0, label)
    for scale in (0.5, 2.0):
        with pytest.raises(ValueError, match="allowed: 0 to 1"):
            mixture.draw_tilted(generator(), 1, label, scale)


def test_negative_scales_are_value_errors() -> None:
    with pytest.raises(ValueError, match="scale"):
        planar().draw_tilted(generator(), 1, 0, -0.5)
