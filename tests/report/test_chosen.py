"""Which cells stand for an experiment."""

import synthetic_tables as synthetic
from table_edits import ADAM, EMA9, EMA99, NOISE, another, diverge, level, without

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


def test_pictured_is_each_guide_once_and_of_many_the_best_in_the_configs_order() -> None:
    tables = synthetic.tables()
    before = chosen.pictured(tables, "balls", 6)
    assert before == [tables.best("balls", setup) for setup in tables.guided("balls")]
    for way in ({"sampler": "heun"}, {"sampler": "ddim"}, {"steps": 5}, {"steps": 10}):
        for setup in (EMA99, EMA9, "unguided"):
            tables = another(tables, setup, "-".join(map(str, way.values())), way)
    assert chosen.pictured(tables, "balls", 6) == before
    # the lowest on selection seeds: 3 with EMA 0.99, 6 noise-trained, 7 with EMA 0.9
    level(EMA9, "cfd_judge", 1.0, "evaluation")(tables)
    found = [cell.setup for cell in chosen.pictured(tables, "balls", 3)]
    assert found == [NOISE, EMA9, EMA99]
    diverge(tables, EMA9, 1.0, "selection")
    assert EMA9 not in [cell.setup for cell in chosen.pictured(tables, "balls", 6)]
