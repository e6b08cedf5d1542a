"""What verdicts are made of: values that count, paired differences, grids of which a part broke."""

import dataclasses
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import synthetic_tables as synthetic
from table_edits import (
    ADAM,
    EMA9,
    EMA99,
    NOISE,
    broke,
    diverge,
    level,
    verdict,
    with_columns,
    without,
)

from guidebench.base.cells import Cell
from guidebench.base.jackknife import agresti_coull, standard_error
from guidebench.report.claims import findings
from guidebench.report.claims.kinds import CFG, CLEAN_RAW, NOISE_TRAINED, along
from guidebench.report.claims.tradeoff import attack, ends
from guidebench.report.claims.verdicts import (
    FAILS,
    HOLDS,
    UNMEASURED,
    Unmeasured,
    contrast,
    difference,
    measured,
    quantile,
    scales,
    unbroken,
)
from guidebench.report.pages import page
from guidebench.report.tables import BROKEN

BEST = Cell(EMA99, 100.0)


def test_a_broken_cell_has_shares_but_no_other_value() -> None:
    tables = synthetic.tables()
    diverge(tables, EMA99, BROKEN, "evaluation")
    assert measured(tables, "balls", BEST, "cfd_judge").value == pytest.approx(3)
    diverge(tables, EMA99, BROKEN + 0.001, "evaluation")
    for metric in ("accuracy_judge", "diverged"):
        assert np.isfinite(measured(tables, "balls", BEST, metric).value)
    message = re.escape(f"{EMA99} at scale 100 is broken, more than 2 % of its images diverged")
    with pytest.raises(Unmeasured, match=message):
        measured(tables, "balls", BEST, "cfd_judge")
    with pytest.raises(Unmeasured, match=message):
        difference(tables, "balls", (Cell(NOISE, 10.0), "cfd_judge"), (BEST, "cfd_judge"))
    # on these seeds it did not break
    assert measured(tables, "balls", BEST, "cfd_judge", "selection").value == pytest.approx(3)


@pytest.mark.parametrize(("n", "reference"), [(63, 4000), (256, 63)])
def test_fewer_images_than_features_have_no_interval(n: int, reference: int) -> None:
    pair = (Cell(NOISE, 10.0), "cfd_judge"), (BEST, "cfd_judge")
    enough = with_columns(synthetic.tables(), n=64, reference_n=64, features=64)
    assert difference(enough, "balls", *pair).positive
    few = with_columns(synthetic.tables(), n=n, reference_n=reference, features=64)
    with pytest.raises(Unmeasured, match=f"cfd_judge of {n} images and a reference of {reference}"):
        difference(few, "balls", *pair)
    assert verdict(few, 14)["verdict"] == UNMEASURED


def test_blocks_that_agree_leave_a_share_its_least_error() -> None:
    """All of 256 hit in both cells: Agresti and Coull's error of none of 256, not 0."""
    tables = synthetic.tables()
    rows = tables.jackknife
    rows.loc[rows.metric == "accuracy_judge", "value"] = 1.0
    level(EMA99, "accuracy_judge", 1.0)(tables)
    level(NOISE, "accuracy_judge", 1.0)(tables)
    found = difference(
        tables, "balls", (BEST, "accuracy_judge"), (Cell(NOISE, 10.0), "accuracy_judge")
    )
    t = quantile(synthetic.K - 1)
    assert found.high == pytest.approx(t * agresti_coull(0, synthetic.N))
    assert found.high == pytest.approx(t * np.sqrt(2 / 260 * 258 / 260 / 260))
    # of a distance agreement is agreement
    rows.loc[rows.metric == "cfd_judge", "value"] = 1.0
    pair = [(cell, "cfd_judge") for cell in (BEST, Cell(NOISE, 10.0))]
    found = difference(tables, "balls", *pair)
    assert found.low == found.high == found.estimate


def test_a_contrast_of_four_cells_is_paired_seed_by_seed() -> None:
    tables = synthetic.tables()
    cells = [BEST, Cell(NOISE, 10.0), Cell(ADAM, 0.3), Cell("unguided")]
    factors = (1, -1, -1, 1)
    found = contrast(
        tables,
        "balls",
        [(factor, cell, "fd_judge") for factor, cell in zip(factors, cells, strict=True)],
    )
    assert found.estimate == pytest.approx(8.5 - 14 - 18 + 2)
    left_out = sum(
        factor * tables.left_out("balls", cell, "fd_judge").to_numpy()
        for factor, cell in zip(factors, cells, strict=True)
    )
    half = quantile(synthetic.K - 1) * standard_error(left_out)
    assert found.high - found.estimate == pytest.approx(half)


