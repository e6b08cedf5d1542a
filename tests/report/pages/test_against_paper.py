"""The paper's numbers against ours: the right pairs, and never one without what keeps it apart."""

import dataclasses
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import synthetic_tables as synthetic
from table_edits import ADAM, EMA99, diverge, level

from guidebench.base.choices import side, target_name
from guidebench.pipeline.experiment.reading import load
from guidebench.report.pages import against_paper, page
from guidebench.report.paper import PAPER, Published, published, unlike
from guidebench.report.tables import Tables
from guidebench.stages.summary import IMAGES


def of(paper: Published) -> Tables:
    """Tables of an experiment that is the paper's in all that a config and its results say."""
    tables = synthetic.tables()
    facts = tables.facts("balls")
    setups = facts["setups"]
    setups[EMA99]["scales"][2] = paper.scale
    facts |= {
        "data": {"source": paper.source, "size": paper.size, "crop": "squash"},
        "target": paper.targets[0],
        "classes": [paper.targets[0], "another"],
        "image_size": paper.size,
        "train": paper.train,
        "n": paper.n,
    }
    frames = {}
    for name in ("results", "jackknife"):
        rows = getattr(tables, name)
        at = (rows.setup == EMA99) & (rows.scale == 100)
        frames[name] = rows.assign(scale=rows.scale.mask(at, paper.scale))
    frames["results"] = frames["results"].assign(
        n=paper.n, extractor="clean", reference=f"{paper.n} draws of training images"
    )
    rows = tables.classifiers
    frames["classifiers"] = rows.assign(architecture="mobilenet_v3_small")
    return dataclasses.replace(tables, **frames)


def with_inception(tables: Tables) -> Tables:
    names = {"fd_judge": "fid", "cfd_judge": "cfid"}
    frames = {}
    for name in ("results", "jackknife"):
        rows = getattr(tables, name)
        own = rows[rows.metric.isin(names)]
        frames[name] = pd.concat([rows, own.assign(metric=own.metric.map(names))])
    frames["results"] = frames["results"].assign(features=2048, reference_n=160_000)
    return dataclasses.replace(tables, **frames)


def cells(tables: Tables) -> list[list[str]]:
    return [row["cells"] for row in against_paper.table(tables, "balls")["rows"]]


def test_the_papers_numbers() -> None:
    """Tables 1 to 3: accuracy, FID and cFID, unconditional and conditional."""
    assert [(p.name, p.table, *p.unguided, *p.conditional, p.n, p.scale) for p in PAPER] == [
        ("CelebA", 1, 55.67, 17.68, 30.96, 99.99, 29.37, 13.90, 50_176, 150),
        ("SportBalls", 2, 29.63, 54.37, 155.19, 91.05, 69.64, 18.52, 50_176, 15),
        ("CelebA-HQ", 3, 77.1, 45.57, 49.70, 99.02, 50.67, 42.18, 1024, 10),
    ]


@pytest.mark.parametrize(
    ("source", "size", "target", "name"),
    [
        ("sportballs", 32, "baseball", "SportBalls"),
        ("sportballs", 64, "soccer ball", "SportBalls"),
        ("celeba", 64, "Smiling: true", "CelebA"),
        ("folder", 256, "Male: false", "CelebA-HQ"),
        ("folder", 256, "label: false", "CelebA-HQ"),
        ("folder", 64, "Male: false", None),
        ("folder", 256, "Smiling: true", None),
        ("mnist", 28, "3", None),
        ("celeba64:data", 64, "Male: false", None),  # a data set of the user's
    ],
)
def test_which_data_set_of_the_papers_it_is_follows_from_the_config(
    source: str, size: int, target: str, name: str | None
) -> None:
    found = published({"data": {"source": source}, "image_size": size, "target": target})
    assert (found and found.name) == name


@pytest.mark.parametrize(
    ("file", "name"),
    [("celeba64", "CelebA"), ("sportballs64", "SportBalls"), ("celebahq256", "CelebA-HQ")],
)
def test_the_experiments_of_the_paper_are_known_as_such(
    file: str, name: str, repository: Path
) -> None:
    """Those that come with guidebench, with their targets as the configs write them."""
    (dataset,) = load(str(repository / f"workflow/config/{file}.yaml")).datasets.values()
    data = dataset.data.model_dump(mode="json", include=IMAGES)
    facts = {"data": data, "image_size": side(dataset.data)}
    facts["target"] = target_name(dataset)
    found = published(facts)
    assert found
    assert (found.name, facts["image_size"]) == (name, found.size)
    assert facts["target"] in found.targets
    assert found.scale in dataset.setups["clean/x0+ema0.99"].scales


def test_every_pair_says_what_keeps_it_apart() -> None:
    """The synthetic experiment: 32 pixels, 256 samples, a small network, the judge's features."""
    rows = cells(synthetic.tables())
    assert [row[:3] for row in rows] == [
        ["accuracy, %: table 2, unconditional", "29.63", "accuracy_guide of unguided"],
        ["FID: table 2, unconditional", "54.37", "fd_judge of unguided"],
        ["cFID: table 2, unconditional", "155.19", "cfd_judge of unguided"],
        *(
            [
                f"{title}: table 2, conditional, scale 15",
                value,
                f"{metric} of {EMA99} at scale 100 (the paper's setup)",
            ]
            for title, value, metric in (
                ("accuracy, %", "91.05", "accuracy_guide"),
                ("FID", "69.64", "fd_judge"),
                ("cFID", "18.52", "cfd_judge"),
            )
        ),
    ]
    assert rows[5][3:6] == ["3.00\u00a0±\u00a00.06", "256", "judge (small_cnn)"]
    balls = (
        "our own balls, 0.6 to 0.9 of the side wide, place and turn independent of the class: the "
        "paper's code draws all from one reseeded generator, 9 to 25 of 64 pixels wide"
    )
    assert rows[0][6] == (
        f"no: 32 pixels, the paper's 64; {balls}; rated by a small_cnn, the paper's is a "
        "mobilenet_v3_small"
    )
    assert rows[5][6] == (
        f"no: at scale 100, the paper's 15; 32 pixels, the paper's 64; {balls}; features of the "
        "judge (small_cnn), the paper's are Inception-v3's: this is no FID; n = 256, the paper's "
        "50,176, and it corrects no bias of n; from 2000 training images; the paper's code draws "
        "50,176 of all with replacement; 4,000 training images, the paper's 80,000 or more"
    )


