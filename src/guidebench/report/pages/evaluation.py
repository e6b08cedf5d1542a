"""The page of somebody's samples against somebody's data: one HTML file."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from guidebench.report.pages.captions import Caption
from guidebench.report.pages.page import inline, templates

CAPTIONS = {
    "samples": Caption(
        "Samples beside reference images",
        "Some of each: of a cell by seed, of another source at random. Shrunk to 64 pixels where "
        "they are larger.",
    ),
    "closest": Caption(
        "The samples that are nearest to a reference image",
        "Each above that image, by the Euclidean distance in the first extractor's features. A "
        "copy looks the same; typical images are near one without being copies.",
    ),
}


def render(
    facts: Mapping[str, Any],
    tables: Sequence[Mapping[str, Any]],
    pictures: Mapping[str, Path],
    few: str,
) -> str:
    """The page as HTML, pictures and style inlined.

    `facts`: as results.json has them, without its rows; `tables`: of all images, and of single
    classes, as `words.table` makes them; `pictures`: by their names in CAPTIONS; `few`: what the
    mark of a value means.
    """
    page: str = (
        templates()
        .get_template("evaluation.html.j2")
        .render(
            facts=facts,
            rows=tables[0],
            classes=tables[1],
            few=few,
            pictures=[
                {"stem": stem, "uri": inline(path), "files": []} | CAPTIONS[stem]._asdict()
                for stem, path in pictures.items()
            ],
        )
    )
    return page