def test_blocks_that_are_missing_are_named() -> None:
    tables = synthetic.tables()
    rows = tables.jackknife
    gone = (rows.setup == EMA99) & (rows.block == 3)
    tables = dataclasses.replace(tables, jackknife=rows[~gone])
    message = re.escape(f"no jackknife blocks of {NOISE} at scale 10 and {EMA99} at scale 100")
    with pytest.raises(Unmeasured, match=message):
        difference(tables, "balls", (Cell(NOISE, 10.0), "cfd_judge"), (BEST, "cfd_judge"))


def test_along_leaves_out_a_time_at_which_an_image_is_not_finite() -> None:
    tables = synthetic.tables()
    rows = tables.sensitivity
    keep = (rows.quantity == "logit_sensitivity") & (rows.classifier == "clean")
    keep &= (rows.input == "raw") & rows.t.isin([9, 19])
    for index, bad in zip(rows.index[keep], (np.inf, np.nan), strict=True):
        rows.at[index, "values"] = np.where(np.arange(32) == 5, bad, rows.at[index, "values"])
    found = along(tables, "balls", "logit_sensitivity", CLEAN_RAW)
    assert found.index.tolist() == [t for t in synthetic.TIMES if t not in (9, 19)]
    assert np.isfinite(found.to_numpy()).all()
    # both curves are averaged over the same t
    before, after = (
        verdict(one, 4)["values"]["log ratio clean/raw over noise_trained/raw"]
        for one in (synthetic.tables(), tables)
    )
    assert after == pytest.approx(before, rel=1e-9)


@pytest.mark.parametrize(
    ("lost", "kept", "said"),
    [
        ((), [1, 3, 10, 30], ""),
        ((30.0,), [1, 3, 10], " scale 30 is broken; the largest unbroken is 10."),
        ((10.0, 30.0), [1, 3], " scales 10, 30 are broken; the largest unbroken is 3."),
        ((1.0,), [3, 10, 30], " scale 1 is broken; the smallest unbroken is 3."),
        ((3.0,), [1, 10, 30], " scale 3 is broken."),
    ],
)
def test_a_grid_ends_where_it_did_not_break(
    lost: tuple[float, ...], kept: list[float], said: str
) -> None:
    tables = broke(synthetic.tables(), NOISE, *lost)
    found = unbroken(tables, "balls", NOISE, least=2)
    assert [cell.scale for cell in found.cells] == kept
    assert found.on_broken == (f" Of {NOISE}{said}" if said else "")
    assert len(scales(tables, "balls", NOISE)) == 4


@pytest.mark.parametrize("number", [11, 12])
def test_a_claim_about_a_grids_end_takes_the_largest_scale_that_did_not_break(number: int) -> None:
    """Of a cell that broke, neither its distance nor its rise counts."""
    tables = broke(synthetic.tables(), NOISE, 30.0)
    for split, last in (("selection", 20), ("evaluation", 0)):
        level(NOISE, "cfd_judge", [20, 6, 9, last], split)(tables)
    level(NOISE, "fd_judge", [5, 9, 14, 1])(tables)
    found = verdict(tables, number)
    assert found["verdict"] == HOLDS, found["reason"]
    assert found["reason"].endswith("scale 30 is broken; the largest unbroken is 10.")
    assert "to scale 10" in found["reason"] or "to 10;" in found["reason"]
    broke(tables, NOISE, 10.0, 30.0)
    found = verdict(tables, number)
    assert found["verdict"] == UNMEASURED
    assert found["reason"] == (
        "Not measured: 2 of 4 scales of noise_trained/raw are not broken, 3 are needed."
    )


def test_the_trade_offs_ends_are_those_of_weights_that_did_not_break() -> None:
    """Claims 15 to 18 compare the ends of cfg's grid, and 19 the largest scales of two."""
    tables = synthetic.tables()
    facts = tables.facts("balls")
    facts["setups"]["cfg"] = facts["setups"][NOISE] | {"kind": "cfg", "classifier": None}
    frames = {}
    for name in ("results", "jackknife"):
        rows = getattr(tables, name)
        rows = rows.assign(
            metric=rows.metric.replace(
                {"fd_judge": "is_judge", "accuracy_guide": "accuracy_noise_trained"}
            )
        )
        same = rows[rows.setup == NOISE].assign(setup="cfg")
        frames[name] = pd.concat([rows, same], ignore_index=True)
    tables = dataclasses.replace(tables, **frames)
    broke(tables, "cfg", 30.0)
    broke(tables, NOISE, 10.0, 30.0)
    found = ends("is_judge", 1, tables, "balls", CFG)
    assert "from weight 1 to 10" in found.reason
    assert found.reason.endswith("Of cfg scale 30 is broken; the largest unbroken is 10.")
    found = attack(tables, "balls", NOISE_TRAINED, CFG)
    assert "(scale 3)" in found.reason
    assert "(weight 10)" in found.reason
    assert found.reason.endswith(
        "the largest unbroken is 3. Of cfg scale 30 is broken; the largest unbroken is 10."
    )
    assert found.values["difference"] == pytest.approx(0.02 - 0.02)


