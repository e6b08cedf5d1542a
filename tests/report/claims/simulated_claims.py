"""Experiments with a known truth at the limit of each claim, and how often a verdict is wrong.

Seeds and images are drawn as an experiment draws them: 256 evaluation and 64 selection seeds in 16
blocks, and curves over 40 t of 640 (accuracy) or 40 images that share their errors along t.
`PYTHONPATH=tests python tests/report/claims/simulated_claims.py` prints docs/claims.md's table.
"""

import sys
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import synthetic_tables as synthetic
from scipy import stats

from guidebench.report.claims.findings import NUMBERED
from guidebench.report.claims.verdicts import FAILS, HOLDS
from guidebench.report.tables import Tables

TRIALS = 400
BOTH = (HOLDS, FAILS)
BLOCKS, SEEDS = 16, {"evaluation": 256, "selection": 64}
T, TIMES = 400, np.arange(9, 400, 10)
CHANCE, CLEAN = 0.25, 0.98
RAW, X0, NOISE = "clean/raw", "clean/x0", "noise_trained/raw"
EMA9, EMA99, ADAM = "clean/x0+ema0.9", "clean/x0+ema0.99", "clean/x0+adam"
Generator = np.random.Generator
Curves = dict[tuple[str, str, str, str], np.ndarray]
Cells = dict[tuple[str, float], dict[str, float]]
FIRST, PART = 149, 0.345  # the first t within the margin of chance, and clean/raw's accuracy there


def chain(draw: Generator, images: int, phi: float = 0.9) -> np.ndarray:
    """Errors [t, image], standard normal, which neighbouring t share (an AR(1))."""
    steps = draw.normal(size=(len(TIMES), images))
    found = steps.copy()
    for t in range(1, len(TIMES)):
        found[t] = phi * found[t - 1] + (1 - phi**2) ** 0.5 * steps[t]
    return found


def correct(draw: Generator, share: np.ndarray) -> np.ndarray:
    """Whether each of 640 images is right at each t, with probability `share` [t]."""
    level = stats.norm.ppf(np.clip(share, 1e-6, 1 - 1e-6))
    return (chain(draw, 640) < level[:, None]).astype(float)


def falling(at: float, slope: float) -> np.ndarray:
    """A share that is `at` at t = FIRST and falls by `slope` over T, down to chance."""
    return np.clip(at - slope * (TIMES - FIRST) / T, CHANCE, 1)


def forward(curves: Curves, draw: Generator) -> Tables:
    """Tables of curves (classifier, input, stabilizer, quantity) -> values [t, image]."""
    found = synthetic.tables()
    keys = ("classifier", "input", "stabilizer", "quantity")
    rows = [
        dict(zip(keys, key, strict=True)) | {"dataset": "balls", "t": t} | synthetic.row(row)
        for key, curve in curves.items()
        for t, row in zip(TIMES, curve, strict=True)
    ]
    accuracy = draw.binomial(2400, CLEAN) / 2400
    known = {"accuracy": accuracy, "se": (accuracy * (1 - accuracy) / 2400) ** 0.5, "n": 2400}
    found.summary["datasets"]["balls"] |= {"timesteps": T, "chance": CHANCE}
    return Tables(
        **vars(found)
        | {"sensitivity": pd.DataFrame(rows), "classifiers": found.classifiers.assign(**known)}
    )


def sampled(cells: Cells, draw: Generator) -> Tables:
    """Tables of cells with true values: shares of seeds, or means over seeds (spread 1)."""
    found = synthetic.tables()
    rows: list[dict[str, Any]] = []
    left_out: list[dict[str, Any]] = []
    for split, n in SEEDS.items():
        shared = draw.normal(size=n)
        block = np.arange(n) % BLOCKS
        for (setup, scale), metrics in cells.items():
            for metric, truth in metrics.items():
                noise = 0.7 * shared + 0.51**0.5 * draw.normal(size=n)
                share = metric.startswith(("accuracy", "diverged"))
                values = (stats.norm.cdf(noise) < truth).astype(float) if share else truth + noise
                common = {"dataset": "balls", "setup": setup, "scale": scale, "split": split}
                common |= {"metric": metric}
                score = {"value": values.mean(), "n": n, "seed": 1}
                rows.append(common | score | {"se": values.std(ddof=1) / n**0.5})
                left_out += [
                    common | {"block": k, "value": values[block != k].mean()} for k in range(BLOCKS)
                ]
    setups = found.summary["datasets"]["balls"]["setups"]
    for setup in setups:
        setups[setup]["scales"] = [
            scale for name, scale in cells if name == setup and not np.isnan(scale)
        ]
    for setup in set(setups) - {setup for setup, _ in cells}:
        del setups[setup]
    return Tables(
        **vars(found) | {"results": pd.DataFrame(rows), "jackknife": pd.DataFrame(left_out)}
    )