def test_an_accuracy_of_the_same_kind_is_comparable_and_a_fid_is_not_quite() -> None:
    tables = with_inception(of(PAPER[0]))
    rows = cells(tables)
    assert [row[6] for row in rows if row[0].startswith("accuracy")] == ["yes", "yes"]
    fids = [row for row in rows if "FID" in row[0]]
    assert [row[2].partition(" of ")[0] for row in fids] == ["fid", "cfid"] * 2
    assert {row[5] for row in fids} == {"Inception-v3 (2015-12-05)"}
    only = "no: the paper's code takes torcheval's Inception-v3, whose weights are others"
    assert {row[6] for row in fids} == {only}
    whole = dataclasses.replace(tables, results=tables.results.assign(reference="9 images"))
    wanted = f"{only}; from 9 images; the paper's code draws 50,176 of all with replacement"
    assert {row[6] for row in cells(whole) if "FID" in row[0]} == {wanted}
    corrected = dataclasses.replace(tables, results=tables.results.assign(raw=99.0))
    wanted = f"{only}; corrected for the bias of n: hold the paper's against the raw value"
    assert {row[6] for row in cells(corrected) if "FID" in row[0]} == {wanted}


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        ({"image_size": 32}, "32 pixels, the paper's 64"),
        ({"target": "Smiling: true"}, "target Smiling: true, the paper's Male: false"),
        (
            {"data": {"source": "celeba", "crop": None}},
            "faces cut to a central square as large as it fits: the paper's code presses 178 x 218 "
            "pixels into a square (its text does not say)",
        ),
    ],
)
def test_each_difference_alone_keeps_an_accuracy_apart(edit: dict[str, Any], reason: str) -> None:
    tables = of(PAPER[0])
    tables.facts("balls").update(edit)
    assert {row[6] for row in cells(tables) if row[0].startswith("accuracy")} == {f"no: {reason}"}


def test_the_papers_own_diameters_are_said() -> None:
    data = {"source": "sportballs", "size": 64, "diameters": list(range(9, 26))}
    plain = {"data": data, "paper_compat": []}
    assert unlike(plain).startswith("our own balls, 9 to 25 of 64 pixels wide, place")
    drawn_alike = unlike(plain | {"paper_compat": ["one_draw"]})
    assert drawn_alike.startswith("our own balls, 9 to 25 of 64 pixels wide: the paper's are")
    assert "independent" not in drawn_alike
    assert "not known" in unlike({"data": {"source": "folder"}})


def test_a_winner_beside_the_papers_setup_is_compared_too_and_a_gap_is_said() -> None:
    tables = synthetic.tables()
    level(ADAM, "cfd_judge", [9, 9, 1, 9])(tables)
    rows = tables.results
    rows.drop(rows.index[(rows.setup == ADAM) & (rows.metric == "accuracy_guide")], inplace=True)
    found = cells(tables)
    assert [row[2] for row in found[3::3]] == [
        f"accuracy_guide of {ADAM} at scale 0.3",
        f"accuracy_guide of {EMA99} at scale 100 (the paper's setup)",
    ]
    assert found[3][3:] == ["–", "–", "–", "no: not measured"]
    assert found[4][6].startswith("no: another setup than the paper's, clean/x0+ema0.99; 32 pixels")


def test_a_broken_cell_is_called_so() -> None:
    tables = synthetic.tables()
    diverge(tables, "unguided", 1.0, "evaluation")
    assert [row[2] for row in cells(tables)[:1]] == ["accuracy_guide of unguided (broken)"]


def test_the_settings_stand_side_by_side() -> None:
    rows = {
        row["cells"][0]: row["cells"][1:]
        for row in against_paper.settings(synthetic.tables(), "balls")["rows"]
    }
    assert rows["training images"] == ["80,000 or more", "4,000"]
    assert rows["forward process"] == [
        "ddpm_linear, T = 400, betas as they are",
        "ddpm_linear, T = 100, betas times 1000 / T",
    ]
    assert rows["denoiser's parameters"] == ["22.41 million", "262,531"]
    assert rows["guiding classifiers"] == ["mobilenet_v3_small", "small_cnn"]


def test_the_page_has_the_table_where_the_paper_has_one() -> None:
    tables = synthetic.tables()
    text = page.render(Path(), tables, [], Path())
    assert "By its config this data set is the paper's SportBalls (table 2)" in text
    assert text.count("<td>no: ") == 6
    tables.facts("balls")["data"]["source"] = "mnist"
    text = page.render(Path(), tables, [], Path())
    assert "numbers against ours" not in text
    assert against_paper.table(tables, "balls")["rows"] == []
    assert against_paper.settings(tables, "balls")["rows"] == []
