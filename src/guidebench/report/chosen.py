"""Which cells stand for an experiment: each setup's selected scale, the winner, the paper's own."""

from __future__ import annotations

from guidebench.base.cells import Cell
from guidebench.report.claims.kinds import CLEAN_EMA99, setup_of
from guidebench.report.claims.verdicts import Unmeasured
from guidebench.report.paper import published
from guidebench.report.sampled import plain
from guidebench.report.tables import EVALUATION, SELECTION, Measure, Tables


def selected(tables: Tables, dataset: str, metric: str) -> list[Cell]:
    """Every guided setup at the scale chosen on selection seeds, which broke on neither set."""
    chosen = [tables.best(dataset, setup, metric) for setup in tables.guided(dataset)]
    return [
        cell
        for cell in chosen
        if cell and not tables.is_broken(dataset, cell) and tables.measure(dataset, cell, metric)
    ]


def winner(
    tables: Tables, dataset: str, classifier: str | None = None, source: str | None = None
) -> tuple[Cell, Measure] | None:
    """The setup (of one classifier, of one input) that is best on *selection* seeds, its distance.

    Chosen and valued on the same seeds it would look better than it is.
    """
    metric = tables.distance(dataset, "cfd")
    chooser, setups = tables.chooser(dataset, metric), tables.facts(dataset)["setups"]
    levels = {}
    for cell in selected(tables, dataset, metric):
        level = tables.measure(dataset, cell, chooser, SELECTION)
        setup = setups[cell.setup]
        wanted = classifier in (None, setup["classifier"]) and source in (None, setup["input"])
        if level and wanted:
            levels[cell] = level.value
    if not levels:
        return None
    best = min(levels, key=lambda cell: levels[cell])
    value = tables.measure(dataset, best, metric, EVALUATION)
    assert value is not None
    return best, value


def pictured(tables: Tables, dataset: str, most: int) -> list[Cell]:
    """Each guide once, however many ways it is sampled in, at its selected scale.

    Of more than `most` those that are best on selection seeds; in the config's order.
    """
    found = [tables.best(dataset, setup) for setup in plain(tables, dataset)]
    metric = tables.chooser(dataset, tables.distance(dataset, "cfd"))
    levels = {
        cell: level.value
        for cell in found
        if cell and (level := tables.measure(dataset, cell, metric, SELECTION))
    }
    best = sorted(levels, key=lambda cell: levels[cell])[:most]
    return [cell for cell in levels if cell in best]


def papers(tables: Tables, dataset: str) -> Cell | None:
    """The paper's best setup, clean/x0+ema0.99, at the paper's scale where that was sampled.

    Else at the selected one; None without such a setup.
    """
    try:
        setup = setup_of(tables, dataset, CLEAN_EMA99)
    except Unmeasured:
        return None
    facts = tables.facts(dataset)
    paper = published(facts)
    if paper and paper.scale in facts["setups"][setup]["scales"]:
        return Cell(setup, paper.scale)
    return tables.best(dataset, setup)


def beside(tables: Tables, dataset: str) -> list[Cell]:
    """Unguided, the winner, and the paper's best setup where it is another (tables 1 to 3).

    Those that there are; unguided once more where one of the others is sampled as another is.
    """
    won = winner(tables, dataset)
    guided = [cell for cell in (won and won[0], papers(tables, dataset)) if cell]
    plain = [tables.unguided(dataset, like) for like in (None, *(cell.setup for cell in guided))]
    known = tables.facts(dataset)["setups"]
    return list(dict.fromkeys(cell for cell in (*plain, *guided) if cell.setup in known))