class Scenario(NamedTuple):
    """A truth at the limit of a claim, and the verdicts that are wrong just beyond it."""

    claim: int
    truth: str
    wrong: tuple[str, ...]
    draw: Callable[[Generator], Tables]


def _one(draw: Generator, *parts: tuple[str, str, np.ndarray]) -> Tables:
    return forward(
        {
            (classifier, source, "none", "accuracy"): correct(draw, share)
            for classifier, source, share in parts
        },
        draw,
    )


def _limit(draw: Generator, after: float) -> Tables:
    """Accuracy of clean/raw: to 0.35 at the last t <= 0.45 T, and level or steep before it."""
    return _one(draw, ("clean", "raw", np.clip(0.35 + after * (179 - TIMES) / T, 0.35, 1)))


def _at_first(draw: Generator) -> Tables:
    """noise_trained/raw at 0.80 and clean/x0 at half of the loss restored, at the first t."""
    return _one(
        draw,
        ("clean", "raw", falling(PART, 1.0)),
        ("clean", "x0", falling((CLEAN + PART) / 2, 0.5)),
        ("noise_trained", "raw", falling(0.80, 0.5)),
    )


def _logs(draw: Generator, quantity: str, *levels: tuple[str, str, str, float]) -> Tables:
    """Sensitivities of images that differ (t with 5 degrees), `level` the mean log."""
    base = draw.normal(size=40)
    return forward(
        {
            (classifier, source, stabilizer, quantity): np.exp(
                level + base + 0.5 * draw.standard_t(5, size=40) + 0.5 * chain(draw, 40)
            )
            for classifier, source, stabilizer, level in levels
        },
        draw,
    )


def _triple(draw: Generator, first: float) -> Tables:
    return _logs(
        draw,
        "grad_sensitivity",
        ("clean", "raw", "none", first),
        ("clean", "x0", "none", 0.0),
        ("noise_trained", "raw", "none", 0.0),
    )


def _smooth(draw: Generator, first: float) -> Tables:
    return _logs(
        draw,
        "grad_sensitivity",
        ("clean", "x0", "none", first),
        ("clean", "x0", "ema0.9", 0.0),
        ("clean", "x0", "ema0.99", 0.0),
    )


def _adam(draw: Generator, shape: np.ndarray, noise: float, phi: float) -> Tables:
    errors = np.exp(chain(draw, 40, phi))
    return forward(
        {("clean", "x0", "adam", "grad_sensitivity"): shape[:, None] + noise * errors}, draw
    )


@cache
def _hump() -> np.ndarray:
    """A curve over t that rises and falls, with Spearman's correlation nearest to 0.5."""
    curves = [
        np.where(peak >= TIMES, TIMES / peak, 1 - 1.3 * (TIMES - peak) / (T - peak))
        for peak in np.linspace(150, 390, 2000)
    ]
    return min(curves, key=lambda curve: abs(stats.spearmanr(TIMES, curve).statistic - 0.5))


def _judged(accuracy: float, cfd: float, diverged: float = 0.0) -> dict[str, float]:
    return {"accuracy_judge": accuracy, "cfd_judge": cfd, "diverged": diverged}


def _raw(*cells: dict[str, float]) -> Callable[[Generator], Tables]:
    found = {(RAW, 10.0**k): cell for k, cell in enumerate(cells)}
    return lambda draw: sampled({("unguided", np.nan): _judged(0.25, 10)} | found, draw)


def _guided(**cells: tuple[float, float]) -> Callable[[Generator], Tables]:
    names = {"ema9": EMA9, "ema99": EMA99}
    found = {
        (names[name], 1.0): {"accuracy_guide": guide, "accuracy_judge": judge}
        for name, (guide, judge) in cells.items()
    }
    return lambda draw: sampled(found, draw)


