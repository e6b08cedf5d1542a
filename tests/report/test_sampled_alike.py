"""Guided samples stand beside unguided ones of the same sampler, steps and clip, or say so."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import synthetic_tables as synthetic
from table_edits import EMA99, another, level, without

from guidebench.base.cells import Cell
from guidebench.report import chosen
from guidebench.report.claims.findings import decide
from guidebench.report.figures import paper_sheets, sampling, sheets, theme
from guidebench.report.figures.rows import against_scale
from guidebench.report.pages import page, rankings
from guidebench.report.tables import Tables

HEUN = {"sampler": "heun", "steps": 10}
ALONE = "unguided@heun-10"


@pytest.fixture
def tables() -> Tables:
    """The paper's setups, two of them by heun in 10 steps, too; one by ddim, which is alone."""
    tables = another(synthetic.tables(), "unguided", "heun-10", HEUN, 19.0)
    tables = another(tables, EMA99, "heun-10", HEUN, 19.0)
    tables = another(tables, EMA99, "ddim", {"sampler": "ddim"}, 50.0)
    level(ALONE, "cfd_judge", 30.0)(tables)
    level(ALONE, "accuracy_judge", 0.5)(tables)
    return tables


def test_the_nearest_is_taken_and_named_where_it_is_not_alike(tables: Tables) -> None:
    assert tables.unguided("balls") == tables.unguided("balls", EMA99) == Cell("unguided")
    assert tables.unguided("balls", f"{EMA99}@heun-10") == Cell(ALONE)
    assert tables.against("balls", f"{EMA99}@heun-10") == ALONE
    assert tables.against("balls", f"{EMA99}@ddim") == "unguided (sampled otherwise)"
    unclipped = another(tables, EMA99, "unclipped", HEUN | {"clip": False})
    assert unclipped.against("balls", f"{EMA99}@unclipped") == f"{ALONE} (sampled otherwise)"
    both = another(unclipped, "unguided", "unclipped", HEUN | {"clip": False})
    assert both.against("balls", f"{EMA99}@unclipped") == "unguided@unclipped"
    assert both.unguided("balls") == Cell("unguided")
    for name in ("unguided", ALONE, "unguided@unclipped"):
        without(name)(both)
    assert both.unguided("balls", EMA99) == Cell("unguided")  # of which nothing was measured


def test_cost_is_in_passes_of_the_same_sampler_and_steps(tables: Tables) -> None:
    table = rankings.sampling_cost(tables, "balls")
    times = {line["cells"][0]: line["cells"][4] for line in table["rows"]}
    assert times["unguided"] == times[ALONE] == "1"
    evaluations = {
        "": "2",
        "@heun-10": number(69 / 19),
        "@ddim": "2, of unguided (sampled otherwise)",
    }
    title = theme.title(EMA99)
    assert {key: times[f"{title}{key}"] for key in evaluations} == evaluations


def number(value: float) -> str:
    return f"{value:.3g}"


def test_the_summary_has_what_the_best_setup_compares_with(tables: Tables, tmp_path: Path) -> None:
    assert f"{EMA99} compares with" not in page.render(tmp_path, tables, [], tmp_path)
    level(f"{EMA99}@heun-10", "cfd_judge", 1.0)(tables)
    assert f"; {EMA99}@heun-10 compares with {ALONE}, 30" in page.render(
        tmp_path, tables, [], tmp_path
    )
    level(f"{EMA99}@ddim", "cfd_judge", 0.5)(tables)
    said = f"; {EMA99}@ddim compares with unguided (sampled otherwise), 40"
    assert said in page.render(tmp_path, tables, [], tmp_path)


def test_the_papers_tables_have_the_winners_own_unguided(tables: Tables, tmp_path: Path) -> None:
    won = f"{EMA99}@heun-10"
    level(won, "cfd_judge", 1.0)(tables)
    cells = chosen.beside(tables, "balls")
    assert cells == [Cell("unguided"), Cell(ALONE), Cell(won, 10.0), Cell(EMA99, 100.0)]
    images = {f"first:{cell.key}": np.zeros((4, 3, 8, 8), np.uint8) for cell in cells}
    paper_sheets.draw(images, tables, "balls", tmp_path)
    written = pd.read_csv(tmp_path / "sheet_table.csv")
    assert list(dict.fromkeys(written.setup)) == [cell.setup for cell in cells]


def test_sheets_and_figures_have_it_too(tables: Tables) -> None:
    images = {
        f"sample:{cell.key}": np.zeros((4, 3, 8, 8), np.uint8)
        for cell in (Cell("unguided"), Cell(ALONE), Cell(f"{EMA99}@heun-10", 10.0))
    }
    assert sheets._scales(images, tables, "balls", f"{EMA99}@heun-10")[0][0] == ALONE
    assert ALONE not in set(against_scale(tables, "balls", "cfd_judge").setup)
    # no other way of sampling with a guide: a guide of its own
    tables.facts("balls")["setups"][f"{EMA99}@heun-10"]["variant"]["temperature"] = 2.0
    assert ALONE in set(against_scale(tables, "balls", "cfd_judge").setup)
    with theme.settings():
        axes = sampling.against_scale(tables, "balls", "cfd_judge").axes[0]
    assert {ALONE, "unguided"} <= set(axes.get_legend_handles_labels()[1])


@pytest.mark.parametrize("alike", [True, False])
def test_claims_compare_with_it(alike: bool) -> None:
    """Every guided setup is by heun: the plainest unguided cell says nothing of guidance."""
    tables = synthetic.tables()
    if alike:
        tables = another(tables, "unguided", "heun-10", HEUN)
        level(ALONE, "cfd_judge", 10.0)(tables)
        level(ALONE, "fd_judge", 6.0)(tables)
    for name, setup in tables.facts("balls")["setups"].items():
        setup["variant"] = setup["variant"] if name == "unguided" else HEUN
    found = {finding["id"]: finding for finding in decide(tables)}
    base = ALONE if alike else "unguided (sampled otherwise)"
    assert f"fall from {base} {'4' if alike else '34'} [" in found[12]["reason"]
    assert f"fd_judge is {'6' if alike else '2'} {base}, " in found[21]["reason"]
    assert ("Compared with unguided (sampled" in found[8]["reason"]) is not alike
    gain = next(v for k, v in found[8]["values"].items() if k.startswith("cfd_judge above"))
    assert gain == pytest.approx(29 if alike else -1)
