"""What a config calls its setups decides nothing: claims know them by their properties."""

from __future__ import annotations

import dataclasses
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
import synthetic_tables as synthetic
from table_edits import EMA99, NOISE, diverge, level, with_every_class

from guidebench.report import chosen
from guidebench.report.claims.findings import decide
from guidebench.report.claims.kinds import (
    CFG,
    CLEAN,
    CLEAN_ADAM,
    CLEAN_EMA,
    CLEAN_EMA9,
    CLEAN_EMA99,
    CLEAN_RAW,
    CLEAN_X0,
    CLEAN_X0_ANY,
    NOISE_TRAINED,
    Kind,
    setups_of,
)
from guidebench.report.claims.verdicts import Unmeasured
from guidebench.report.figures import forward, sampling
from guidebench.report.pages import rankings, winners
from guidebench.report.tables import Tables

FRAMES = ("results", "jackknife", "reference_jackknife")


def renamed(tables: Tables) -> tuple[Tables, dict[str, str]]:
    """Every setup of `balls` under a name that says nothing, and the names before by those."""
    facts = tables.facts("balls")
    names = {name: f"way{number}" for number, name in enumerate(facts["setups"])}
    facts["setups"] = {names[name]: setup for name, setup in facts["setups"].items()}
    frames = {
        name: getattr(tables, name).assign(setup=getattr(tables, name).setup.replace(names))
        for name in FRAMES
    }
    return dataclasses.replace(tables, **frames), {new: old for old, new in names.items()}


def with_other_parts(tables: Tables) -> Tables:
    """Classifiers but the judge, and the analysis' stabilizers, under other names."""
    names = {
        "clean": "first",
        "noise_trained": "second",
        "ema0.9": "a",
        "ema0.99": "b",
        "adam": "c",
    }
    facts = tables.facts("balls")
    for key in ("trained", "stabilizers"):
        facts[key] = {names.get(name, name): value for name, value in facts[key].items()}
    for setup in facts["setups"].values():
        setup["classifier"] = names.get(setup["classifier"])
    for table, column in (
        (tables.sensitivity, "classifier"),
        (tables.sensitivity, "stabilizer"),
        (tables.classifiers, "classifier"),
        (tables.history, "model"),
    ):
        table[column] = table[column].replace(names)
    return tables


def named_before(text: str, names: dict[str, str]) -> str:
    for new, old in sorted(names.items(), reverse=True):
        text = text.replace(new, old)
    return text


def plain(tables: Tables) -> Tables:
    return tables


def nothing_certain(tables: Tables) -> Tables:
    return synthetic.tables(noise=3.0)


def broken_and_overtaken(tables: Tables) -> Tables:
    diverge(tables, "unguided", 1.0, "evaluation")
    level("clean/x0", "cfd_judge", 1.0)(tables)
    return tables


@cache  # no test changes them
def as_named(edit: Any) -> list[dict[str, Any]]:
    """The findings where setups, classifiers and stabilizers have the paper's names."""
    return decide(edit(synthetic.tables()))


@pytest.mark.parametrize("edit", [plain, nothing_certain, broken_and_overtaken, with_every_class])
def test_renaming_every_setup_changes_no_verdict(edit: Any) -> None:
    before = as_named(edit)
    tables, names = renamed(edit(synthetic.tables()))
    assert not {"unguided", "cfg", EMA99, NOISE} & set(tables.facts("balls")["setups"])
    after = decide(tables)
    assert len(before) == len(after)
    for old, new in zip(before, after, strict=True):
        assert (new["id"], new["verdict"]) == (old["id"], old["verdict"])
        values = {named_before(key, names): value for key, value in new["values"].items()}
        assert values == pytest.approx(old["values"], nan_ok=True)
        assert named_before(new["reason"], names) == old["reason"]


def test_other_names_of_classifiers_and_stabilizers_change_no_finding() -> None:
    tables = with_other_parts(synthetic.tables())
    assert set(tables.sensitivity.classifier) == {"first", "second"}
    assert decide(tables) == as_named(plain)


