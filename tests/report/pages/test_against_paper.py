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
        "timesteps": paper.timesteps,
        "rescaled": False,
        "steps": paper.timesteps,
        "denoiser_parameters": paper.parameters,
        "epochs": 1000.0004,
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
    made = (
        "32 pixels, the paper's 64; 4,000 training images, the paper's 80,000 or more; "
        "ddpm_linear, T = 100, betas times 1000 / T, the paper's ddpm_linear, T = 400, betas as "
        "they are; 50 sampling steps, the paper's 400; denoiser of 262,531 parameters, the "
        f"paper's 22.41 million; n = 256, the paper's 50,176; {balls}"
    )
    assert rows[0][6] == f"no: {made}; rated by a small_cnn, the paper's is a mobilenet_v3_small"
    assert rows[5][6] == (
        f"no: at scale 100, the paper's 15; {made}; guided by a small_cnn, the paper's is a "
        "mobilenet_v3_small; features of the judge (small_cnn), the paper's are Inception-v3's: "
        "this is no FID; the paper's is not corrected for the bias of its n; from 2000 training "
        "images; the paper's code draws 50,176 of all with replacement"
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
        ({"train": 500}, "500 training images, the paper's 160,000 or more"),
        (
            {"timesteps": 1000},
            "ddpm_linear, T = 1000, betas as they are, the paper's ddpm_linear, T = 400, betas as "
            "they are",
        ),
        (
            {"rescaled": True},
            "ddpm_linear, T = 400, betas times 1000 / T, the paper's ddpm_linear, T = 400, betas "
            "as they are",
        ),
        (
            {"schedule": "vp_cosine"},
            "vp_cosine, T = 400, the paper's ddpm_linear, T = 400, betas as they are",
        ),
        ({"steps": 5}, "5 sampling steps, the paper's 400"),
        ({"sampler": "ddim"}, "sampler ddim, the paper's ancestral"),
        (
            {"denoiser_parameters": 262_531},
            "denoiser of 262,531 parameters, the paper's 22.41 million",
        ),
        ({"epochs": 0.53}, "denoiser trained for 0.5 epochs, the paper's trained for 1,000 epochs"),
        (
            {"denoiser_trained": False},
            "denoiser read from a checkpoint, the paper's trained for 1,000 epochs",
        ),
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


def test_fewer_samples_than_the_papers_keep_an_accuracy_apart() -> None:
    tables = of(PAPER[0])
    tables = dataclasses.replace(tables, results=tables.results.assign(n=1024))
    (found,) = {row[6] for row in cells(tables) if row[0].startswith("accuracy")}
    assert found == "no: n = 1,024, the paper's 50,176"


def test_a_setups_own_steps_and_keys_keep_its_row_apart() -> None:
    """Others than its choices of the public code."""
    tables = of(PAPER[0])
    setups = tables.facts("balls")["setups"]
    public = {"clip_gradient": "zero", "per_step": "literal", "paper_compat": ["carried_state"]}
    setups[EMA99]["variant"] = {"steps": 20, "temperature": 2.0} | public
    assert [row[6] for row in cells(tables) if row[0].startswith("accuracy")] == [
        "yes",
        "no: its setup has temperature: 2.0, the paper's has not; 20 sampling steps, the paper's "
        "400",
    ]


def test_an_unguided_accuracy_is_by_a_clean_classifier_in_the_paper() -> None:
    tables = of(PAPER[0])
    facts = tables.facts("balls")
    facts["trained"] = {"clean": "adversarial", "noise_trained": "clean"}
    facts["setups"][EMA99]["classifier"] = "noise_trained"
    only = "no: rated by a classifier of kind adversarial, the paper's is clean"
    assert cells(tables)[0][6] == only


def test_the_papers_celebahq_denoiser_is_one_of_published_weights() -> None:
    tables = of(PAPER[2])
    facts = tables.facts("balls")
    trained_here = "denoiser trained for 1,000 epochs, the paper's read from a checkpoint"
    unknown = "that the folder holds CelebA-HQ is not known here"
    assert cells(tables)[0][6] == f"no: {trained_here}; {unknown}"
    facts |= {"denoiser_trained": False, "rescaled": True}  # of T = 1000, times 1
    assert cells(tables)[0][6] == f"no: {unknown}"


def test_another_guide_keeps_a_guided_distance_apart() -> None:
    tables = with_inception(of(PAPER[0]))
    rows = tables.classifiers
    rows.loc[rows.classifier == "clean", "architecture"] = "resnet18"
    fids = [row[6] for row in cells(tables) if row[0].startswith("FID")]
    said = "guided by a resnet18, the paper's is a mobilenet_v3_small"
    assert [said in reasons for reasons in fids] == [False, True]


def test_a_drawn_reference_is_named_and_must_be_of_all_images() -> None:
    tables = of(PAPER[0])
    plain = cells(tables)[2]
    frames = {}
    for name in ("results", "jackknife"):
        rows = getattr(tables, name)
        own = rows[rows.metric.isin(["fd_judge", "cfd_judge"])]
        own = own.assign(metric=own.metric + "+drawn_reference", value=own.value + 5)
        frames[name] = pd.concat([rows, own], ignore_index=True)
    drawn = frames["results"].metric.str.contains("cfd_judge.drawn", regex=True)
    half = f"{PAPER[0].n} draws of target-class training images, unseen by the judge"
    frames["results"].loc[drawn, "reference"] = half
    tables = dataclasses.replace(tables, **frames)
    rows = cells(tables)
    assert [row[2] for row in rows[:3]] == [
        "accuracy_guide of unguided",
        "fd_judge of unguided, reference drawn as in the public code",
        "cfd_judge of unguided, reference drawn as in the public code",
    ]
    assert plain[2:4] == ["cfd_judge of unguided", "40.0\u00a0±\u00a00.8"]
    assert rows[2][3] == "45.0\u00a0±\u00a00.8"
    assert "draws of" not in rows[1][6]
    assert f"; from {half}; the paper's code draws 50,176 of all with replacement" in rows[2][6]


@pytest.mark.parametrize("widths", [[9, 12, 16, 19, 22, 25], list(range(9, 26))])
def test_the_papers_own_diameters_are_no_difference(widths: list[int]) -> None:
    data = {"source": "sportballs", "size": 64, "diameters": widths}
    assert unlike({"data": data, "paper_compat": []}) == (
        "our own balls, place and turn independent of the class: the paper's code draws all from "
        "one reseeded generator"
    )
    assert unlike({"data": data, "paper_compat": ["one_draw"]}) == "our own balls"


def test_other_diameters_are_said_beside_the_papers() -> None:
    data = {"source": "sportballs", "size": 32, "diameters": [5, 12]}
    assert unlike({"data": data, "paper_compat": ["one_draw"]}) == (
        "our own balls, 5 to 12 of 32 pixels wide: the paper's are 9 to 25 of 64 pixels wide"
    )
    # as many pixels of a larger picture are another width
    larger = unlike({"data": data | {"size": 128, "diameters": [9, 25]}, "paper_compat": []})
    assert larger.startswith("our own balls, 9 to 25 of 128 pixels wide, place")
    assert larger.endswith(", 9 to 25 of 64 pixels wide")


def test_what_a_folder_holds_is_not_known() -> None:
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


def test_a_broken_cell_is_called_so_and_not_comparable() -> None:
    tables = of(PAPER[0])
    diverge(tables, "unguided", 0.4, "evaluation")
    row = cells(tables)[0]
    assert row[2] == "accuracy_guide of unguided (broken)"
    assert row[6] == "no: broken: 40 % of its images diverged"


def test_the_settings_stand_side_by_side() -> None:
    rows = {
        row["cells"][0]: row["cells"][1:]
        for row in against_paper.settings(synthetic.tables(), "balls")["rows"]
    }
    assert rows["training images"] == ["80,000 or more", "4,000"]
    assert rows["samples"] == ["50,176", "256"]
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
    assert "see one half of the training images" in text
    tables.facts("balls")["data"]["source"] = "mnist"
    text = page.render(Path(), tables, [], Path())
    assert "numbers against ours" not in text
    assert against_paper.table(tables, "balls")["rows"] == []
    assert against_paper.settings(tables, "balls")["rows"] == []
