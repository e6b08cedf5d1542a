"""Every figure and sheet of an experiment, with the same bytes again."""

from __future__ import annotations

import hashlib
from pathlib import Path

from demo_report import draw

from guidebench.report.tables import Tables

FIGURES = {"accuracy", "accuracy_guide", "accuracy_judge", "fd", "cfd", "loss", "time_embedding"}
FIGURES |= {"logit_sensitivity", "grad_sensitivity", "grad_sensitivity_stabilized"}
FIGURES |= {"gradient_checks", "outcome"}


def test_every_figure_is_there_with_the_rows_behind_it(demo: Path) -> None:
    folder = demo / "figures" / "balls"
    for suffix in ("svg", "png", "csv"):
        assert {path.stem for path in folder.glob(f"*.{suffix}")} >= FIGURES
        assert (demo / "figures" / f"costs.{suffix}").is_file()


def test_figures_and_sheets_have_the_same_bytes_again(demo: Path, tmp_path: Path) -> None:
    tables = Tables.read(demo / "tables")
    for path in draw(demo, tables, tmp_path):
        digests = {
            hashlib.sha256(file.read_bytes()).hexdigest()
            for file in (path, demo / "figures" / "balls" / path.name)
        }
        assert len(digests) == 1, path.name
    assert b"dc:date" not in (tmp_path / "cfd.svg").read_bytes()
