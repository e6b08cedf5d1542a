"""Experiments whose truth is known, with the code's own functions: docs/statistics.md's tables.

Features of d = 64 dimensions; a distance's truth is the formula of the distributions' own moments.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from guidebench.base.cells import Cell
from guidebench.base.jackknife import blocked, corrected, standard_error
from guidebench.metrics.collected import Row, Scores
from guidebench.metrics.frechet import Fitted, Moments, moments
from guidebench.metrics.reference import Real, Reference
from guidebench.metrics.score import Scorer
from guidebench.metrics.variety import Features, diversity, inception_score
from guidebench.report.claims.verdicts import difference, quantile
from guidebench.report.tables import Tables

D, BLOCKS = 64, 16
BROKEN_AT = 24.0  # three times as far from the mean as other images are
Draw = Callable[[np.random.Generator, int], np.ndarray]


class Population(NamedTuple):
    """How images are drawn, [n, D], and their true mean and covariance."""

    draw: Draw
    mean: np.ndarray
    covariance: np.ndarray

    def moved(self, spread: float, shift: float) -> Population:
        """The same images (same noise), spread around 0 and shifted along the first direction."""
        step = shift * np.eye(D)[0]
        return Population(
            lambda chance, n: spread * self.draw(chance, n) + step,
            spread * self.mean + step,
            spread**2 * self.covariance,
        )


def normal(variances: np.ndarray) -> Population:
    """Gaussian of independent features."""
    return Population(
        lambda chance, n: chance.normal(size=(n, D)) * np.sqrt(variances),
        np.zeros(D),
        np.diag(variances),
    )


def heavy(degrees: float = 5.0) -> Population:
    """Student's t, the whole image by one factor; covariance 1."""

    def draw(chance: np.random.Generator, n: int) -> np.ndarray:
        factor = np.sqrt((degrees - 2) / chance.chisquare(degrees, size=(n, 1)))
        return chance.normal(size=(n, D)) * factor

    return Population(draw, np.zeros(D), np.eye(D))


def broken(share: float = 0.01) -> Population:
    """A Gaussian, of which a share lies at one far place."""
    place = np.full(D, BROKEN_AT / 8)

    def draw(chance: np.random.Generator, n: int) -> np.ndarray:
        return chance.normal(size=(n, D)) + (chance.random((n, 1)) < share) * place

    return Population(draw, share * place, np.eye(D) + share * (1 - share) * np.outer(place, place))


def clusters() -> Population:
    """Four classes far apart, and within them variances from 10 down to 1e-6: a judge's features.

    Three directions, between the classes, have 96 % of the variance (the default SportBalls judge:
    99 % of 959).
    """
    within, places = np.geomspace(10, 1e-6, D), 36 * np.eye(4, D)

    def draw(chance: np.random.Generator, n: int) -> np.ndarray:
        return places[chance.integers(0, 4, n)] + chance.normal(size=(n, D)) * np.sqrt(within)

    return Population(
        draw, places.mean(axis=0), np.diag(within) + np.cov(places, rowvar=False, ddof=0)
    )


def rare() -> Population:
    """Rectified: each feature is 0 but in a share of the images, from half to one of 500."""
    share = np.geomspace(0.5, 0.002, D)

    def draw(chance: np.random.Generator, n: int) -> np.ndarray:
        return (chance.random((n, D)) < share) * chance.exponential(4, size=(n, D))

    return Population(draw, 4 * share, np.diag(16 * (2 * share - share**2)))


FLAT = normal(np.ones(D))
STEEP = normal(D * np.arange(1, D + 1.0) ** -2 / (np.arange(1, D + 1.0) ** -2).sum())
POPULATIONS = {
    "Gaussian": FLAT,
    "Gaussian, variances i^-2": STEEP,
    "heavy tails (t, 5)": heavy(),
    "1 % broken": broken(),
    "four classes": clusters(),
    "rare features": rare(),
}


def truth(one: Population, other: Population) -> float:
    """Their Fréchet distance."""
    count = 1_000_001
    both = [Moments(count, each.mean, (count - 1) * each.covariance) for each in (one, other)]
    fitted = Fitted(np.zeros((2, D)), np.zeros(2), 1)
    fitted.whole = both[0]
    return fitted.distance(both[1])


def images(features: np.ndarray) -> Features:
    """A cell of one class as the stage `features` writes it."""
    n = len(features)
    return {"hidden:judge": features, "labels": np.zeros(n, int), "diverged": np.zeros(n, bool)}


class Coverage(NamedTuple):
    """Shares of trials whose 95 % interval holds the truth, and the mean error of the values."""

    corrected: float
    raw: float
    pair: float
    pair_raw: float
    bias: float
    raw_bias: float


