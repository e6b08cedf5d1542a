"""A Gaussian mixture with labels: data whose score, denoiser and classifier are exact.

Levels are numbers (or 0-d tensors) alpha and sigma of x_t = alpha x_0 + sigma eps; the data
themselves are at alpha = 1, sigma = 0. At any level component k is Gaussian with mean alpha m_k
and covariance alpha^2 C_k + sigma^2 I, which has the eigenvectors of C_k. Everything is computed in
float64 on the mixture's device and returned in the dtype and on the device of x. A label out of
0 .. classes - 1 is a ValueError.

>>> mixture = GaussianMixture(
...     torch.tensor([[-1.0], [1.0]]), torch.ones(2), torch.ones(2), torch.tensor([0, 1])
... )
>>> x = torch.tensor([[1.0]])
>>> [round(f(x, 0.6, 0.8, label=0).item(), 4) for f in (mixture.score, mixture.x0)]
[-1.6, -0.04]
>>> round(mixture.log_posterior(x, 1.0, 0.0)[0, 1].exp().item(), 3)  # 1 / (1 + exp(-2))
0.881
"""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

Number = float | Tensor

_BATCH_NUMBERS = 2**22  # float64 numbers in one array of proposals: 32 MiB
_PROPOSALS = 2_000_000  # before rejection sampling may give up


def _checked(means: Tensor, covariances: Tensor, weights: Tensor, labels: Tensor) -> int:
    """The number of classes; ValueError when the parameters are not a mixture's."""
    count, size = len(means), means[0].numel() if len(means) else 0
    if not size:
        raise ValueError(f"means: found shape {tuple(means.shape)}, allowed: [K, *shape]")
    if covariances.shape not in (torch.Size([count]), torch.Size([count, size, size])):
        raise ValueError(
            f"covariances: found shape {tuple(covariances.shape)}, allowed: "
            f"[{count}] or [{count}, {size}, {size}]"
        )
    if covariances.ndim == 3 and not torch.allclose(covariances, covariances.mT):
        raise ValueError("covariances: found one that is not symmetric")
    if weights.shape != (count,) or not (weights.isfinite() & (weights > 0)).all():
        raise ValueError(f"weights: found {weights.tolist()}, allowed: {count} positive numbers")
    if labels.shape != (count,) or labels.is_floating_point():
        raise ValueError(f"labels: found {labels.tolist()}, allowed: {count} integers")
    numbers = labels.unique().tolist()
    if numbers != list(range(len(numbers))):
        raise ValueError(f"labels: found {numbers}, allowed: 0 to classes - 1, each class used")
    return len(numbers)