def test_renaming_every_setup_changes_neither_winner_nor_tables_nor_lines() -> None:
    tables, names = renamed(synthetic.tables())
    won, before = (chosen.winner(one, "balls") for one in (tables, synthetic.tables()))
    assert won is not None
    assert before is not None
    assert (names[won[0].setup], won[0].scale) == before[0]
    for table in (rankings.best_setups, rankings.sampling_cost, winners.table):
        cells = [
            [row["cells"][1:] for row in table(one, "balls")["rows"]]
            for one in (tables, synthetic.tables())
        ]
        assert cells[0] == cells[1]
    lines = [
        [
            line.get_ydata()
            for line in sampling.against_scale(one, "balls", "cfd_judge").axes[0].lines
        ]
        for one in (tables, synthetic.tables())
    ]
    assert len(lines[0]) == len(lines[1])
    assert all(np.array_equal(a, b) for a, b in zip(*lines, strict=True))


@pytest.mark.parametrize(
    ("kind", "text", "setups"),
    [
        (CLEAN_RAW, "clean/raw", ["clean/raw"]),
        (CLEAN_X0, "clean/x0", ["clean/x0"]),
        (CLEAN_EMA9, "clean/x0+ema0.9", ["clean/x0+ema0.9"]),
        (CLEAN_EMA99, "clean/x0+ema0.99", [EMA99]),
        (CLEAN_EMA, "clean/x0+ema*", ["clean/x0+ema0.9", EMA99]),
        (CLEAN_ADAM, "clean/x0+adam", ["clean/x0+adam"]),
        (CLEAN_X0_ANY, "clean/x0", ["clean/x0", "clean/x0+ema0.9", EMA99, "clean/x0+adam"]),
        (NOISE_TRAINED, "noise_trained/raw", [NOISE]),
    ],
)
def test_a_kind_finds_its_setups(kind: Kind, text: str, setups: list[str]) -> None:
    assert str(kind) == text
    assert setups_of(synthetic.tables(), "balls", kind) == setups


def test_kinds_of_other_guidance() -> None:
    tables = with_every_class(synthetic.tables())
    assert setups_of(tables, "balls", CFG) == ["cfg"]
    assert len(setups_of(tables, "balls", CLEAN)) == 5


def test_an_adversarially_trained_classifier_is_not_the_papers_clean_one() -> None:
    tables = synthetic.tables()
    tables.facts("balls")["trained"]["clean"] = "adversarial"
    assert setups_of(tables, "balls", CLEAN._replace(classifier="adversarial"))[0] == "clean/raw"
    for kind in (CLEAN, CLEAN_RAW, CLEAN_EMA99):
        with pytest.raises(Unmeasured):
            setups_of(tables, "balls", kind)
    found = {finding["id"]: finding["verdict"] for finding in decide(tables)}
    assert {found[number] for number in (1, 3, 4, 5, 6, 8, 9, 13, 14)} == {"not measured"}
    assert found[12] == "holds"  # about the noise-trained one


def test_a_name_alone_makes_no_setup_one_of_a_kind() -> None:
    """A setup that is called clean/x0+ema0.99 and has another beta."""
    tables = synthetic.tables()
    tables.facts("balls")["setups"][EMA99]["stabilizer_options"]["beta"] = 0.5
    found = {finding["id"]: finding for finding in decide(tables)}
    said = "Not measured: setup clean/x0+ema0.99 is not in this data set's config."
    assert (found[13]["reason"], found[14]["reason"]) == (said, said)
    assert found[9]["verdict"] == "holds"  # of any EMA


def test_of_several_setups_of_a_kind_that_with_the_most_scales_counts() -> None:
    tables = synthetic.tables()
    setups = tables.facts("balls")["setups"]
    setups["again"] = setups[NOISE] | {"scales": [7.0]}
    assert setups_of(tables, "balls", NOISE_TRAINED) == [NOISE, "again"]
    assert [one["verdict"] for one in decide(tables)] == [one["verdict"] for one in as_named(plain)]


def with_twins(tables: Tables, fitted: bool) -> Tables:
    """A variant beside every setup: in the first line, and as bad as can be, or as good."""
    facts = tables.facts("balls")
    variants = {
        f"a {name}": setup | {"variant": {"steps": 1000}} for name, setup in facts["setups"].items()
    }
    facts["setups"] = variants | facts["setups"]
    frames = {}
    for name in ("results", "jackknife"):
        rows = getattr(tables, name)
        twins = rows[rows.setup != "floor"].assign(setup="a " + rows.setup)
        if not fitted:
            twins["value"] = 1.0
        frames[name] = pd.concat([rows, twins], ignore_index=True)
    return dataclasses.replace(tables, **frames)


