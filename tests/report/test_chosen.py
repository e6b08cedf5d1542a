"""Which cells stand for an experiment."""

import synthetic_tables as synthetic
from table_edits import ADAM, EMA99, diverge, level, without

from guidebench.base.cells import Cell
from guidebench.report import chosen


def test_the_papers_setup_stands_at_the_papers_scale_where_it_was_sampled() -> None:
    tables = synthetic.tables()
    assert chosen.papers(tables, "balls") == Cell(EMA99, 100.0)  # its selected one
    tables.facts("balls")["setups"][EMA99]["scales"].append(15.0)  # of the paper's SportBalls
    assert chosen.papers(tables, "balls") == Cell(EMA99, 15.0)
    tables.facts("balls")["data"]["source"] = "mnist"  # of which the paper has no scale
    assert chosen.papers(tables, "balls") == Cell(EMA99, 100.0)
    without(EMA99)(tables)
    assert chosen.papers(tables, "balls") is None


def test_beside_unguided_stand_the_winner_and_the_papers_setup_once_each() -> None:
    tables = synthetic.tables()
    assert chosen.beside(tables, "balls") == [Cell("unguided"), Cell(EMA99, 100.0)]
    level(ADAM, "cfd_judge", [9, 9, 1, 9])(tables)
    assert chosen.beside(tables, "balls") == [
        Cell("unguided"),
        Cell(ADAM, 0.3),
        Cell(EMA99, 100.0),
    ]
    without("unguided")(tables)
    diverge(tables, ADAM, 1.0, "selection", "evaluation")
    assert chosen.beside(tables, "balls") == [Cell(EMA99, 100.0)]
