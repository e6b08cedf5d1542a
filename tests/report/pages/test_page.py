"""The report: one page that needs nothing outside of itself."""

from __future__ import annotations

import dataclasses
from functools import cache
from html import unescape
from pathlib import Path
from urllib.parse import unquote

import pytest
import synthetic_tables as synthetic
from conftest import REPOSITORY
from html_tags import Tags
from table_edits import ADAM, EMA9, EMA99, diverge, level, with_every_class

from guidebench.report import outcome
from guidebench.report.claims import findings
from guidebench.report.claims.verdicts import FAILS, HOLDS, UNDECIDED
from guidebench.report.pages import page
from guidebench.report.tables import Tables


@cache  # no test changes it
def html(demo: Path) -> str:
    tables = Tables.read(demo / "tables")
    return page.render(demo, tables, findings.decide(tables), demo / "figures")


def test_page_is_self_contained(demo: Path) -> None:
    tags = Tags(html(demo)).found
    images = [attributes for tag, attributes in tags if tag == "img"]
    assert len(images) >= 14
    assert all(str(image["src"]).startswith("data:image/") for image in images)
    assert all("alt" in image for image in images)
    ids = {attributes["id"] for _, attributes in tags if "id" in attributes}
    for tag, attributes in tags:
        assert tag != "script"
        link = attributes.get("href") or ""
        assert not link.startswith(("http", "//"))
        assert not link.startswith("#") or link[1:] in ids, link


def test_every_figure_links_to_its_files_beside_the_page(demo: Path) -> None:
    found = Tags(html(demo)).found
    links = [
        str(a["href"]) for tag, a in found if tag == "a" and not str(a["href"]).startswith("#")
    ]
    assert all((demo / unquote(link)).is_file() for link in links)
    for name in ("accuracy", "grad_sensitivity_stabilized", "accuracy_guide", "fd", "cfd"):
        for suffix in ("svg", "png", "csv"):
            assert f"figures/balls/{name}.{suffix}" in links
    assert {"figures/costs.csv", "figures/balls/sheet_table.csv"} <= set(links)


def test_the_papers_figures_and_tables_come_in_its_order(demo: Path) -> None:
    text = unescape(html(demo))
    names = [
        *(f"(the paper's figure {number})" for number in range(1, 5)),
        "(the paper's figures 5 and 8a)",
        "(the paper's figures 6, 8b, on the judge's features)",
        "(the paper's figures 7, 8c, on the judge's features)",
        "(the paper's tables 1-3)",
        "The first 256 generations: unguided (the paper's figure 9 shows 256)",
        "The first 256 generations: clean (non-robust), x0+ema0.99, 100 (the paper's figure 9",
    ]
    places = [text.index(f"{name}</h4>" if name.endswith(")") else name) for name in names]
    assert places == sorted(places)


@pytest.mark.parametrize(
    ("wanted", "count", "chance"),
    [
        ({}, "0 hold, 0 do not hold and\n17 are undecided", ""),
        ({1: HOLDS}, "1 holds, 0 do not hold and\n16 are undecided", "less far from it. This is"),
        (
            {1: HOLDS, 2: FAILS},
            "1 holds, 1 does not hold and\n15 are undecided",
            "less far from it: of the 2 verdicts below up to about\n0.1. This is",
        ),
    ],
)
def test_the_page_counts_errors_by_chance_where_something_was_decided(
    demo: Path, wanted: dict[int, str], count: str, chance: str
) -> None:
    tables = Tables.read(demo / "tables")
    found = [one | {"verdict": wanted.get(one["id"], UNDECIDED)} for one in findings.decide(tables)]
    text = page.render(demo, tables, found, demo / "figures")
    assert count in text
    assert ("A verdict is wrong by chance" in text) == bool(chance)
    assert chance in text


def test_page_shows_the_findings_table(demo: Path) -> None:
    text = html(demo)
    tags = Tags(text).found
    assert ("table", {"id": "findings"}) in tags
    rows = [attributes for tag, attributes in tags if tag == "tr" and "id" in attributes]
    assert [row["id"] for row in rows] == [
        f"balls-{number}" for number in (*range(1, 15), 20, 21, 22)
    ]
    assert text.count('class="verdict holds">holds</span></td>') == 17
    assert "of the 17 verdicts below up to about\n0.9." in text
    assert "17 hold, 0 do not hold and\n0 are undecided" in text


