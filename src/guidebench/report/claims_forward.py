"""Claims 1 to 7: classifiers along the forward process (nrCG, section 2, figures 1 to 4)."""

from __future__ import annotations

import math
from itertools import pairwise

import pandas as pd

from guidebench.report.tables import Tables
from guidebench.report.verdicts import (
    FAILS,
    HOLDS,
    Interval,
    Outcome,
    Unmeasured,
    along,
    by_sign,
    paired,
    per_image,
    rank_correlation,
)

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


def _early(tables: Tables, dataset: str) -> tuple[pd.DataFrame, int | None]:
    """Accuracy of clean/raw at t <= 0.45 T, and the first t within the margin of chance."""
    facts = tables.facts(dataset)
    rows = along(tables, dataset, "accuracy", *CLEAN_RAW)
    rows = rows[rows.t <= EARLY * facts["timesteps"]]
    if rows.empty:
        raise Unmeasured(f"not measured: no t at or before {EARLY} T was evaluated")
    # 1e-9: a difference of exactly the margin counts, whatever its binary rounding
    near = rows[(rows["mean"] - facts["chance"]).abs() <= MARGIN + 1e-9]
    return rows, (None if near.empty else int(near.t.iloc[0]))


def _at(tables: Tables, dataset: str, curve: Curve) -> tuple[int, float]:
    """(t of claim 1, accuracy of `curve` there)."""
    _, t = _early(tables, dataset)
    if t is None:
        raise Unmeasured("claim 1 found no t at which the clean classifier is near chance, "
                         "so there is no t to compare at")  # fmt: skip
    rows = along(tables, dataset, "accuracy", *curve)
    rows = rows[rows.t == t]
    if rows.empty:
        raise Unmeasured(f"not measured: no accuracy of {_label(curve)} at t = {t}")
    return t, float(rows["mean"].iloc[0])


def near_chance(tables: Tables, dataset: str) -> Outcome:
    """Claim 1: the clean classifier falls to chance early."""
    facts = tables.facts(dataset)
    chance, total = float(facts["chance"]), int(facts["timesteps"])
    rows, t = _early(tables, dataset)
    nearest = int((rows["mean"] - chance).abs().argmin())
    row = rows.iloc[nearest] if t is None else rows[rows.t == t].iloc[0]
    accuracy = float(row["mean"])
    values: dict[str, float | None] = {
        "t": int(row.t), "t / T": int(row.t) / total, "accuracy clean/raw": accuracy,
        "standard error": float(row.sd) / math.sqrt(row.n), "chance": chance}  # fmt: skip
    where = f"t = {int(row.t)} ({int(row.t) / total:.2f} T)"
    if t is None:
        return Outcome(FAILS, values, f"The nearest to chance ({chance:.3f}) at or before 0.45 T "
                       f"is {accuracy:.3f} at {where}.")  # fmt: skip
    return Outcome(HOLDS, values, f"At {where}, the first such t, its accuracy is {accuracy:.3f}; "
                   f"chance is {chance:.3f}.")  # fmt: skip


def noise_trained_accurate(tables: Tables, dataset: str) -> Outcome:
    """Claim 2: the noise-trained classifier is accurate where the clean one is not."""
    t, accuracy = _at(tables, dataset, NOISE_TRAINED_RAW)
    values = {"t": t, "accuracy noise_trained/raw": accuracy}
    return Outcome(HOLDS if accuracy >= NOISE_TRAINED - 1e-9 else FAILS, values,
                   f"At t = {t} its accuracy is {accuracy:.3f}.")  # fmt: skip


def x0_restores(tables: Tables, dataset: str) -> Outcome:
    """Claim 3: x0_pred before the clean classifier restores at least half of the loss."""
    t, restored = _at(tables, dataset, CLEAN_X0)
    _, raw = _at(tables, dataset, CLEAN_RAW)
    clean = tables.clean_accuracy(dataset, "clean")
    if clean is None:
        raise Unmeasured("not measured: no accuracy of the clean classifier on clean images")
    loss = clean.value - raw
    if loss <= 0:
        raise Unmeasured(f"the clean classifier loses nothing: {clean.value:.3f} on clean images, "
                         f"{raw:.3f} at t = {t}")  # fmt: skip
    share = (restored - raw) / loss
    values = {"t": t, "accuracy clean/x0": restored, "accuracy clean/raw": raw,
              "accuracy on clean images": clean.value, "share restored": share}  # fmt: skip
    return Outcome(HOLDS if share >= RESTORED - 1e-9 else FAILS, values,
                   f"At t = {t} the accuracy goes from {raw:.3f} to {restored:.3f}, which restores "
                   f"{100 * share:.0f} % of the loss from {clean.value:.3f}.")  # fmt: skip


def _ordered(tables: Tables, dataset: str, quantity: str, *curves: Curve) -> Outcome:
    """Whether the quantity falls from each curve to the next, on the log scale."""
    intervals: list[Interval] = []
    values: dict[str, float | None] = {}
    parts = []
    for first, second in pairwise(curves):
        interval = paired(per_image(tables, dataset, quantity, *first),
                          per_image(tables, dataset, quantity, *second))  # fmt: skip
        title = f"{_label(first)} over {_label(second)}"
        values |= interval.values(f"log ratio {title}")
        values[f"ratio {title}"] = math.exp(interval.estimate)
        intervals.append(interval)
        parts.append(
            f"{title}: log ratio {interval}, a factor of {math.exp(interval.estimate):.3g}"
        )
    return Outcome(by_sign(intervals), values, "; ".join(parts) + ".")


def logit_sensitivity(tables: Tables, dataset: str) -> Outcome:
    """Claim 4: the clean classifier's logits are more sensitive."""
    return _ordered(tables, dataset, "logit_sensitivity", CLEAN_RAW, NOISE_TRAINED_RAW)


def grad_sensitivity(tables: Tables, dataset: str) -> Outcome:
    """Claim 5: gradients of clean/raw, clean/x0 and noise-trained, in falling order."""
    return _ordered(tables, dataset, "grad_sensitivity", CLEAN_RAW, CLEAN_X0, NOISE_TRAINED_RAW)


def ema_lowers(tables: Tables, dataset: str) -> Outcome:
    """Claim 6: EMA lowers the gradient sensitivity, 0.99 below 0.9."""
    return _ordered(tables, dataset, "grad_sensitivity", CLEAN_X0, ("clean", "x0", "ema0.9"),
                    ("clean", "x0", "ema0.99"))  # fmt: skip


def adam_rises(tables: Tables, dataset: str) -> Outcome:
    """Claim 7: ADAM's gradient sensitivity rises towards noise."""
    rows = along(tables, dataset, "grad_sensitivity", "clean", "x0", "adam")
    rho = rank_correlation(rows.t, rows["mean"])
    return Outcome(HOLDS if rho >= RISE - 1e-9 else FAILS,
                   {"Spearman correlation with t": rho, "number of t": len(rows)},
                   f"Spearman's correlation over {len(rows)} t is {rho:.2f}.")  # fmt: skip