def coverage(name: str, n: int, reference: int, trials: int) -> Coverage:
    """Of the distance of one cell (spread 1.1), and of its difference to another (spread 0.9).

    From `Scorer` to `verdicts.difference`, as the stages call them, on references drawn anew.
    """
    wide, narrow = (POPULATIONS[name].moved(spread, 0.5) for spread in (1.1, 0.9))
    real = FLAT if name in ("heavy tails (t, 5)", "1 % broken") else POPULATIONS[name]
    true, gap = truth(real, wide), truth(real, wide) - truth(real, narrow)
    cells = Cell("wide"), Cell("narrow")
    rows = []
    for trial in range(trials):
        chance = np.random.default_rng(trial)
        sets = {"reference": images(real.draw(chance, reference))}
        scorer, scores = Scorer(Real(sets, None), False, BLOCKS), Scores()
        for cell, population in zip(cells, (wide, narrow), strict=True):
            found = images(population.draw(np.random.default_rng(10**6 + trial), n))
            scores.extend(Row("one", cell.setup, None, "evaluation", 0), scorer.score(found, None))
        frames = dict.fromkeys(
            ("sensitivity", "classifiers", "history", "costs"), scores.results().iloc[:0]
        )
        tables = Tables(
            results=scores.results(),
            jackknife=scores.jackknife(),
            summary={},
            reference_jackknife=scores.reference(),
            **frames,
        )
        one, two = (tables.measure("one", cell, "fd_judge") for cell in cells)
        assert one
        assert two
        blocks = [tables.left_out("one", cell, "fd_judge") for cell in cells]
        seeds = [
            float(np.sqrt((BLOCKS - 1) * block.var(ddof=0)))
            for block in (blocks[0], blocks[0] - blocks[1])
        ]
        t, pair = quantile(BLOCKS - 1), difference(tables, "one", *((c, "fd_judge") for c in cells))
        rows.append(
            [
                abs(one.value - true) <= t * one.se,
                abs(one.raw - true) <= t * seeds[0],
                pair.low <= gap <= pair.high,
                abs(one.raw - two.raw - gap) <= t * seeds[1],
                one.value - true,
                one.raw - true,
            ]
        )
    return Coverage(*np.mean(rows, axis=0))


class AtZero(NamedTuple):
    """Of images of the reference's own distribution, as a floor's are: means over trials.

    `alone`, `least`: shares whose interval holds 0, with the jackknife's error alone and with at
    least `least_error`. Then the value, corrected, and by FD-infinity (Chong & Forsyth 2020), each
    with its standard deviation over trials.
    """

    alone: float
    least: float
    raw: float
    corrected: float
    deviation: float
    infinity: float
    deviation_infinity: float


def at_zero(name: str, n: int, reference: int, trials: int) -> AtZero:
    """A floor's distance, which is 0, from references drawn anew."""
    rows = []
    for trial in range(trials):
        chance = np.random.default_rng(trial)
        real, found = (POPULATIONS[name].draw(chance, count) for count in (reference, n))
        scorer = Scorer(
            Real({"reference": images(real), "floor": images(found)}, None), False, BLOCKS
        )
        one = next(scorer.floor())
        t = quantile(BLOCKS - 1)
        alone = standard_error(one.replicates, one.reference_replicates)
        holds = [abs(one.value) <= t * error for error in (alone, one.se)]
        rows.append([*holds, one.raw, one.value, infinity(real, found, chance)])
    means, spread = np.mean(rows, axis=0), np.std(rows, axis=0, ddof=1)
    return AtZero(*np.array([*means[:4], spread[3], means[4], spread[4]]))


def infinity(real: np.ndarray, found: np.ndarray, chance: np.random.Generator) -> float:
    """FD-infinity: where a line through distances of 15 subsets of both meets 1 / size = 0."""
    shares = np.linspace(0.3, 1, 15)
    values = []
    for share in shares:
        parts = [
            rows[chance.permutation(len(rows))[: round(share * len(rows))]]
            for rows in (real, found)
        ]
        fitted = Fitted(parts[0], np.zeros(len(parts[0])), 1)
        values.append(fitted.distance(moments(parts[1])))
    return float(np.polyfit(1 / shares, values, 1)[1])


def kernel_distance(x: np.ndarray, y: np.ndarray) -> float:
    """Unbiased squared MMD of the kernel (x . y / d + 1)^3, but for a constant of y (KID)."""
    own = (x @ x.T / D + 1) ** 3
    pairs = len(x) * (len(x) - 1)
    return float((own.sum() - np.trace(own)) / pairs - 2 * ((x @ y.T / D + 1) ** 3).mean())


MEASURES = ("raw FD", "corrected FD", "KD", "sliced")
DESIGNS = {"spread": (0.05, 0.0), "shift": (0.0, 0.4), "both": (0.05, 0.4)}


