"""What the tables are asked: chosen scales, broken cells, files that are missing."""

import dataclasses
from pathlib import Path

import pandas as pd
import pytest
import synthetic_tables as synthetic
from table_edits import EMA9, EMA99, diverge, level, with_choosers

from guidebench.base.cells import Cell
from guidebench.pipeline.errors import UserError
from guidebench.report import chosen
from guidebench.report.pages import rankings, winners
from guidebench.report.tables import BROKEN, Tables


def test_a_scale_is_chosen_by_the_sliced_distance_and_valued_by_frechets() -> None:
    tables = with_choosers(synthetic.tables())
    level(EMA99, "csw_judge", [9, 1, 9, 9], "selection")(tables)
    cell = tables.best("balls", EMA99)
    assert cell == Cell(EMA99, 30.0)
    assert tables.best("balls", EMA99, "cfd_judge") == cell
    assert tables.best("balls", EMA99, "csw_judge") == cell
    # another metric is its own chooser
    assert tables.best("balls", EMA99, "fd_judge") == Cell(EMA99, 10.0)
    assert tables.best("balls", EMA99, "accuracy_judge") == Cell(EMA99, 10.0)


def test_a_broken_cell_is_never_selected_best_or_bold() -> None:
    tables = synthetic.tables()
    rows = tables.results
    at = (rows.setup == EMA99) & (rows.scale == 100) & (rows.metric == "diverged")
    rows.loc[at & (rows.split == "selection"), "value"] = BROKEN + 0.001
    assert tables.best("balls", EMA99) == Cell(EMA99, 30.0)
    rows.loc[at, "value"] = BROKEN
    assert tables.best("balls", EMA99) == Cell(EMA99, 100.0)
    # broken on evaluation seeds alone: shown, but in no ranking
    diverge(tables, EMA99, 0.5, "evaluation")
    found = chosen.winner(tables, "balls")
    assert found is not None
    assert found[0].setup == "noise_trained/raw"
    shown = rankings.best_setups(tables, "balls")["rows"]
    (cell,) = [one for one in shown if one["cells"][0].endswith("ema0.99")]
    assert not cell["best"]
    assert cell["cells"][-2].endswith("(broken)")
    diverge(tables, EMA99, 1.0, "selection", "evaluation")
    assert tables.best("balls", EMA99) is None
    assert any(
        line.startswith("Broken") and EMA99 in line for line in winners.warnings(tables, "balls")
    )


def test_one_image_of_few_may_be_chance() -> None:
    tables = synthetic.tables()
    tables.results.loc[tables.results.metric == "diverged", "n"] = 48
    diverge(tables, EMA9, 1 / 48, "selection")
    assert tables.broken("balls", EMA9, "selection") == []
    diverge(tables, EMA9, 2 / 48, "selection")
    assert len(tables.broken("balls", EMA9, "selection")) > 1


def test_inception_features_of_too_few_images_decide_nothing() -> None:
    tables = synthetic.tables()
    rows = tables.results[tables.results.metric == "cfd_judge"]
    few = rows.assign(metric="cfid", features=2048, reference_n=6000)
    tables = dataclasses.replace(tables, results=pd.concat([tables.results, few]))
    assert tables.distance("balls", "cfd") == "cfd_judge"
    tables.results.loc[tables.results.metric == "cfid", "features"] = 64
    assert tables.distance("balls", "cfd") == "cfid"


def test_missing_and_broken_tables_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"results\.parquet: missing"):
        Tables.read(tmp_path)
    synthetic.write(synthetic.tables(), tmp_path)
    (tmp_path / "costs.parquet").write_bytes(b"nothing")
    with pytest.raises(UserError, match=r"costs\.parquet: not a parquet file"):
        Tables.read(tmp_path)
