"""What claims take for granted: classifiers that know the classes, guides that have work to do."""

import dataclasses

import pandas as pd
import pytest
import synthetic_tables as synthetic
from table_edits import ADAM, Edit, broke, level, verdict, with_every_class, without

from guidebench.report.claims import findings
from guidebench.report.claims.premises import ignorant, said, saturated
from guidebench.report.claims.verdicts import FAILS, HOLDS, UNDECIDED, UNMEASURED
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


def knows(classifier: str, share: float, n: int = 1000) -> Edit:
    """Its accuracy on clean images, of which there are n; chance is 0.25."""

    def edit(tables: Tables) -> None:
        rows = tables.classifiers
        rows.loc[rows.classifier == classifier, ["accuracy", "n"]] = share, n

    return edit


def undecided(tables: Tables) -> list[object]:
    return [one["id"] for one in findings.decide(tables) if one["verdict"] == UNDECIDED]


ABOUT = {
    "clean": [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 13, 14, 20, 21, 22],
    "noise_trained": [2, 4, 5, 11, 12, 14, 20, 22],
    "judge": [8, 9],
}


@pytest.mark.parametrize("classifier", list(ABOUT))
def test_claims_about_a_classifier_at_chance_are_undecided(classifier: str) -> None:
    tables = synthetic.tables()
    knows(classifier, 0.244)(tables)
    assert undecided(tables) == ABOUT[classifier]
    first = ABOUT[classifier][0]
    assert verdict(tables, first)["reason"] == (
        f"The question does not arise: already on clean images the classifier {classifier} is "
        "not for certain more than 0.10 above chance: its accuracy is 0.244 [0.218, 0.272], "
        f"chance 0.25. {verdict(synthetic.tables(), first)['reason']}"
    )
    assert said(tables, "balls") == [
        f"Already on clean images the classifier {classifier} is not for certain more than 0.10 "
        "above chance: its accuracy is 0.244 [0.218, 0.272], chance 0.25. So what it says of "
        "samples, and guidance by it, measure nothing here."
    ]


@pytest.mark.parametrize(
    ("classifier", "claims"), [("noise_trained", [2, 4, 19]), ("judge", [15, 19])]
)
def test_of_every_class_too(classifier: str, claims: list[int]) -> None:
    tables = with_every_class(synthetic.tables())
    known = undecided(tables)
    knows(classifier, 0.244)(tables)
    assert set(undecided(tables)) - set(known) == set(claims) - set(known)
    assert all(
        str(verdict(tables, number)["reason"]).startswith("The question does not arise")
        for number in claims
    )


def test_a_classifier_knows_the_classes_where_its_whole_interval_is_above_the_margin() -> None:
    """Of 1000 images 381 are 0.3508 or more for certain, 380 are 0.3498."""
    for count, holds in ((381, True), (380, False)):
        tables = synthetic.tables()
        knows("clean", count / 1000)(tables)
        assert bool(ignorant(tables, "balls", GUIDES)) != holds
        assert verdict(tables, 1)["verdict"] == (HOLDS if holds else UNDECIDED)


def test_a_claim_is_about_the_classifier_that_it_follows_or_that_guides() -> None:
    """A second clean classifier, at chance, that comes first in the config and does nothing."""
    tables = synthetic.tables()
    facts = tables.facts("balls")
    facts["trained"] = {"other": "clean"} | facts["trained"]
    rows = tables.classifiers
    other = rows[rows.classifier == "clean"].assign(classifier="other", accuracy=0.25)
    tables = dataclasses.replace(tables, classifiers=pd.concat([rows, other], ignore_index=True))
    assert undecided(tables) == []


def test_unguided_samples_that_the_judge_calls_the_target_leave_9_open() -> None:
    tables = synthetic.tables()
    level("unguided", "accuracy_judge", 0.97)(tables)
    found = verdict(tables, 9)
    assert found["verdict"] == UNDECIDED
    assert "arise: the judge calls 97 [93.9, 98.6] % of the unguided" in str(found["reason"])


@pytest.mark.parametrize(
    ("edits", "wanted"),
    [
        ([], UNDECIDED),  # at scale 1 its cFD is lower, and no accuracy could be 0.15 above
        ([level("clean/raw", "cfd_judge", 60.0)], HOLDS),
        (
            [level("clean/raw", "accuracy_judge", 1.0), level("clean/raw", "cfd_judge", 9.0)],
            UNDECIDED,
        ),
        ([level("clean/raw", "diverged", 0.8, "evaluation")], HOLDS),
    ],
)
def test_where_unguided_leaves_no_room_claim_8_asks_nothing_of_the_accuracy(
    edits: list[Edit], wanted: str
) -> None:
    tables = synthetic.tables()
    for edit in edits:
        edit(tables)
    before = verdict(tables, 8)["verdict"]
    assert before == (FAILS if len(edits) == 2 else HOLDS)
    level("unguided", "accuracy_judge", 1.0)(tables)
    found = verdict(tables, 8)
    assert found["verdict"] == wanted
    assert "The accuracy decides nothing: the judge calls 100 [98.6, 100] %" in str(found["reason"])
    assert found["values"]["accuracy_judge unguided"] == 1.0


def test_there_is_room_until_unguided_is_above_85_percent_for_certain() -> None:
    """Of 256 images 229 are 0.8503 or more for certain, 228 are 0.8458."""
    for count, room in ((228, True), (229, False)):
        tables = synthetic.tables()
        level("unguided", "accuracy_judge", count / 256)(tables)
        assert ("accuracy_judge unguided" not in verdict(tables, 8)["values"]) == room