def test_accuracies_of_a_broken_cell_choose_no_scale() -> None:
    """Claim 9: 97 % at scale 100 beside 3 % that diverged there on selection seeds."""
    tables = synthetic.tables()
    without("clean/x0+ema0.9")(tables)
    level(EMA99, "accuracy_judge", [0.5, 0.9, 0.999, 0.95])(tables)
    assert verdict(tables, 9)["values"][f"scale {EMA99}"] == 100
    rows = tables.results
    keep = (rows.setup == EMA99) & (rows.metric == "diverged") & (rows.split == "selection")
    rows.loc[keep & (rows.scale == 100), "value"] = 0.03
    assert verdict(tables, 9)["values"][f"scale {EMA99}"] == 300


def test_a_rival_that_could_not_be_compared_is_named_and_nothing_holds() -> None:
    """Claim 13 was about every other setup."""
    tables = synthetic.tables()
    assert verdict(tables, 13)["verdict"] == HOLDS
    diverge(tables, "clean/x0", 1.0, "selection")
    level("clean/x0+ema0.9", "cfd_judge", np.nan, "evaluation")(tables)
    found = verdict(tables, 13)
    assert found["verdict"] == UNMEASURED
    assert found["reason"].endswith("above for certain. Not compared: clean/x0, clean/x0+ema0.9.")
    # one that is better for certain is enough
    level(ADAM, "cfd_judge", 1.0)(tables)
    assert verdict(tables, 13)["verdict"] == FAILS


def test_a_shared_reference_cancels_in_a_difference_and_counts_alone() -> None:
    """Both cells' distances move by the same when the same block of the reference is left out."""
    tables = synthetic.tables()
    pair = [(Cell(EMA99, 100.0), "cfd_judge"), (Cell(EMA9, 30.0), "cfd_judge")]
    before = difference(tables, "balls", *pair)
    moves = np.linspace(-1, 1, synthetic.K)
    blocks = pd.DataFrame({"block": range(synthetic.K), "value": 5 + moves})
    blocks = blocks.assign(dataset="balls", split="evaluation")
    frames = [blocks.assign(**cell._asdict(), metric=metric) for cell, metric in pair]
    same = dataclasses.replace(tables, reference_jackknife=pd.concat(frames))
    assert difference(same, "balls", *pair) == pytest.approx(before)
    frames[0]["value"] = 5 - moves
    other = dataclasses.replace(tables, reference_jackknife=pd.concat(frames))
    after = difference(other, "balls", *pair)
    assert after.estimate == pytest.approx(before.estimate)
    t = quantile(synthetic.K - 1)
    seeds, both = (interval.high - interval.estimate for interval in (before, after))
    assert both == pytest.approx(np.hypot(seeds, t * standard_error(2 * moves)))


@pytest.mark.parametrize(
    ("setup", "answer", "said"),
    [
        (EMA99, UNMEASURED, "no finite value on selection seeds"),
        (EMA9, UNMEASURED, f"Not compared: {EMA9}"),
    ],
)
def test_a_claim_is_not_won_by_a_broken_cell(setup: str, answer: str, said: str) -> None:
    tables = synthetic.tables()
    diverge(tables, setup, 1.0, "selection", "evaluation")
    found = verdict(tables, 13)
    assert found["verdict"] == answer
    assert said in found["reason"]


def test_nothing_is_measured_against_a_broken_unguided() -> None:
    """Its scale is NaN, which equals nothing."""
    tables = synthetic.tables()
    diverge(tables, "unguided", 1.0, "evaluation")
    assert tables.is_broken("balls", Cell("unguided"))
    decided = findings.decide(tables)
    found = {one["id"]: one["verdict"] for one in decided}
    assert (found[8], found[12]) == (UNMEASURED, UNMEASURED)
    text = page.render(Path(), tables, decided, Path())
    assert "(broken)" in text
    assert f"not measured: {list(found.values()).count(UNMEASURED)} (a number that" in text


def test_a_rival_that_broke_late_hides_no_loss() -> None:
    tables = synthetic.tables()
    level(ADAM, "cfd_judge", 0.1)(tables)
    assert verdict(tables, 13)["verdict"] == FAILS
    diverge(tables, EMA9, 1.0, "evaluation")
    assert verdict(tables, 13)["verdict"] == FAILS