# the other claims name the setups that they compare, or are about none
ABOUT_ONE = {8: ["clean/raw"], 11: [NOISE], 12: [NOISE], 19: [NOISE, "cfg"]} | {
    number: ["cfg"] for number in range(15, 19)
}


@pytest.mark.parametrize("edit", [plain, with_every_class])
def test_variants_take_over_no_verdict_wherever_they_stand(edit: Any) -> None:
    tables = with_twins(edit(synthetic.tables()), fitted=False)
    after = decide(tables)
    for old, new in zip(as_named(edit), after, strict=True):
        assert new["verdict"] == old["verdict"]
        if old["id"] in (9, 13, 14):  # rivals are the paper's setups, not variants of them
            assert new == old
        if names := ABOUT_ONE.get(old["id"]):
            said = [f" Of 2 setups that are {name} it is about {name}." for name in names]
            assert new["reason"] == old["reason"] + "".join(said)
            assert old["values"].items() <= new["values"].items()
    facts = tables.facts("balls")
    facts["setups"] = dict(reversed(facts["setups"].items()))
    for one, other in zip(after, decide(tables), strict=True):
        assert (one["verdict"], one["values"]) == (other["verdict"], other["values"])


def test_a_twin_of_the_best_is_no_rival_of_it() -> None:
    """It is as good, and so would leave the claim undecided."""
    tables = with_twins(synthetic.tables(), fitted=True)
    found = {finding["id"]: finding for finding in decide(tables)}
    assert found[10]["verdict"] == found[13]["verdict"] == "holds"
    assert found[10]["reason"].endswith(
        "Of 2 setups that are clean/x0+adam it is about clean/x0+adam."
    )
    assert not any("a " + EMA99 in key for key in found[13]["values"])


def test_an_analysed_stabilizer_with_other_options_takes_over_no_verdict() -> None:
    tables = synthetic.tables()
    facts, rows = tables.facts("balls"), tables.sensitivity
    twins = rows[rows.stabilizer == "adam"].assign(stabilizer="a", mean=0.0)
    twins["values"] = [0 * values for values in twins["values"]]
    variant = facts["stabilizers"]["adam"] | {"variant": {"eps": 1e-8}}
    facts["stabilizers"] = {"a": variant} | facts["stabilizers"]
    tables = dataclasses.replace(tables, sensitivity=pd.concat([rows, twins], ignore_index=True))
    assert decide(tables) == as_named(plain)


def test_unguided_is_what_nothing_steers() -> None:
    tables = synthetic.tables()
    setups = tables.facts("balls")["setups"]
    conditional = setups["unguided"] | {"asked": True}
    tables.facts("balls")["setups"] = {"conditional": conditional, "plain": setups["unguided"]}
    assert tables.unguided("balls").setup == "plain"
    longer = setups["unguided"] | {"variant": {"steps": 1000}}
    tables.facts("balls")["setups"] = {"longer": longer, "plain": setups["unguided"]}
    assert tables.unguided("balls").setup == "plain"


def figure_4(tables: Tables, dataset: str) -> Any:
    curves = forward.stabilised(tables, dataset)
    return forward.sensitivity(tables, dataset, "grad_sensitivity", curves)


@pytest.mark.parametrize("draw", [forward.accuracy, figure_4])
def test_other_names_of_classifiers_draw_the_same_lines(draw: Any) -> None:
    """Stabilizers keep the names that the config gives them."""
    names = {"first": "clean", "second": "noise_trained"}
    tables, other = synthetic.tables(), with_other_parts(synthetic.tables())
    other.sensitivity["stabilizer"] = tables.sensitivity.stabilizer
    assert set(other.sensitivity.classifier) == set(names)
    lines = [
        [(line.get_label(), list(line.get_ydata())) for axes in one.axes for line in axes.lines]
        for one in (draw(tables, "balls"), draw(other, "balls"))
    ]
    assert len(lines[0]) > 4
    assert lines[0] == lines[1]
