"""Where a guide takes unguided samples for the target, its accuracy is no measure of guidance."""

import dataclasses

import pandas as pd
import pytest
import synthetic_tables as synthetic
from table_edits import ADAM, broke, level, verdict, with_every_class, without

from guidebench.report.claims import findings
from guidebench.report.claims.saturation import said, saturated
from guidebench.report.claims.verdicts import HOLDS, UNDECIDED, UNMEASURED
from guidebench.report.tables import Tables

GUIDES = ("clean", "noise_trained")
BY_GUIDE = (5, 7, 9, 10, 22)  # accuracy by the guide, or the gradient of what it says


def with_share(share: float) -> Tables:
    """The clean classifier calls this share of the unguided samples the target."""
    tables = synthetic.tables()
    level("unguided", "accuracy_guide", share)(tables)
    return tables


@pytest.mark.parametrize("share", [1.0, 0.95])
def test_claims_by_a_saturated_guide_are_undecided_and_say_why(share: float) -> None:
    before, after = findings.decide(synthetic.tables()), findings.decide(with_share(share))
    for old, new in zip(before, after, strict=True):
        if new["id"] not in BY_GUIDE:
            assert new == old
            continue
        assert (old["verdict"], new["verdict"]) == (HOLDS, UNDECIDED), new["id"]
        said_so = f"The question does not arise: the guiding classifier clean calls {100 * share:g}"
        assert new["reason"].startswith(said_so)
        assert new["reason"].endswith(old["reason"])
        assert new["values"]["accuracy clean, unguided"] == share
        assert old["values"].items() < new["values"].items()


def test_a_guide_is_saturated_where_its_whole_interval_is() -> None:
    """240 of 256 are 0.9005 or more for certain, 239 are 0.8959."""
    assert [bool(saturated(with_share(k / 256), "balls", GUIDES)) for k in (239, 240)] == [
        False,
        True,
    ]
    assert verdict(with_share(239 / 256), 10)["verdict"] == HOLDS


def test_a_saturated_noise_trained_guide_counts_where_a_claim_needs_it() -> None:
    tables = synthetic.tables()
    rows = tables.results
    own = rows[(rows.setup == "unguided") & (rows.metric == "accuracy_guide")]
    other = own.assign(metric="accuracy_noise_trained", value=1.0)
    tables = dataclasses.replace(tables, results=pd.concat([rows, other], ignore_index=True))
    assert [one.classifier for one in saturated(tables, "balls", GUIDES)] == ["noise_trained"]
    found = {finding["id"]: finding["verdict"] for finding in findings.decide(tables)}
    assert [number for number, one in found.items() if one == UNDECIDED] == [5, 22]


def test_what_is_not_measured_stays_so_beside_a_saturated_guide() -> None:
    tables = broke(with_share(1.0), "clean/x0", 1.0, 3.0, 10.0, 30.0)
    found = verdict(tables, 10)
    assert found["verdict"] == UNMEASURED
    assert str(found["reason"]).startswith("The question does not arise: ")
    tables = with_share(1.0)
    without(ADAM)(tables)
    assert verdict(tables, 10)["verdict"] == UNMEASURED


def test_it_is_said_in_plain_words_beside_the_judge() -> None:
    (line,) = said(with_share(1.0), "balls")
    assert line == (
        "The guiding classifier clean calls 100 [98.6, 100] % of the unguided samples the target "
        "(the judge 25 [19.8, 30.8] %). So its accuracy is high before any guidance and measures "
        "nothing here, and it has little to guide with."
    )
    assert said(synthetic.tables(), "balls") == []


def test_no_guide_is_saturated_where_each_class_is_a_target_in_turn() -> None:
    tables = with_every_class(with_share(1.0))
    assert saturated(tables, "balls", GUIDES) == []
    assert said(tables, "balls") == []
