"""What the choices of the public code change: paired differences, and ratios along t."""

import copy
import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import synthetic_tables as synthetic
from table_edits import EMA99, NOISE, broke

from guidebench.base.cells import Cell
from guidebench.base.jackknife import agresti_coull, standard_error
from guidebench.report.claims.verdicts import Interval, difference, quantile, times
from guidebench.report.figures import theme
from guidebench.report.pages import compat, compat_forward, page
from guidebench.report.tables import Tables
from guidebench.report.words import distance

RAW = f"{EMA99}+raw_logit"


def _with(tables: Tables, setup: str, variant: dict[str, Any], **keys: Any) -> Tables:
    """A setup with EMA 0.99's numbers, 0.1 and a wobble of each block higher."""
    facts = tables.facts("balls")["setups"]
    own = {key: variant[key] for key in ("clip_gradient",) if key in variant}
    facts[setup] = facts[EMA99] | {"variant": variant} | own | keys
    frames = {}
    for name in ("results", "jackknife"):
        rows = getattr(tables, name)
        own = rows[rows.setup == EMA99].assign(setup=setup)
        higher = 0.1 + (0.01 * own.block if name == "jackknife" else 0)
        own["value"] += higher * own.metric.isin(list(compat.METRICS))
        frames[name] = pd.concat([rows, own], ignore_index=True)
    return dataclasses.replace(tables, **frames)


def test_a_switch_is_paired_with_the_setup_that_lacks_it() -> None:
    both = {"paper_compat": ["raw_logit", "carried_state"], "clip_gradient": "zero"}
    tables = _with(synthetic.tables(), "all", both)
    tables = _with(tables, RAW, {"paper_compat": ["raw_logit"]})
    tables = _with(tables, "steps", {"paper_compat": ["raw_logit"], "steps": 9})
    tables = _with(tables, "hot", {"temperature": 2.0})
    assert _switched(tables) == [
        ("all", EMA99, "raw_logit, carried_state, clip_gradient: zero"),
        (RAW, EMA99, "raw_logit"),
    ]
    assert _switched(synthetic.tables()) == []


def _switched(tables: Tables) -> list[compat.Pair]:
    return [pair for pair in compat.pairs(tables, "balls", "balls") if pair.switches]


def test_the_clips_switch_is_the_zero_gradient_whatever_the_other_setups_have() -> None:
    """As where `sampling.clip_gradient` is zero, and one setup's own is straight_through."""
    tables = synthetic.tables()
    for setup in tables.facts("balls")["setups"].values():
        setup["clip_gradient"] = setup["clip_gradient"] and "zero"
    assert _switched(tables) == []
    tables = _with(tables, "ours", {"clip_gradient": "straight_through"})
    tables = _with(tables, RAW, {"paper_compat": ["raw_logit"]})
    assert _switched(tables) == [
        (EMA99, "ours", "clip_gradient: zero"),
        (RAW, "ours", "raw_logit, clip_gradient: zero"),
    ]


def test_where_none_is_corrected_the_setup_with_the_fewest_switches_is() -> None:
    tables = synthetic.tables()
    for setup in tables.facts("balls")["setups"].values():
        setup["clip_gradient"] = setup["clip_gradient"] and "zero"
    tables = _with(tables, RAW, {"paper_compat": ["raw_logit"]})
    tables = _with(tables, "state", {"paper_compat": ["carried_state"]})
    assert _switched(tables) == [(RAW, EMA99, "raw_logit"), ("state", EMA99, "carried_state")]
    rows = compat.reverse(tables, "balls")["rows"]
    assert {row["cells"][0] for row in rows} == {f"{theme.title(EMA99)} (clip_gradient: zero)"}


def test_differences_are_paired_at_the_same_scale() -> None:
    tables = _with(
        synthetic.tables(), RAW, {"paper_compat": ["raw_logit"]}, scales=[30.0, 100.0, 5000.0]
    )
    table = compat.reverse(tables, "balls")
    assert [row["cells"][2] for row in table["rows"]] == ["30", "100"]
    cells = table["rows"][1]["cells"]
    assert len(cells) == len(table["head"])
    assert cells[0].endswith("x0+ema0.99")
    pair = Cell(RAW, 100.0), Cell(EMA99, 100.0)
    judge = difference(tables, "balls", *((cell, "accuracy_judge") for cell in pair))
    assert cells[4] == str(times(judge, 100))
    assert judge.estimate == pytest.approx(0.1)
    cfd = difference(tables, "balls", *((cell, "cfd_judge") for cell in pair))
    assert cells[8] == str(cfd)
    assert cells[7].startswith("3")