def _needed(**shares: list[float]) -> Callable[[Generator], Tables]:
    """accuracy_guide at scales 1, 10, 100 of ADAM, and at 5, 50, 500 of the others."""
    names = {"adam": ADAM, "x0": X0, "ema9": EMA9, "ema99": EMA99}
    found = {
        (names[name], (1.0 if name == "adam" else 5.0) * 10**k): {"accuracy_guide": share}
        for name, row in shares.items()
        for k, share in enumerate(row)
    }
    return lambda draw: sampled(found, draw)


def _distance(setup: str, metric: str, levels: list[float]) -> Cells:
    return {(setup, 10.0**k): {metric: level} for k, level in enumerate(levels)}


def _turns(levels: list[float]) -> Callable[[Generator], Tables]:
    cells = _distance(NOISE, "cfd_judge", levels) | {("unguided", np.nan): {"cfd_judge": 10.0}}
    return lambda draw: sampled(cells, draw)


def _rises(levels: list[float]) -> Callable[[Generator], Tables]:
    return lambda draw: sampled(_distance(NOISE, "fd_judge", levels), draw)


def _rivals(**levels: float) -> Callable[[Generator], Tables]:
    names = {"raw": RAW, "x0": X0, "ema9": EMA9, "adam": ADAM, "noise": NOISE}
    cells = {(names[name], 1.0): {"cfd_judge": level} for name, level in levels.items()}
    return lambda draw: sampled(cells | {(EMA99, 1.0): {"cfd_judge": 10.0}}, draw)


def _grown(**levels: list[float]) -> Callable[[Generator], Tables]:
    """fd_judge at scales 1, 10, ... of each setup, and 10 unguided."""
    names = {"x0": X0, "ema9": EMA9, "ema99": EMA99, "adam": ADAM, "noise": NOISE}
    cells: Cells = {("unguided", np.nan): {"fd_judge": 10.0}}
    for name, row in levels.items():
        cells |= _distance(names[name], "fd_judge", row)
    return lambda draw: sampled(cells, draw)


def _first_half(draw: Generator) -> Tables:
    return _logs(
        draw,
        "grad_sensitivity",
        ("clean", "x0", "ema0.99", 0.0),
        ("noise_trained", "raw", "none", 0.0),
    )


FLAT = np.ones(len(TIMES))


def _humps(noise: float, phi: float) -> Scenario:
    return Scenario(
        7,
        f"a hump with correlation 0.5, noise {noise:g} by {phi:g}",
        BOTH,
        lambda draw: _adam(draw, _hump(), noise, phi),
    )


def _flat(phi: float) -> Scenario:
    return Scenario(
        7,
        f"flat, errors along t correlated by {phi:g}",
        (HOLDS,),
        lambda draw: _adam(draw, FLAT, 0.5, phi),
    )


def _equal(draw: Generator) -> Tables:
    return _logs(
        draw,
        "logit_sensitivity",
        ("clean", "raw", "none", 0.0),
        ("noise_trained", "raw", "none", 0.0),
    )