def test_page_says_what_it_does_not_show(demo: Path) -> None:
    text = html(demo)
    assert "There is no FID in this report" in text
    assert "This model only" in text
    assert "clean (non-robust)" in text
    assert "noise-trained (robust)" in text
    # what the sampler alone does, and where scale 1 is not what it seems
    assert "0.282 (s = 0.1), 0.753 (1) times\ntheir variance" in text
    written = (REPOSITORY / "docs/samplers.md").read_text()
    assert "| ancestral, v = 0 | mean | 0.817 | 0.927 | 0.956 |" in written
    assert "82 % of the target class at 25 steps, 93 % at 100 and 96 % at 400" in text


def test_the_correlation_of_sensitivity_and_outcome_is_in_its_caption(demo: Path) -> None:
    text, tables = unescape(html(demo)), Tables.read(demo / "tables")
    found = [outcome.correlation(tables, "balls", name) for name in ("cfd_judge", "accuracy_judge")]
    assert (
        f"Spearman's rank correlation over these 6 setups: {found[0]} with cfd_judge, "
        f"{found[1]} with accuracy_judge."
    ) in text


def test_page_says_what_adversarially_trained_means_where_one_is(demo: Path) -> None:
    assert "<dt>adversarially trained" not in html(demo)
    tables = synthetic.tables()
    tables.facts("balls")["trained"]["adversarial"] = "adversarial"
    text = page.render(Path(), tables, [], Path())
    assert "<dt>adversarially trained (robust)</dt>" in text


def test_page_without_pictures_and_with_markup_in_names(tmp_path: Path) -> None:
    tables = synthetic.tables()
    tables.summary["description"] = "<script>alert(1)</script>"
    text = page.render(tmp_path, tables, findings.decide(tables), tmp_path / "figures")
    assert "<script>" not in text
    assert "<img" not in text


def test_page_warns_of_a_schedule_that_does_not_end_in_noise(demo: Path) -> None:
    text = html(demo)
    assert "does not end in noise" in text
    assert "1.72 % of the variance" in text
    tables = synthetic.tables()
    tables.summary["datasets"]["balls"]["terminal_snr"] = 1e-4
    text = page.render(demo, tables, [], demo / "figures")
    assert "does not end in noise" not in text


def test_page_says_why_there_is_no_floor() -> None:
    tables = synthetic.tables()
    rows = tables.results
    rows.drop(rows.index[rows.setup == "floor"], inplace=True)
    text = page.render(Path(), tables, [], Path())
    assert "floor: none (fewer than 256 held-out images of the target class)" in text


def test_best_table_shows_evaluation_at_the_selected_scale(demo: Path) -> None:
    text = html(demo)
    # among the winners, and beside floor and unguided
    won, row = (line for line in text.splitlines() if 'class="best"' in line)
    assert "<td>clean (non-robust), x0+ema0.99</td><td>100</td>" in row
    assert "<td>clean (non-robust), x0+ema0.99</td><td>100</td><td>3 [2.86, 3.14]</td>" in won
    assert "<td>3.00\u00a0±\u00a00.06</td>" in row
    # shares with the exact intervals that claims have
    assert "<td>97 [93.9, 98.6]</td>" in row


def test_the_best_of_all_is_said_where_no_classifier_guides_it() -> None:
    """`of all` only beside others, and a classifier's winner is not said twice."""
    tables = synthetic.tables()

    def line() -> str:
        text = page.render(Path(), tables, [], Path())
        (found,) = [one for one in text.splitlines() if "of the best setup" in one]
        return text[text.index(found) :].partition("<br>")[0]

    assert "of all:" not in line()
    setups = tables.facts("balls")["setups"]
    for setup in ("clean/x0+ema0.99", "clean/x0"):  # the winner, and another clean one
        setups[setup] |= {"kind": "mine:guide", "classifier": None}
    assert "; of all: <code>clean/x0+ema0.99</code> at scale 100, 3.00" in line()
    setups["clean/x0+ema0.99"] |= {"kind": "cfg"}
    assert "; of all: <code>clean/x0+ema0.99</code> at weight 100, 3.00" in line()
    setups["cfg"] = setups.pop("clean/x0+ema0.99")
    renamed = {"setup": {"clean/x0+ema0.99": "cfg"}}
    frames = {name: getattr(tables, name).replace(renamed) for name in ("results", "jackknife")}
    tables = dataclasses.replace(tables, **frames)
    assert "; of all: <code>cfg</code> at weight 100, 3.00" in line()
    for setup in set(setups) - {"unguided", "cfg"}:
        del setups[setup]
    assert ": <code>cfg</code> at weight 100, 3.00" in line()
    assert "of all:" not in line()


