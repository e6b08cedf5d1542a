"""Captions say the counts that the code keeps, and that there may be fewer."""

import pytest

from guidebench.analysis.fields import TIMES
from guidebench.report.figures.embedding import CURVES
from guidebench.report.figures.films import FILMS
from guidebench.report.figures.forward import SMOOTH
from guidebench.report.figures.paper_sheets import FIRST
from guidebench.report.figures.sheets import ROWS
from guidebench.report.pages import captions, page
from guidebench.stages.pictures import EMBEDDED

NAMES = {3: "three", 5: "five", 10: "ten"}


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (NAMES[len(CURVES)] + " times", captions.DATA["time_embedding"].text),
        (f"{EMBEDDED} of them", captions.DATA["time_embedding"].text),
        (f"{SMOOTH} points", captions.TRAINING["loss"].text),
        (NAMES[FIRST], captions.PAPER["sheet_table"].text),
        ("64 of them", captions.DATA["sheet_real"].text),
    ],
)
def test_counts_are_upper_limits(count: str, text: str) -> None:
    assert f"up to {count}" in text


def test_sheets_say_how_many_guides_they_show() -> None:
    assert f"of more guides than {ROWS} those" in captions.SAMPLES["sheet_best"].text
    assert f"of more than {FILMS}." in captions.SAMPLES["sheet_film"].text


def test_the_times_of_a_rotation_are_an_upper_limit() -> None:
    loader = page.templates().loader
    assert loader is not None
    source, _, _ = loader.get_source(page.templates(), "page.html.j2")
    assert f"up to {NAMES[len(TIMES)]} times" in source