SCENARIOS = [
    Scenario(1, "0.10 from chance at every t of a plateau", (HOLDS,), lambda d: _limit(d, 0.0)),
    Scenario(1, "0.10 from chance at the last t alone", (FAILS,), lambda d: _limit(d, 1.0)),
    Scenario(2, "accuracy 0.80 at the first t, falling", BOTH, _at_first),
    Scenario(3, "half of the loss restored at the first t", BOTH, _at_first),
    Scenario(4, "equal logs", BOTH, _equal),
    Scenario(5, "the second pair equal, the first apart", (HOLDS,), lambda d: _triple(d, 5.0)),
    Scenario(5, "both pairs equal", (FAILS,), lambda d: _triple(d, 0.0)),
    Scenario(6, "the second pair equal, the first apart", (HOLDS,), lambda d: _smooth(d, 5.0)),
    Scenario(6, "both pairs equal", (FAILS,), lambda d: _smooth(d, 0.0)),
    *map(_flat, (0.0, 0.9, 0.99, 0.999)),
    _humps(0.3, 0.9),
    _humps(1.0, 0.0),
    _humps(3.0, 0.9),
    _humps(10.0, 0.0),
    Scenario(
        8,
        "works by a hair at one scale: accuracy + 0.15, cFD lower",
        (HOLDS,),
        _raw(_judged(0.25, 12), _judged(0.40, 8), _judged(0.25, 12)),
    ),
    Scenario(
        8,
        "works by a hair at one scale: all three at their limits",
        (HOLDS,),
        _raw(_judged(0.25, 12), _judged(0.40, 10, 0.5), _judged(0.25, 12)),
    ),
    Scenario(
        8,
        "fails by a hair at all scales: accuracy + 0.15, cFD lower",
        (FAILS,),
        _raw(*[_judged(0.40, 8)] * 3),
    ),
    Scenario(
        8, "fails by a hair at all scales: equal cFD", (FAILS,), _raw(*[_judged(0.6, 10)] * 3)
    ),
    Scenario(
        9,
        "one of the two at 0.90 with each setup",
        (HOLDS,),
        _guided(ema9=(0.999, 0.90), ema99=(0.999, 0.90)),
    ),
    Scenario(
        9, "both at 0.90 with one setup", (FAILS,), _guided(ema9=(0.90, 0.90), ema99=(0.6, 0.6))
    ),
    Scenario(
        10,
        "another reaches 0.90 at 5 times ADAM's scale",
        (HOLDS,),
        _needed(adam=[0.99, 1, 1], x0=[0.90, 1, 1], ema99=[0.5, 0.9, 1]),
    ),
    Scenario(
        10,
        "ADAM reaches 0.90 at a fifth of the others' scale",
        (FAILS,),
        _needed(adam=[0.90, 0.99, 1], x0=[0.99, 1, 1], ema9=[0.99, 1, 1]),
    ),
    Scenario(11, "equal at the ends", BOTH, _rises([10, 10, 10, 10])),
    Scenario(12, "falls, then stays", (HOLDS,), _turns([10, 8, 8])),
    Scenario(12, "as unguided throughout", (FAILS,), _turns([10, 10, 10])),
    Scenario(
        13, "one rival equal, three above", (HOLDS,), _rivals(raw=10, x0=12, ema9=12, adam=12)
    ),
    Scenario(13, "four rivals equal", BOTH, _rivals(raw=10, x0=10, ema9=10, adam=10)),
    Scenario(14, "equal", BOTH, _rivals(noise=10)),
    Scenario(
        20,
        "one rises as fast, two more slowly",
        (HOLDS,),
        _grown(adam=[10, 20, 40], noise=[10, 20, 40], x0=[10, 11, 12], ema99=[10, 11, 12]),
    ),
    Scenario(
        20,
        "three rise as fast",
        BOTH,
        _grown(adam=[10, 20, 40], noise=[10, 20, 40], x0=[10, 20, 40], ema99=[10, 20, 40]),
    ),
    Scenario(
        21,
        "one stays level, the other rises again",
        (HOLDS,),
        _grown(x0=[14, 20, 20, 20], ema99=[14, 20, 20, 40]),
    ),
    Scenario(
        21,
        "one goes on as steeply as in its flattest step",
        (HOLDS,),
        _grown(x0=[20, 22, 24, 26], ema99=[14, 20, 20, 40]),
    ),
    Scenario(21, "both as unguided throughout", BOTH, _grown(x0=[10] * 4, ema99=[10] * 4)),
    Scenario(
        21,
        "both change by half of the rise before",
        (FAILS,),
        _grown(x0=[14, 16, 30], ema99=[14, 16, 30]),
    ),
    Scenario(22, "equal logs", BOTH, _first_half),
]


def rates(scenario: Scenario, trials: int = TRIALS) -> dict[str, float]:
    """The share of experiments with each of the wrong verdicts."""
    claim = NUMBERED[scenario.claim]
    draws = (np.random.default_rng([scenario.claim, trial]) for trial in range(trials))
    found = [claim.decide(scenario.draw(draw), "balls", *claim.needs).verdict for draw in draws]
    return {verdict: found.count(verdict) / trials for verdict in scenario.wrong}


def table() -> Iterator[str]:
    """The lines of the table of docs/claims.md."""
    yield f"| claim | truth at its limit | % of {TRIALS} that “{HOLDS}” | that “{FAILS}” |"
    yield "|---|---|---|---|"
    for scenario in SCENARIOS:
        found = rates(scenario)
        cells = [f"{100 * found[verdict]:.1f}" if verdict in found else "–" for verdict in BOTH]
        yield f"| {scenario.claim} | {scenario.truth} | {' | '.join(cells)} |"


if __name__ == "__main__":
    for line in table():
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()
