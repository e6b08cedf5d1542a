"""Claims 1 to 3: accuracy along the forward process, where the clean classifier is at chance.

nrCG, section 2 and figure 1.
"""

from collections.abc import Iterator
from itertools import takewhile
from typing import NamedTuple

import numpy as np
import pandas as pd

from guidebench.base.jackknife import agresti_coull
from guidebench.report.claims.intervals import mean, proportion
from guidebench.report.claims.kinds import Kind, along, followed
from guidebench.report.claims.verdicts import (
    FAILS,
    HOLDS,
    UNDECIDED,
    Interval,
    Outcome,
    Undecided,
    Unmeasured,
    Values,
    against,
)
from guidebench.report.tables import Tables

EARLY = 0.45
MARGIN = 0.10
ACCURATE = 0.80
RESTORED = 0.5


class FirstTime(NamedTuple):
    """The first t, at or before 0.45 T, at which accuracy is within a margin of chance.

    `early`: the accuracy at each t up to 0.45 T. `candidates`: the t that may be the first such
    one; none where all intervals lie outside of the margin. `certain`: at the last t up to 0.45 T
    the whole interval is inside. `t`: the first one by the estimates, or the nearest to chance.
    """

    early: dict[int, Interval]
    candidates: list[int]
    certain: bool
    t: int

    def __str__(self) -> str:
        ends = f" [{self.candidates[0]}, {self.candidates[-1]}]" if self.candidates[1:] else ""
        return f"At t = {self.t}{ends}"

    @property
    def values(self) -> Values:
        """The t, and the smallest and largest candidate."""
        return {
            "t": self.t,
            "t, low": min(self.candidates, default=None),
            "t, high": max(self.candidates, default=None),
        }


def _rows(curve: pd.DataFrame) -> Iterator[tuple[int, np.ndarray]]:
    return zip(map(int, curve.index), curve.to_numpy(float), strict=True)


def _accuracies(tables: Tables, dataset: str, kind: Kind) -> dict[int, Interval]:
    """Accuracy and its interval at each t, ascending."""
    curve = along(tables, dataset, "accuracy", kind)
    return {t: proportion(float(row.mean()), len(row)) for t, row in _rows(curve)}


def _first_time(tables: Tables, dataset: str, kind: Kind) -> FirstTime:
    """Raises Unmeasured where no t at or before 0.45 T was measured."""
    facts = tables.facts(dataset)
    accuracies = _accuracies(tables, dataset, kind)
    early = {t: share for t, share in accuracies.items() if t <= EARLY * facts["timesteps"]}
    if not early:
        raise Unmeasured(f"not measured: no t at or before {EARLY} T was evaluated")
    low, high = facts["chance"] - MARGIN, facts["chance"] + MARGIN
    # from the last t down while it is certain: a sequence fixed beforehand needs no correction
    inside = list(
        takewhile(lambda t: low <= early[t].low and early[t].high <= high, reversed(early))
    )
    last = min(inside, default=max(early))
    candidates = [
        t for t, share in early.items() if t <= last and share.low <= high and share.high >= low
    ]
    off = {t: abs(early[t].estimate - facts["chance"]) for t in candidates or early}
    near = [t for t in off if off[t] <= MARGIN]
    t = near[0] if near else min(off, key=lambda t: off[t])
    return FirstTime(early, candidates, bool(inside), t)


def _over_candidates(first: FirstTime, at: dict[int, Interval], kind: Kind) -> Interval:
    """An interval that holds whichever candidate is the first t; the estimate is that at `t`.

    Undecided where claim 1 found none.
    """
    if not first.candidates:
        raise Undecided(
            "claim 1 found no t at which the clean classifier is near chance, "
            "so there is no t to compare at"
        )
    missing = sorted(set(first.candidates) - set(at))
    if missing:
        raise Unmeasured(f"not measured: no accuracy of {kind} at t = {missing[0]}")
    return Interval(
        at[first.t].estimate,
        min(at[t].low for t in first.candidates),
        max(at[t].high for t in first.candidates),
    )


def near_chance(tables: Tables, dataset: str, clean: Kind) -> Outcome:
    """Claim 1: the clean classifier falls to chance early."""
    facts = tables.facts(dataset)
    chance, total = float(facts["chance"]), int(facts["timesteps"])
    first = _first_time(tables, dataset, clean)
    accuracy = first.early[first.t]
    values = first.values | {"t / T": first.t / total, "chance": chance}
    values |= accuracy.values(f"accuracy {clean}")
    last = max(first.early)
    values |= first.early[last].values(f"accuracy {clean} at t = {last}")
    verdict = HOLDS if first.certain else UNDECIDED if first.candidates else FAILS
    which = "the first such t" if first.candidates else "where it is nearest to chance"
    return Outcome(
        verdict,
        values,
        f"{first} ({first.t / total:.2f} T), {which}, its "
        f"accuracy is {accuracy}, and at t = {last} {first.early[last]}; chance is "
        f"{chance:.3f}.",
    )


def noise_trained_accurate(
    tables: Tables, dataset: str, clean: Kind, noise_trained: Kind
) -> Outcome:
    """Claim 2: the noise-trained classifier is accurate where the clean one is not."""
    first = _first_time(tables, dataset, clean)
    accuracies = _accuracies(tables, dataset, noise_trained)
    accuracy = _over_candidates(first, accuracies, noise_trained)
    values = first.values | accuracy.values(f"accuracy {noise_trained}")
    return Outcome(against(accuracy, ACCURATE), values, f"{first} its accuracy is {accuracy}.")


def x0_restores(tables: Tables, dataset: str, raw: Kind, x0: Kind) -> Outcome:
    """Claim 3: x0_pred before the clean classifier restores at least half of the loss."""
    first = _first_time(tables, dataset, raw)
    on_x0, on_raw = (along(tables, dataset, "accuracy", kind) for kind in (x0, raw))
    on_clean_images = [
        tables.clean_accuracy(dataset, name) for name in followed(tables, dataset, raw)
    ]
    clean = next(iter(on_clean_images), None)
    if clean is None:
        raise Unmeasured("not measured: no accuracy of the clean classifier on clean images")
    # above 0 where at least half is restored; x0 and raw are of the same images
    beyond = on_x0 - (1 - RESTORED) * on_raw
    surpluses = {
        # of shares, which may agree in all images
        t: mean(row, RESTORED * clean.value, RESTORED * clean.se, least=agresti_coull(0, len(row)))
        for t, row in _rows(beyond.dropna())
    }
    surplus = _over_candidates(first, surpluses, x0)
    before = {t: row.mean() for t, row in _rows(on_raw) if t in first.candidates}
    t = max(before, key=lambda t: before[t])
    if before[t] >= clean.value:
        raise Undecided(
            f"the clean classifier loses nothing: {clean.value:.3f} on clean images, "
            f"{before[t]:.3f} at t = {t}"
        )
    restored, lost = float(on_x0.T[first.t].mean()), float(before[first.t])
    share = (restored - lost) / (clean.value - lost)
    values = (
        first.values
        | {
            f"accuracy {x0}": restored,
            f"accuracy {raw}": lost,
            "accuracy on clean images": clean.value,
            "share restored": share,
        }
        | surplus.values("accuracy above half of the loss restored")
    )
    return Outcome(
        against(surplus, 0),
        values,
        f"{first} the accuracy goes from {lost:.3f} to {restored:.3f}, which "
        f"restores {100 * share:.0f} % of the loss from {clean.value:.3f}; it is "
        f"{surplus} above what restores half.",
    )