class GaussianMixture:
    """Components with means [K, *shape], weights [K] > 0 and labels [K] in 0 .. classes - 1.

    Weights are normalized here. `covariances`: [K, d, d], d the product of `shape`, or isotropic
    variances [K]. ValueError when shapes do not fit, a class has no component or a covariance is
    not positive definite.
    """

    def __init__(self, means: Tensor, covariances: Tensor, weights: Tensor, labels: Tensor) -> None:
        self.classes = _checked(means, covariances, weights, labels)
        self.shape = tuple(means.shape[1:])
        self._means = means.detach().double().flatten(1)
        self._log_weights = weights.detach().to(self._means).log().log_softmax(0)
        self._labels = labels.long().to(means.device)
        spread = covariances.detach().to(self._means)
        self._basis: Tensor | None = None  # [K, d, d], eigenvectors in columns
        if spread.ndim == 3:
            self._variances, self._basis = torch.linalg.eigh(spread)  # [K, d]
        else:
            self._variances = spread[:, None]  # [K, 1], broadcast over the d coordinates
        if not (self._variances.isfinite() & (self._variances > 0)).all():
            raise ValueError("covariances: found one that is not positive definite")

    def _select(self, label: int | None) -> slice | Tensor:
        """The components of a class, or all."""
        if label is None:
            return slice(None)
        if not 0 <= label < self.classes:
            raise ValueError(f"label: found {label}, allowed: 0 to {self.classes - 1}")
        return (self._labels == label).nonzero()[:, 0]

    def _joint(
        self, x: Tensor, alpha: Number, sigma: Number, rows: slice | Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """(log p(k, x_t | class) [N, K], x_t - alpha m_k [N, K, d], its variances [K, d or 1]).

        The last two in the eigenbasis of C_k.
        """
        offset = x.to(self._means).flatten(1)[:, None] - alpha * self._means[rows]
        if self._basis is not None:
            offset = torch.einsum("nkd,kde->nke", offset, self._basis[rows])
        variances = alpha**2 * self._variances[rows] + sigma**2
        volume = offset.shape[-1] * (2 * math.pi * variances).log().mean(1)
        log_density = -0.5 * ((offset**2 / variances).sum(-1) + volume)
        return self._log_weights[rows].log_softmax(0) + log_density, offset, variances

    def _expected(self, responsibilities: Tensor, vectors: Tensor, rows: slice | Tensor) -> Tensor:
        """Sum over k of vectors [N, K, d], given in eigenbasis k, times responsibilities [N, K]."""
        vectors = responsibilities[..., None] * vectors
        if self._basis is None:
            return vectors.sum(1)
        return torch.einsum("nke,kde->nd", vectors, self._basis[rows])

    def log_density(
        self, x: Tensor, alpha: Number, sigma: Number, label: int | None = None
    ) -> Tensor:
        """The log density log p_t(x), or log p_t(x | label), [N] of rows x [N, *shape]."""
        return self._joint(x, alpha, sigma, self._select(label))[0].logsumexp(1).to(x)

    def log_posterior(self, x: Tensor, alpha: Number, sigma: Number) -> Tensor:
        """The posterior log p_t(y | x_t) [N, classes]: the exact classifier of x [N, *shape]."""
        # Bayes: sum p(k, x_t) over the components of each class, normalized over classes
        joint = self._joint(x, alpha, sigma, slice(None))[0]
        of_class = [joint[:, self._labels == y].logsumexp(1) for y in range(self.classes)]
        return torch.stack(of_class, dim=1).log_softmax(1).to(x)

    def x0(self, x: Tensor, alpha: Number, sigma: Number, label: int | None = None) -> Tensor:
        """E[x_0 | x_t], or E[x_0 | x_t, label], like x [N, *shape]: the exact denoiser."""
        rows = self._select(label)
        joint, offset, variances = self._joint(x, alpha, sigma, rows)
        # mean over p(k | x_t) of E[x_0 | x_t, k] = m_k + alpha C_k / (alpha^2 C_k + sigma^2)
        # times (x_t - alpha m_k)
        weights = joint.softmax(1)
        shrunk = alpha * self._variances[rows] / variances * offset
        x0 = weights @ self._means[rows] + self._expected(weights, shrunk, rows)
        return x0.reshape(x.shape).to(x)

    def score(self, x: Tensor, alpha: Number, sigma: Number, label: int | None = None) -> Tensor:
        """grad_x log p_t(x), or of log p_t(x | label), like x [N, *shape]; also at sigma = 0."""
        rows = self._select(label)
        # each component's score, over p(k | x_t)
        joint, offset, variances = self._joint(x, alpha, sigma, rows)
        score = -self._expected(joint.softmax(1), offset / variances, rows)
        return score.reshape(x.shape).to(x)

    def draw(
        self,
        generator: torch.Generator,
        count: int,
        alpha: Number = 1.0,
        sigma: Number = 0.0,
        label: int | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Exact samples of p_t or p_t(. | label): (x [count, *shape] float64, labels [count])."""
        components = torch.arange(len(self._means), device=self._means.device)[self._select(label)]
        shares = self._log_weights[components].exp()
        index = components[torch.multinomial(shares, count, True, generator=generator)]
        noise = torch.empty_like(self._means[index]).normal_(generator=generator)
        noise *= (alpha**2 * self._variances + sigma**2).sqrt()[index]
        if self._basis is not None:
            # by component: the bases of all rows at once would be [count, d, d]
            for k in index.unique():
                noise[index == k] = noise[index == k] @ self._basis[k].T
        x = alpha * self._means[index] + noise
        return x.reshape(count, *self.shape), self._labels[index]

    def draw_tilted(
        self, generator: torch.Generator, count: int, label: int, scale: float
    ) -> Tensor:
        """Exact samples [count, *shape] of p(x) p(label | x)^scale, normalized, by rejection.

        ValueError for a negative scale, RuntimeError when under 1e-6 of 2,000,000 proposals are
        accepted.
        """
        if scale < 0:
            raise ValueError(f"scale: found {scale}, allowed: zero or more")
        # proposals from p(x), or from 1 on from p(x | label) ~ p(x) p(label | x), are accepted with
        # probability p(label | x)^exponent
        source, exponent = (label, scale - 1) if scale >= 1 else (None, scale)
        self._select(label)
        batch = min(2**16, max(256, _BATCH_NUMBERS // self._means.numel()))
        kept: list[Tensor] = []
        accepted = proposed = 0
        while accepted < count:
            if proposed >= _PROPOSALS and accepted < 1e-6 * proposed:
                raise RuntimeError(f"scale {scale}: {accepted} of {proposed} proposals accepted")
            x, _ = self.draw(generator, batch, label=source)
            log_accept = exponent * self.log_posterior(x, 1.0, 0.0)[:, label]
            uniform = torch.empty_like(log_accept).uniform_(generator=generator)
            kept.append(x[uniform.log() < log_accept])
            accepted, proposed = accepted + len(kept[-1]), proposed + batch
        return torch.cat(kept)[:count]

    def flow(self, x: Tensor, alpha: float, sigma: float) -> Tensor:
        """Where the probability-flow ODE takes rows x [N, *shape] of a level: their data.

        d(x / alpha) / d log(sigma / alpha) = x / alpha - x_0(x) (Song et al. 2021, eq. 13), solved
        to a relative 1e-9; from sigma / alpha = 1e-4 on, x_0 itself. For docs/samplers.md.
        """
        from scipy.integrate import solve_ivp

        def level(log_ratio: float) -> tuple[float, float]:
            angle = math.atan(math.exp(log_ratio))
            return math.cos(angle), math.sin(angle)

        def slope(log_ratio: float, flat: Any) -> Any:
            at, rows = level(log_ratio)[0], torch.from_numpy(flat).view(x.shape)
            return (rows - self.x0(at * rows, *level(log_ratio))).flatten().numpy()

        span = (math.log(sigma / alpha), math.log(1e-4))
        start = (x.double() / alpha).flatten().numpy()
        last = solve_ivp(slope, span, start, "DOP853", rtol=1e-9, atol=1e-11).y[:, -1]
        return self.x0(level(span[1])[0] * torch.from_numpy(last).view(x.shape), *level(span[1]))

    def moments(self, label: int | None = None) -> tuple[Tensor, Tensor]:
        """(mean [d], covariance [d, d]) of p(x) or p(x | label), by the law of total variance."""
        rows = self._select(label)
        weights, means = self._log_weights[rows].softmax(0), self._means[rows]
        mean = weights @ means
        within = weights[:, None] * self._variances[rows]
        if self._basis is None:
            covariance = within.sum() * torch.eye(len(mean)).to(mean)
        else:
            covariance = torch.einsum("ke,kde,kfe->df", within, *[self._basis[rows]] * 2)
        centred = means - mean
        return mean, covariance + (weights[:, None] * centred).T @ centred


class ExactClassifier:
    """The mixture's posterior as a guiding classifier (guidance.gradients.GuidingClassifier).

    With `level`, which gives (alpha, sigma) at a time in [0, 1], the exact noise-aware classifier
    p_t(y | x_t); without it the exact clean classifier p_0(y | x), whatever the time.
    """

    def __init__(
        self, mixture: GaussianMixture, level: Callable[[Any], tuple[Number, Number]] | None = None
    ) -> None:
        self.mixture, self.level = mixture, level

    def __call__(self, x: Tensor, time: Any = 0.0) -> Tensor:
        """Logits [N, classes] of x [N, *shape], normalized: log p_t(y | x)."""
        alpha, sigma = self.level(time) if self.level else (1.0, 0.0)
        return self.mixture.log_posterior(x, alpha, sigma)

    def log_prob(self, logits: Tensor, target: int | Tensor, temperature: float = 1.0) -> Tensor:
        """Give log_softmax(logits / temperature) of the target, one class or [N] of them, [N]."""
        rows = torch.as_tensor(target, device=logits.device).expand(len(logits))
        return (logits / temperature).log_softmax(1).gather(1, rows[:, None])[:, 0]