def chosen(spectrum: Population, design: str, n: int, trials: int) -> dict[str, float]:
    """How often each measure finds the right one of five scales, on the same seeds.

    The right one has the reference's distribution; the others are narrower or wider in steps of
    5 %, or shifted in steps of 0.4 of a feature's mean deviation, in a direction of the data.
    """
    narrower, shift = DESIGNS[design]
    hits = np.zeros(len(MEASURES))
    for trial in range(trials):
        chance = np.random.default_rng(trial)
        real = spectrum.draw(chance, 2000)
        reference = Reference(real, "images", BLOCKS)
        seeds, way = spectrum.draw(chance, n), spectrum.draw(chance, 1)[0]
        found = []
        for step in range(-2, 3):
            x = (1 - narrower * step) * seeds + shift * step * way / np.linalg.norm(way)
            frechet, sliced = reference.distances(x, blocked(n, BLOCKS))
            unbiased = corrected(frechet.raw, frechet.replicates)
            found.append([frechet.raw, unbiased, kernel_distance(x, real), sliced.raw])
        hits += np.argmin(found, axis=0) == 2
    return dict(zip(MEASURES, hits / trials, strict=True))


def others(n: int, trials: int) -> dict[str, tuple[float, float, float]]:
    """(coverage, bias / standard deviation, the same of the raw value) of the other measures.

    The truth is the measure of 200,000 images; recall's (it has no limit in n) its mean at n.
    """

    def draw(chance: np.random.Generator, count: int) -> Features:
        labels = chance.integers(0, 10, count)
        logits = 3 * np.eye(10)[labels] + chance.normal(size=(count, 10))
        chances = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        hidden = chance.normal(size=(count, 8)) + 2 * np.eye(10, 8)[labels]
        return images(hidden) | {
            "probabilities:judge": chances,
            "predicted:judge": labels,
            "labels": labels,
        }

    large = draw(np.random.default_rng(10**6), 200_000)
    scorer = Scorer(Real({"reference": draw(np.random.default_rng(7), 2000)}, None), True, BLOCKS)
    found: dict[str, list[tuple[float, float, float]]] = {}
    for trial in range(trials):
        for score in scorer.score(draw(np.random.default_rng(trial), n), None):
            found.setdefault(score.metric, []).append((score.value, score.se, score.raw))
    assert scorer.neighbours
    first = large["hidden:judge"][:4000], large["predicted:judge"][:4000]
    true = {
        "is_judge": inception_score(large["probabilities:judge"]),
        "diversity_judge": diversity(*first),
        "precision_judge": float(scorer.neighbours.precision(large["hidden:judge"][:4000]).mean()),
        "recall_judge": float(np.mean([value for value, _, _ in found["recall_judge"]])),
    }
    t, answer = quantile(BLOCKS - 1), {}
    for metric, level in true.items():
        value, se, raw = np.array(found[metric]).T
        answer[metric] = (
            float((abs(value - level) <= t * se).mean()),
            float((value.mean() - level) / value.std()),
            float((raw.mean() - level) / raw.std()),
        )
    return answer


# what docs/statistics.md tells: population, n, images of the reference
OTHERS = ("Gaussian, variances i^-2", "heavy tails (t, 5)", "four classes", "rare features")
CASES = [
    *(("Gaussian", n, 2000) for n in (256, 512, 128)),
    *((name, 256, 2000) for name in (*OTHERS[:2], "1 % broken", *OTHERS[2:])),
    *(("Gaussian", 256, reference) for reference in (256, 120)),
]
# the default experiment's floor is of 256 images, its reference of 3,000
FLOORS = [(name, 256, 3000) for name in ("Gaussian", *OTHERS)]
FLOORS.insert(-1, ("four classes", 1024, 3000))
SIZES = (64, 128, 256, 512)
TRIALS, CHOICES = 200, 100


def lines() -> Iterator[str]:
    """The rows of the document's tables."""
    for name, n, reference in CASES:
        found = coverage(name, n, reference, TRIALS)
        shares = " | ".join(f"{100 * share:.0f}" for share in found[:4])
        yield f"| {name} | {n} | {reference} | {shares} | {found.bias:.2f} | {found.raw_bias:.2f} |"
    for name, n, reference in FLOORS:
        zero = at_zero(name, n, reference, TRIALS)
        yield (
            f"| {name} | {n} | {reference} | {100 * zero.alone:.0f} | {100 * zero.least:.0f} | "
            + " | ".join(f"{value:.2f}" for value in zero[2:])
            + " |"
        )
    for spectrum, population in (("flat", FLAT), ("i^-2", STEEP)):
        for design in DESIGNS:
            for n in SIZES:
                shares = chosen(population, design, n, CHOICES).values()
                yield (
                    f"| {spectrum} | {design} | {n} | "
                    + " | ".join(f"{100 * share:.0f}" for share in shares)
                    + " |"
                )
    for metric, (share, bias, raw) in others(256, TRIALS).items():
        yield f"| {metric} | {100 * share:.0f} | {bias:.2f} | {raw:.2f} |"


if __name__ == "__main__":
    for line in lines():
        print(line, flush=True)  # noqa: T201
