"""A pytest plugin: one experiment of synthetic tables with all figures, drawn once."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from once import once

if TYPE_CHECKING:
    from guidebench.report.tables import Tables


def draw(root: Path, tables: Tables, folder: Path) -> list[Path]:
    """Draw every figure and sheet of the data set `balls`."""
    from guidebench.report.figures import drawing, embedding, films, paper_sheets, sheets

    pictures = sheets.read(root / "pictures" / "balls.npz")
    paths = drawing.draw(tables, "balls", folder)
    for module in (sheets, films, paper_sheets):
        paths += module.draw(pictures, tables, "balls", folder)
    return paths + embedding.draw(pictures, "balls", folder)


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """`results/demo` with tables, pictures and figures, drawn once for all workers."""
    return once(tmp_path_factory, worker_id, "results", _drawn)


def _drawn(results: Path) -> Path:
    import synthetic_tables as synthetic

    from guidebench.report.figures import drawing

    root = results / "demo"
    tables = synthetic.tables()
    synthetic.write(tables, root / "tables")
    synthetic.pictures(root / "pictures" / "balls.npz", tables, "balls")
    draw(root, tables, root / "figures" / "balls")
    drawing.draw_costs(tables, root / "figures")
    return root
