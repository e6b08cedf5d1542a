"""Claims 4 to 7, 22: sensitivity along the forward process (nrCG, section 2, figures 2 to 4)."""

import math
from collections.abc import Callable
from functools import partial
from itertools import pairwise

import numpy as np
import pandas as pd

from guidebench.report.claims.intervals import all_above, mean, rank_correlation_along
from guidebench.report.claims.kinds import Kind, along
from guidebench.report.claims.missing import kept, not_measured
from guidebench.report.claims.verdicts import Interval, Outcome, Unmeasured, Values, against
from guidebench.report.tables import Tables

RISE = 0.5


def _mean_logs(curve: pd.DataFrame) -> pd.Series:
    """Mean over t of the natural log, of each image."""
    # a gradient that is exactly zero has no logarithm: floor at float32's smallest
    return np.log(np.maximum(curve, np.finfo(np.float32).tiny)).mean()


def falls(quantity: str, tables: Tables, dataset: str, *kinds: Kind, until: float = 1.0) -> Outcome:
    """Claims 4 to 6, 22: whether a sensitivity falls from each kind to the next, on the log scale.

    On average over t < `until` T.
    """
    end = until * tables.facts(dataset)["timesteps"]
    compared: list[Callable[[int], Interval]] = []
    missing: list[Unmeasured] = []
    values: Values = {}
    sentences = []
    for first, second in pairwise(kinds):
        with kept(missing):
            log_ratio = _log_ratio(tables, dataset, quantity, first, second, end)
            interval, title = log_ratio(1), f"{first} over {second}"
            compared.append(log_ratio)
            values |= interval.values(f"log ratio {title}")
            values[f"ratio {title}"] = math.exp(interval.estimate)
            sentences.append(
                f"{title}: log ratio {interval}, a factor of {math.exp(interval.estimate):.3g}"
            )
    return Outcome(
        all_above(compared, missing), values, f"{'; '.join(sentences)}.{not_measured(missing)}"
    )


def _log_ratio(
    tables: Tables, dataset: str, quantity: str, first: Kind, second: Kind, end: float
) -> Callable[[int], Interval]:
    """The mean over t < `end` of the log ratio, one of a number of tests; Unmeasured without."""
    pair = [along(tables, dataset, quantity, kind) for kind in (first, second)]
    both = pair[0].index.intersection(pair[1].index)  # on average over the same t
    both = both[both < end]
    if both.empty:
        raise Unmeasured(f"not measured: no t below {end:g} that {first} and {second} share")
    logs = [_mean_logs(curve.loc[both]) for curve in pair]
    return partial(mean, (logs[0] - logs[1]).to_numpy(), 0.0, 0.0)


def rises(tables: Tables, dataset: str, kind: Kind) -> Outcome:
    """Claim 7: the gradient sensitivity rises towards noise."""
    curve = along(tables, dataset, "grad_sensitivity", kind)
    rho = rank_correlation_along(curve)
    return Outcome(
        against(rho, RISE),
        rho.values("Spearman correlation with t")
        | {"number of t": len(curve), "number of images": curve.shape[1]},
        f"Spearman's correlation over {len(curve)} t is {rho}.",
    )
