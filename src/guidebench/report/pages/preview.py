"""The page of a run that is not done: what there is so far, and nothing that is concluded of it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from guidebench.report import words
from guidebench.report.figures import sheets, theme
from guidebench.report.pages import captions, rankings
from guidebench.report.pages.page import pictures, templates
from guidebench.report.tables import Tables

SAMPLES = {
    "sheet_best": captions.Caption(
        "Unguided, and each guide at its scale so far",
        "Column by column the same seed, so the same start noise. A guide that is sampled in "
        "several ways (sampler, steps) has one row, one without a scale none yet; of more guides "
        f"than {sheets.ROWS} those that are best so far have theirs.",
    ),
}


class Scored(NamedTuple):
    """Which samples of a data set the numbers are of so far."""

    split: str
    n: int
    planned: int  # of the evaluation seeds
    missing: list[str]  # metrics that only the report has


class Count(NamedTuple):
    """Jobs of one stage."""

    done: int
    all: int
    missing: list[str]  # names


def render(
    tables: Tables,
    figures: Path,
    counts: Mapping[str, Count],
    scored: Mapping[str, Scored],
    earlier: bool,
) -> str:
    """The page as HTML, pictures and style inlined.

    `tables`: with the data sets that are prepared, and what there is of each; `figures` as of
    `page.render`; `counts` by stage; `scored` by data set; `earlier`: an earlier run's report is
    there.
    """
    html: str = (
        templates()
        .get_template("preview.html.j2")
        .render(
            summary=tables.summary,
            date=f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC",
            done=sum(count.done for count in counts.values()),
            all=sum(count.all for count in counts.values()),
            stages=_stages(counts),
            scored=scored,
            earlier=earlier,
            datasets=[_dataset(tables, name, figures / name) for name in tables.datasets],
        )
    )
    return html


def _stages(counts: Mapping[str, Count]) -> dict[str, Any]:
    rows = [
        [stage, f"{count.done} of {count.all}", ", ".join(count.missing) or words.MISSING]
        for stage, count in counts.items()
    ]
    return words.table(["stage", "jobs done", "still missing"], rows)


def _dataset(tables: Tables, dataset: str, folder: Path) -> dict[str, Any]:
    """What the page shows of a data set, as far as it is there."""
    scales = {
        sheets.scales_name(setup): captions.Caption(theme.title(setup), "")
        for setup in tables.guided(dataset)
    }
    shown = {
        "guided": captions.guided(tables.summary),
        "samples": SAMPLES,
        "scales": scales,
        "forward": captions.FORWARD,
        "training": captions.TRAINING,
        "data": captions.DATA,
    }
    return {
        "name": dataset,
        "facts": tables.facts(dataset),
        "best": rankings.best_setups(tables, dataset),
        "classifiers": rankings.classifiers(tables, dataset),
    } | {
        # the files that the links of a report lead to are not kept
        key: [picture | {"files": []} for picture in pictures(folder, captioned)]
        for key, captioned in shown.items()
    }
