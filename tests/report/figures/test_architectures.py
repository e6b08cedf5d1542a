"""The comparison of architectures: which classifiers, which setups stand for them."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import synthetic_tables as synthetic

from guidebench.base.cells import Cell
from guidebench.report import chosen
from guidebench.report.figures import architectures, drawing, theme
from guidebench.report.tables import Tables


def _tables() -> Tables:
    """The demo's, in which the noise-trained classifier is of another architecture."""
    tables = synthetic.tables()
    rows = tables.classifiers
    rows.loc[rows.classifier == "noise_trained", "architecture"] = "resnet18"
    return tables


def test_it_is_drawn_where_guides_differ() -> None:
    tables = synthetic.tables()
    rows = tables.classifiers
    rows.loc[rows.classifier == "judge", "architecture"] = "small_resnet"
    assert "architectures" not in drawing.plots(tables, "balls")
    assert "architectures" in drawing.plots(_tables(), "balls")
    guides = architectures.guides(_tables(), "balls")
    assert guides == {"clean": "small_cnn", "noise_trained": "resnet18"}


def test_the_rows_are_the_accuracies_and_the_best_of_each_input() -> None:
    tables = _tables()
    table = architectures.rows(tables, "balls")
    along = table[table.metric == "accuracy"]
    pairs = along[["classifier", "input"]].drop_duplicates().to_numpy().tolist()
    assert pairs == [
        ["clean", "raw"],
        ["clean", "x0"],
        ["noise_trained", "raw"],
        ["noise_trained", "x0"],
    ]
    assert (along.low <= along.value).all()
    assert (along.value <= along.high).all()
    found = tables.along("balls", "accuracy", "clean", "x0")
    own = along[(along.classifier == "clean") & (along.input == "x0")]
    np.testing.assert_array_equal(own.value, found["mean"])
    for classifier, source in pairs:
        won = chosen.winner(tables, "balls", classifier, source)
        for metric in ("cfd_judge", "accuracy_judge"):
            keep = (table.classifier == classifier) & (table.input == source)
            reached = table[keep & (table.metric == metric)]
            if won is None:  # noise_trained/x0 guides nothing
                assert reached.empty
                assert (classifier, source) == ("noise_trained", "x0")
                continue
            value = tables.measure("balls", won[0], metric)
            assert value is not None
            assert reached[["setup", "scale", "value"]].to_numpy().tolist() == [
                [*won[0], value.value]
            ]
    best = chosen.winner(tables, "balls", "clean", "raw")
    assert best is not None
    assert best[0] == Cell("clean/raw", 1.0)  # its lowest distance on selection seeds


def test_it_has_a_curve_for_each_and_a_point() -> None:
    with theme.settings():
        drawn = architectures.compared(_tables(), "balls")
    left, *right = drawn.axes
    assert len(left.lines) == 4 + 1  # and chance
    for axes in right:
        assert [tick.get_text() for tick in axes.get_xticklabels()] == ["clean", "noise_trained"]
        markers = [line for line in axes.lines if line.get_marker() in ("o", "s")]
        assert len([x for line in markers for x in line.get_xdata()]) == 3


def test_a_classifier_that_guides_nothing_has_its_accuracy_alone() -> None:
    tables = _tables()
    third = tables.classifiers[tables.classifiers.classifier == "clean"].assign(
        classifier="other", architecture="alexnet"
    )
    rows = pd.concat([tables.classifiers, third], ignore_index=True)
    tables = dataclasses.replace(tables, classifiers=rows)
    table = architectures.rows(tables, "balls")
    assert "other" not in set(table.classifier)
    with theme.settings():
        architectures.compared(tables, "balls").canvas.draw()