def summary(tables: Tables) -> str:
    text = unescape(page.render(Path(), tables, findings.decide(tables), Path()))
    return " ".join(text.partition('<section id="summary">')[2].partition("</section>")[0].split())


def test_the_summary_says_where_the_best_is_no_gain_over_unguided() -> None:
    best = "<code>clean/x0+ema0.99</code> at scale 100, 3.00"
    clean = "with the clean (non-robust) classifier:"
    assert f"{clean} {best}" in summary(synthetic.tables())
    tables = synthetic.tables()
    level("unguided", "cfd_judge", 3.0)(tables)
    found = summary(tables)
    assert f"{clean} none can be told from unguided (chosen on the selection seeds: {best}" in found
    assert "; its difference from unguided is " in found
    assert "classifier: none is better than unguided (chosen on the selection seeds: " in found
    level("unguided", "cfd_judge", 1.0)(tables)
    assert f"{clean} none is better than unguided (chosen on the" in summary(tables)
    diverge(tables, "unguided", 0.5, "evaluation")
    assert "(its difference from unguided was not measured)" in summary(tables)


def test_the_summary_says_where_the_guide_is_saturated() -> None:
    tables = synthetic.tables()
    level("unguided", "accuracy_guide", 1.0)(tables)
    said = "The guiding classifier clean calls 100 [98.6, 100] % of the unguided samples the target"
    assert f"<strong>{said} (the judge" in summary(tables)
    # and above the numbers of the data set
    assert f"<p><strong>{said}" in page.render(Path(), tables, [], Path())


def test_the_summary_has_no_empty_sentence() -> None:
    tables = synthetic.tables()
    guided = [name for name in tables.facts("balls")["setups"] if name != "unguided"]
    for setup in guided:
        diverge(tables, setup, 1.0, "selection", "evaluation")
    found = summary(tables)
    assert "of the best setup" not in found
    assert "<code>cfd_judge</code>: no guided setup can be ranked. At every" in found
    for setup in guided:
        del tables.facts("balls")["setups"][setup]
    left = tables.results[tables.results.metric != "cfd_judge"]
    tables = dataclasses.replace(tables, results=left)
    found = summary(tables)
    assert "<code>cfd_judge</code>: no setup of this data set guides." in found
    assert "Unguided: not measured; floor: not measured." in found
    assert "0 guided setups" not in found
    tables.facts("balls")["classes"] = []
    text = " ".join(page.render(Path(), tables, [], Path()).split())
    # pytest would compare a page of this length letter by letter
    assert [text.count(said) for said in ("Claims: .", "Of 0 tests", "classes: none;")] == [0, 0, 1]


def test_a_floor_of_all_classes_is_not_called_one_of_the_target() -> None:
    tables = with_every_class(synthetic.tables())
    rows = tables.results
    rows.drop(rows.index[rows.setup == "floor"], inplace=True)
    assert "floor: none (fewer than 256 held-out images)." in summary(tables)


def test_page_shows_who_wins_and_what_is_not_distinguishable(tmp_path) -> None:
    tables = synthetic.tables()
    level(EMA9, "cfd_judge", 3.0)(tables)
    text = page.render(tmp_path, tables, [], tmp_path)
    assert "Who wins" in text
    assert f"Not distinguishable from the best of all: <code>{EMA9}</code>" in text
    for setup in ("noise_trained/raw", "clean/raw", "clean/x0", EMA9, EMA99, ADAM):
        diverge(tables, setup, 1.0, "selection", "evaluation")
    text = page.render(tmp_path, tables, [], tmp_path)
    assert "<h3>Who wins" not in text
    assert "Broken, so in no ranking" in text
