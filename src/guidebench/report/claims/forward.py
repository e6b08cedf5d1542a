"""Claims 1 to 7: classifiers along the forward process (nrCG, section 2, figures 1 to 4)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial
from itertools import pairwise, takewhile
from typing import NamedTuple

import numpy as np
import pandas as pd

from guidebench.report.claims.intervals import all_above, proportion, rank_correlation_along
from guidebench.report.claims.verdicts import (
    FAILS,
    HOLDS,
    UNDECIDED,
    Interval,
    Outcome,
    Unmeasured,
    against,
    along,
    mean,
)
from guidebench.report.tables import Tables

EARLY = 0.45
MARGIN = 0.10
NOISE_TRAINED = 0.80
RESTORED = 0.5
RISE = 0.5

Curve = tuple[str, str, str]
CLEAN_RAW: Curve = ("clean", "raw", "none")
CLEAN_X0: Curve = ("clean", "x0", "none")
NOISE_TRAINED_RAW: Curve = ("noise_trained", "raw", "none")


def _label(curve: Curve) -> str:
    classifier, source, stabilizer = curve
    return f"{classifier}/{source}" + ("" if stabilizer == "none" else f"+{stabilizer}")


def _rows(curve: pd.DataFrame) -> Iterator[tuple[int, np.ndarray]]:
    return zip(map(int, curve.index), curve.to_numpy(float), strict=True)


def _shares(curve: pd.DataFrame) -> dict[int, Interval]:
    """Share of images with 1 and its interval at each t, ascending; `curve` is [t, image]."""
    return {t: proportion(float(row.mean()), len(row)) for t, row in _rows(curve)}


class First(NamedTuple):
    """The first t at or before 0.45 T at which clean/raw is within the margin of chance.

    `early`: its accuracy at each t there. `may`: the t that may be the first one, none where all
    intervals are outside of the margin. `sure`: the accuracy is within it for certain at the last.
    `t`: the first one by the estimates, or the nearest to chance.
    """

    early: dict[int, Interval]
    may: list[int]
    sure: bool
    t: int


def _first(tables: Tables, dataset: str) -> First:
    """Raises Unmeasured where no t at or before 0.45 T was measured."""
    facts = tables.facts(dataset)
    found = _shares(along(tables, dataset, "accuracy", *CLEAN_RAW))
    early = {t: share for t, share in found.items() if t <= EARLY * facts["timesteps"]}
    if not early:
        raise Unmeasured(f"not measured: no t at or before {EARLY} T was evaluated")
    low, high = facts["chance"] - MARGIN, facts["chance"] + MARGIN
    # from the last t down while it is certain: a sequence fixed beforehand needs no correction
    inside = list(
        takewhile(lambda t: low <= early[t].low and early[t].high <= high, reversed(early))
    )
    last = min(inside, default=max(early))
    may = [t for t, share in early.items() if t <= last and share.low <= high and share.high >= low]
    off = {t: abs(early[t].estimate - facts["chance"]) for t in may or early}
    near = [t for t in off if off[t] <= MARGIN]
    return First(early, may, bool(inside), near[0] if near else min(off, key=lambda t: off[t]))


def _at(tables: Tables, dataset: str) -> First:
    found = _first(tables, dataset)
    if not found.may:
        raise Unmeasured(
            "claim 1 found no t at which the clean classifier is near chance, "
            "so there is no t to compare at"
        )
    return found


def _over(first: First, found: dict[int, Interval], title: str) -> Interval:
    """The interval at the first t, whichever of those that may be it that is."""
    missing = sorted(set(first.may) - set(found))
    if missing:
        raise Unmeasured(f"not measured: no accuracy of {title} at t = {missing[0]}")
    return Interval(
        found[first.t].estimate,
        min(found[t].low for t in first.may),
        max(found[t].high for t in first.may),
    )


def _times(first: First) -> dict[str, float | None]:
    return {
        "t": first.t,
        "t, low": min(first.may, default=None),
        "t, high": max(first.may, default=None),
    }


def _where(first: First) -> str:
    ends = f" [{first.may[0]}, {first.may[-1]}]" if first.may[1:] else ""
    return f"At t = {first.t}{ends}"


def near_chance(tables: Tables, dataset: str) -> Outcome:
    """Claim 1: the clean classifier falls to chance early."""
    facts = tables.facts(dataset)
    chance, total = float(facts["chance"]), int(facts["timesteps"])
    first = _first(tables, dataset)
    accuracy = first.early[first.t]
    values = _times(first) | {"t / T": first.t / total, "chance": chance}
    values |= accuracy.values("accuracy clean/raw")
    last = max(first.early)
    values |= first.early[last].values(f"accuracy clean/raw at t = {last}")
    verdict = HOLDS if first.sure else UNDECIDED if first.may else FAILS
    kind = "the first such t" if first.may else "where it is nearest to chance"
    return Outcome(
        verdict,
        values,
        f"{_where(first)} ({first.t / total:.2f} T), {kind}, its "
        f"accuracy is {accuracy}, and at t = {last} {first.early[last]}; chance is "
        f"{chance:.3f}.",
    )


def noise_trained_accurate(tables: Tables, dataset: str) -> Outcome:
    """Claim 2: the noise-trained classifier is accurate where the clean one is not."""
    first = _at(tables, dataset)
    found = _shares(along(tables, dataset, "accuracy", *NOISE_TRAINED_RAW))
    accuracy = _over(first, found, "noise_trained/raw")
    values = _times(first) | accuracy.values("accuracy noise_trained/raw")
    return Outcome(
        against(accuracy, NOISE_TRAINED), values, f"{_where(first)} its accuracy is {accuracy}."
    )


def x0_restores(tables: Tables, dataset: str) -> Outcome:
    """Claim 3: x0_pred before the clean classifier restores at least half of the loss."""
    first = _at(tables, dataset)
    x0, raw = (along(tables, dataset, "accuracy", *curve) for curve in (CLEAN_X0, CLEAN_RAW))
    clean = tables.clean_accuracy(dataset, "clean")
    if clean is None:
        raise Unmeasured("not measured: no accuracy of the clean classifier on clean images")
    before = {t: row.mean() for t, row in _rows(raw) if t in first.may}
    t = max(before, key=lambda t: before[t])
    if before[t] >= clean.value:
        raise Unmeasured(
            f"the clean classifier loses nothing: {clean.value:.3f} on clean images, "
            f"{before[t]:.3f} at t = {t}"
        )
    # above 0 where at least half is restored; x0 and raw are of the same images
    beyond = x0 - (1 - RESTORED) * raw
    found = {
        t: mean(row, RESTORED * clean.value, RESTORED * clean.se)
        for t, row in _rows(beyond.dropna())
    }
    surplus = _over(first, found, "clean/x0")
    restored, lost = float(x0.T[first.t].mean()), float(before[first.t])
    share = (restored - lost) / (clean.value - lost)
    values = (
        _times(first)
        | {
            "accuracy clean/x0": restored,
            "accuracy clean/raw": lost,
            "accuracy on clean images": clean.value,
            "share restored": share,
        }
        | surplus.values("accuracy above half of the loss restored")
    )
    return Outcome(
        against(surplus, 0),
        values,
        f"{_where(first)} the accuracy goes from {lost:.3f} to {restored:.3f}, which "
        f"restores {100 * share:.0f} % of the loss from {clean.value:.3f}; it is "
        f"{surplus} above what restores half.",
    )


def _logs(curve: pd.DataFrame) -> pd.Series:
    """Mean over t of the natural log, of each image."""
    # a gradient that is exactly zero has no logarithm: floor at float32's smallest
    return np.log(np.maximum(curve, np.finfo(np.float32).tiny)).mean()


def _ordered(tables: Tables, dataset: str, quantity: str, *curves: Curve) -> Outcome:
    """Whether the quantity falls from each curve to the next, on the log scale."""
    compared = []
    values: dict[str, float | None] = {}
    parts = []
    for first, second in pairwise(curves):
        pair = [along(tables, dataset, quantity, *curve) for curve in (first, second)]
        both = pair[0].index.intersection(pair[1].index)  # on average over the same t
        logs = [_logs(curve.loc[both]) for curve in pair]
        compared.append(partial(mean, (logs[0] - logs[1]).to_numpy(), 0.0, 0.0))
        interval = compared[-1](1)
        title = f"{_label(first)} over {_label(second)}"
        values |= interval.values(f"log ratio {title}")
        values[f"ratio {title}"] = math.exp(interval.estimate)
        parts.append(
            f"{title}: log ratio {interval}, a factor of {math.exp(interval.estimate):.3g}"
        )
    return Outcome(all_above(compared), values, "; ".join(parts) + ".")


def logit_sensitivity(tables: Tables, dataset: str) -> Outcome:
    """Claim 4: the clean classifier's logits are more sensitive."""
    return _ordered(tables, dataset, "logit_sensitivity", CLEAN_RAW, NOISE_TRAINED_RAW)


def grad_sensitivity(tables: Tables, dataset: str) -> Outcome:
    """Claim 5: gradients of clean/raw, clean/x0 and noise-trained, in falling order."""
    return _ordered(tables, dataset, "grad_sensitivity", CLEAN_RAW, CLEAN_X0, NOISE_TRAINED_RAW)


def ema_lowers(tables: Tables, dataset: str) -> Outcome:
    """Claim 6: EMA lowers the gradient sensitivity, 0.99 below 0.9."""
    return _ordered(
        tables,
        dataset,
        "grad_sensitivity",
        CLEAN_X0,
        ("clean", "x0", "ema0.9"),
        ("clean", "x0", "ema0.99"),
    )


def adam_rises(tables: Tables, dataset: str) -> Outcome:
    """Claim 7: ADAM's gradient sensitivity rises towards noise."""
    curve = along(tables, dataset, "grad_sensitivity", "clean", "x0", "adam")
    rho = rank_correlation_along(curve)
    return Outcome(
        against(rho, RISE),
        rho.values("Spearman correlation with t")
        | {"number of t": len(curve), "number of images": curve.shape[1]},
        f"Spearman's correlation over {len(curve)} t is {rho}.",
    )
