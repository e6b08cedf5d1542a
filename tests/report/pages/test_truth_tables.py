"""Which guidance a world's table calls biased, from distances made up for it."""

import dataclasses

import numpy as np
import pandas as pd
import synthetic_tables as synthetic

from guidebench.report.pages import truth
from guidebench.report.tables import Tables

METRICS = ["sliced_wasserstein", *truth.CHECKS]


def _tables(
    cells: list[tuple[str, float, float, float]],
    floors: dict[float, float],
    biases: list[tuple[str, float, float]] = (),
) -> Tables:
    """Cells (setup, scale, s, distance) on two samplers, the second 0.2 worse; all se 0.01."""
    rows = []
    kept = {"world": "w", "n": 64, "steps": 10, "evaluations": 10.0, "se": 0.01}
    for metric in METRICS:
        for setup, scale, power, value in cells:
            for sampler, worse in (("ancestral-150", 0.0), ("ddim-10", 0.2)):
                rows.append((metric, setup, scale, sampler, "tilted", power, value + worse))
        for power, value in floors.items():
            rows.append((metric, "floor", power, "exact", "floor", power, value))
    for setup, scale, value in biases:
        for sampler, shown in (("ancestral-150", value), ("ddim-10", 9.0)):
            rows.append(("bias", setup, scale, sampler, "tilted", 2.0, shown))
    columns = ["metric", "setup", "scale", "sampler", "reference", "exponent", "value"]
    truths = pd.DataFrame(rows, columns=columns).assign(**kept)
    tables = dataclasses.replace(synthetic.tables(), truth=truths)
    tables.summary["worlds"] = {
        "w": {"samplers": {"ancestral-150": "ancestral", "ddim-10": "ddim"}}
    }
    return tables


def _verdicts(tables: Tables) -> dict[str, str]:
    table = truth.bias(tables, "w")
    place = table["head"].index("verdict")
    return {" ".join(row["cells"][:2]).strip(): row["cells"][place] for row in table["rows"]}


def test_a_bias_is_more_than_three_errors_of_the_first_sampler() -> None:
    tables = _tables(
        [
            ("unguided", np.nan, 0.0, 0.02),
            ("conditional", np.nan, 1.0, 0.03),
            ("cfg", 0.0, 1.0, 0.035),
            ("cfg", 1.0, 2.0, 0.30),
            ("clean/raw", 1.0, 1.0, np.nan),
        ],
        {0.0: 0.01, 1.0: 0.01, 2.0: 0.10},
        [
            ("unguided", np.nan, -0.02),
            ("cfg", 0.0, 0.029),
            ("cfg", 1.0, 0.031),
            ("clean/raw", 1.0, np.nan),
        ],
    )
    assert _verdicts(tables) == {
        "unguided": "no bias seen: -0.020\u00a0±\u00a00.010",
        "conditional": "–",
        "cfg 0": "no bias seen: 0.029\u00a0±\u00a00.010",
        "cfg 1": "biased by 0.031\u00a0±\u00a00.010",
        "clean/raw 1": "not finite",
    }


def test_without_the_conditional_denoiser_there_is_no_verdict() -> None:
    assert _verdicts(_tables([("cfg", 1.0, 2.0, 0.30)], {2.0: 0.1})) == {"cfg 1": "–"}


def test_every_sampler_is_in_the_long_table() -> None:
    tables = _tables(
        [("conditional", np.nan, 1.0, 0.03), ("cfg", 1.0, 2.0, 0.30)], {1.0: 0.01, 2.0: 0.10}
    )
    table = truth.every_sampler(tables, "w")
    assert table["head"] == ["setup", "scale", "s", "floor", "ancestral-150", "ddim-10"]
    error = "\u00a0±\u00a00.010"
    assert [row["cells"] for row in table["rows"]] == [
        ["conditional", "", "1", f"0.010{error}", f"0.030{error}", f"0.230{error}"],
        ["cfg", "1", "2", f"0.100{error}", f"0.300{error}", f"0.500{error}"],
    ]