def test_a_switch_that_breaks_its_images_says_so() -> None:
    tables = _with(synthetic.tables(), RAW, {"paper_compat": ["raw_logit"]}, scales=[100.0])
    (row,) = compat.reverse(broke(tables, RAW, 100.0), "balls")["rows"]
    assert row["cells"][6] == row["cells"][8] == "broken"
    assert row["cells"][4] != "broken"  # a share counts what diverged


def _walked(tables: Tables, factor: float, kept: int = 0) -> Tables:
    """Walks with switches: x0_pred's sensitivities times a factor, and an accuracy at one t."""
    rows = tables.sensitivity
    x0 = rows[(rows.input == "x0") & rows.quantity.isin(["grad_sensitivity", "logit_sensitivity"])]
    own = x0.assign(input="x0+same_time", values=[factor * value for value in x0["values"]])
    first = rows[(rows.quantity == "accuracy") & (rows.t == rows.t.min())]
    zero = first[(first.classifier == "noise_trained") & (first.input == "raw")]
    zero = zero.assign(input="raw+clean_at_zero", values=[value * kept for value in zero["values"]])
    return dataclasses.replace(tables, sensitivity=pd.concat([rows, own, zero], ignore_index=True))


def test_ratios_are_of_means_over_t_and_images() -> None:
    table = compat_forward.forward(_walked(synthetic.tables(), 2.0), "balls")
    rows = [row["cells"] for row in table["rows"]]
    assert all(len(row) == len(table["head"]) for row in rows)
    ratios = {(row[2], row[3]): row[4] for row in rows if row[1] == "same_time"}
    assert set(ratios) == {
        ("none", "mean logit_sensitivity: ratio"),
        *((name, "mean grad_sensitivity: ratio") for name in ("none", "ema0.9", "ema0.99", "adam")),
    }
    assert set(ratios.values()) == {"2 [2, 2]"}
    (zero,) = [row for row in rows if row[1] == "clean_at_zero"]
    assert zero[0].startswith("noise-trained")
    assert zero[3] == f"accuracy at t = {synthetic.TIMES[0]}: change in points"
    assert zero[4].startswith("-9")
    (same,) = (
        row["cells"]
        for row in compat_forward.forward(_walked(synthetic.tables(), 2.0, 1), "balls")["rows"]
        if row["cells"][1] == "clean_at_zero"
    )
    half = 100 * quantile(511) * agresti_coull(0, 512)
    assert same[4] == str(Interval(0.0, -half, half))
    assert compat_forward.forward(synthetic.tables(), "balls")["rows"] == []


def test_a_ratios_interval_leaves_out_each_image() -> None:
    chance = np.random.default_rng(0)
    base = chance.random((3, 6)) + 1
    values = 2 * base + 0.1 * chance.random((3, 6))
    found = compat_forward.ratio(values, base)
    assert found.estimate == pytest.approx(values.mean() / base.mean())
    without = np.array(
        [np.delete(values, k, 1).mean() / np.delete(base, k, 1).mean() for k in range(6)]
    )
    assert found.high - found.estimate == pytest.approx(quantile(5) * standard_error(without))


def test_the_page_shows_both_tables_where_there_are_switches(tmp_path) -> None:
    heading = "What the choices of the public code change"
    plain = synthetic.tables()
    assert heading not in page.render(tmp_path, plain, [], tmp_path)
    tables = _with(_walked(plain, 2.0), RAW, {"paper_compat": ["raw_logit"]})
    shown = page.render(tmp_path, tables, [], tmp_path)
    assert heading in shown
    assert "<td>same_time</td>" in shown
    assert "<td>raw_logit</td>" in shown
    assert NOISE in shown


def _second(tables: Tables, name: str, corrected: str | None = "balls") -> Tables:
    """The data set once more, with switches of its own: under another name, cfd 2 higher."""
    tables.summary["datasets"][name] = copy.deepcopy(tables.facts("balls")) | {
        "paper_compat": ["validation_images"],
        "corrected": corrected,
    }
    frames = {}
    for one in ("results", "jackknife"):
        rows = getattr(tables, one)
        own = rows[rows.dataset == "balls"].assign(dataset=name)
        own["value"] += 2.0 * (own.metric == "cfd_judge")
        frames[one] = pd.concat([rows, own], ignore_index=True)
    return dataclasses.replace(tables, **frames)


def _row(tables: Tables, dataset: str, setup: str, at: str) -> list[str]:
    rows = [row["cells"] for row in compat.data(tables, dataset)["rows"]]
    (found,) = [row for row in rows if row[0] == theme.title(setup) and row[2] == at]
    return found


def test_a_data_set_with_switches_stands_beside_the_corrected_one() -> None:
    tables = _second(synthetic.tables(), "all")
    assert compat.data(tables, "balls")["rows"] == []
    head = compat.data(tables, "all")["head"]
    assert head[3:5] == ["corrected: accuracy by judge, %", "change"]
    assert head[7:] == ["corrected: cfd_judge", "with switches: cfd_judge"]
    assert head.count("change") == 1  # two judges' distances have no difference
    _row(tables, "all", "unguided", "")
    cell = _row(tables, "all", EMA99, "100")
    assert len(cell) == len(head)
    base = tables.measure("balls", Cell(EMA99, 100.0), "accuracy_judge")
    assert base
    blocks = len(tables.left_out("balls", Cell(EMA99, 100.0), "accuracy_judge"))
    half = 100 * quantile(blocks - 1) * base.se * 2**0.5
    assert cell[4] == str(Interval(0.0, -half, half))
    both = [tables.measure(name, Cell(EMA99, 100.0), "cfd_judge") for name in ("balls", "all")]
    assert cell[7:] == [distance(value) for value in both]
    text = page.render(Path(), tables, [], Path())
    assert "(validation_images), beside the same guidance in\nballs," in text


@pytest.mark.parametrize("corrected", [None, "not yet sampled"])
def test_without_a_corrected_data_set_there_are_no_rows(corrected: str | None) -> None:
    assert compat.data(_second(synthetic.tables(), "all", corrected), "all")["rows"] == []


def test_setups_of_two_data_sets_are_paired_by_what_they_do() -> None:
    tables = _second(synthetic.tables(), "all")
    setups = tables.facts("all")["setups"]
    options = setups[EMA99]["stabilizer_options"]
    setups[EMA99]["stabilizer_options"] = options | {"beta": 0.5}  # called as before
    setups["clean/x0"]["variant"] = {"steps": 7}
    setups["plain"] = setups.pop("clean/raw")
    found = {pair.setup: pair.corrected for pair in compat.pairs(tables, "all", "balls")}
    assert EMA99 not in found
    assert "clean/x0" not in found
    assert found["plain"] == "clean/raw"
    assert found["unguided"] == "unguided"


def test_guided_setups_without_a_common_scale_have_no_row() -> None:
    tables = _second(synthetic.tables(), "all")
    tables.facts("all")["setups"][EMA99]["scales"] = [7.0]
    rows = [row["cells"][0] for row in compat.data(tables, "all")["rows"]]
    assert theme.title(EMA99) not in rows
    assert "unguided" in rows


def test_a_data_sets_table_names_the_setups_switches_and_what_broke() -> None:
    tables = _second(synthetic.tables(), "public")
    tables.facts("public")["setups"][EMA99] |= {
        "variant": {"paper_compat": ["raw_logit"]},
        "clip_gradient": "zero",
    }
    results = tables.results
    here = (results.dataset == "public") & (results.setup == EMA99)
    at = here & (results.scale == 100) & (results.metric == "diverged")
    results.loc[at, "value"] = 1.0
    row = _row(tables, "public", EMA99, "100")
    assert row[1] == "raw_logit, clip_gradient: zero"
    assert row[4].startswith("0 [")  # a share counts what diverged
    assert row[7] != "broken"
    assert row[6] == row[8] == "broken"


INCEPTION = {"fd_judge": "fid", "cfd_judge": "cfid"}


@pytest.mark.parametrize("extra", [{}, INCEPTION])
def test_a_drawn_reference_stands_beside_the_whole_one(extra: dict[str, str]) -> None:
    tables = synthetic.tables()
    assert compat.references(tables, "balls")["rows"] == []
    frames = {}
    for one in ("results", "jackknife"):
        rows = getattr(tables, one)
        judged = rows[rows.metric.isin(INCEPTION)]
        whole = judged[judged.metric.isin(extra)]
        whole = whole.assign(metric=whole.metric.replace(extra))
        own = pd.concat([judged, whole])
        own = own.assign(metric=own.metric + "+drawn_reference", value=own.value + 0.5)
        frames[one] = pd.concat([rows, whole, own], ignore_index=True)
    tables = dataclasses.replace(tables, **frames)
    table = compat.references(tables, "balls")
    assert table["rows"][0]["cells"][0] == "unguided"
    assert len(table["rows"]) == 1 + len(tables.guided("balls"))
    distances = 2 + len(extra)
    for row in table["rows"]:
        assert len(row["cells"]) == len(table["head"]) == 2 + 3 * distances
        assert row["cells"][4::3] == ["0.5 [0.5, 0.5]"] * distances
    named = ["fd_judge", "cfd_judge", *(["FID", "cFID"] if extra else [])]
    assert table["head"][2::3] == [f"corrected: {name}" for name in named]
    assert "drawn_reference" in page.render(Path(), tables, [], Path())
