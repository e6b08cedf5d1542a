"""The report of one experiment: one HTML file that needs nothing outside itself."""

from __future__ import annotations

import base64
import os
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from guidebench.base.units import duration
from guidebench.report import chosen, outcome
from guidebench.report.claims.verdicts import FAILS, HOLDS, UNDECIDED, UNMEASURED
from guidebench.report.figures import paper_sheets, sheets, theme
from guidebench.report.pages import (
    against_paper,
    captions,
    compat,
    compat_forward,
    drift,
    few_steps,
    rankings,
    summary,
    truth,
    truth_captions,
    winners,
)
from guidebench.report.paper import GENERATIONS, published
from guidebench.report.tables import BROKEN, Tables
from guidebench.report.words import lines, number, plural

MIME = {".svg": "image/svg+xml", ".png": "image/png", ".gif": "image/gif"}
VERDICTS = {HOLDS: "holds", FAILS: "fails", UNDECIDED: "undecided", UNMEASURED: "missing"}


def render(root: Path, tables: Tables, findings: list[dict[str, Any]], figures: Path) -> str:
    """The report as HTML: pictures and style inlined, no request leaves the page.

    Links lead to the pictures' files, as they lie from `root`, where the page is.

    `root` is `results/<name>`; `figures` holds `<data set>/*.svg|png` of `drawing.draw` and
    `sheets.draw`, and `costs.svg`. A picture that is not there is left out.
    """
    environment = templates(root)
    page: str = environment.get_template("page.html.j2").render(
        summary=tables.summary,
        date=_date(root),
        verdicts=VERDICTS,
        counts=Counter(finding["verdict"] for finding in findings),
        findings={name: [f for f in findings if f["dataset"] == name] for name in tables.datasets},
        best=[summary.of(tables, name, findings, list(VERDICTS)) for name in tables.datasets],
        setups={name: theme.title(name) for name in _setups(tables)},
        adversarial=any(
            "adversarial" in tables.facts(name)["trained"].values() for name in tables.datasets
        ),
        same=f"{winners.SAME:g}",
        broken=f"{100 * BROKEN:g}",
        inception=any(tables.has(dataset, "fid") for dataset in tables.datasets),
        datasets=[_dataset(tables, dataset, figures / dataset) for dataset in tables.datasets],
        worlds=[_world(tables, world, figures / world) for world in tables.worlds],
        costs=_picture(figures, "costs", captions.COSTS),
        stage_cost=rankings.stage_cost(tables),
        total=duration(float(tables.costs.seconds.sum())),
    )
    return page


def templates(root: Path = Path()) -> Any:
    """The jinja2 environment of this folder's templates; undefined names are errors.

    Links to files are those of a page in `root`.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    folder = Path(__file__).parent
    environment = Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"number": number, "lines": lines}
    environment.filters["link"] = lambda path: quote(os.path.relpath(path, root))
    environment.globals |= {"plural": plural, "style": (folder / "style.css").read_text()}
    environment.globals["pieces"] = "pieces.html.j2"
    return environment


def inline(path: Path) -> str:
    """A picture file as a data URI."""
    return f"data:{MIME[path.suffix]};base64,{base64.b64encode(path.read_bytes()).decode()}"


def _date(root: Path) -> str:
    """When the experiment's tables were written."""
    path = root / "tables" / "summary.json"
    if not path.exists():
        return "not recorded"
    return f"{datetime.fromtimestamp(path.stat().st_mtime, UTC):%Y-%m-%d %H:%M} UTC"


def _setups(tables: Tables) -> list[str]:
    names = [name for dataset in tables.datasets for name in tables.guided(dataset)]
    return list(dict.fromkeys(names))


def _picture(folder: Path, stem: str, caption: captions.Caption) -> dict[str, Any] | None:
    """A picture with its caption, and the files that have it or what is behind it."""
    files = [folder / f"{stem}{suffix}" for suffix in (*MIME, ".csv")]
    files = [path for path in files if path.exists()]
    if not files:
        return None
    return {"stem": stem, "uri": inline(files[0]), "files": files} | caption._asdict()


def pictures(folder: Path, captioned: dict[str, captions.Caption]) -> list[dict[str, Any]]:
    """Those of a folder's pictures that are there, each with its caption."""
    found = (_picture(folder, stem, caption) for stem, caption in captioned.items())
    return [picture for picture in found if picture]


def _world(tables: Tables, world: str, folder: Path) -> dict[str, Any]:
    """Everything that the page shows of one world."""
    return {
        "name": world,
        "facts": tables.summary["worlds"][world],
        "pictures": pictures(folder, truth_captions.TRUTH),
        "bias": truth.bias(tables, world),
        "every_sampler": truth.every_sampler(tables, world),
        "gradients": truth.gradients(tables, world),
    }


def _cells(tables: Tables, dataset: str, folder: Path) -> list[dict[str, Any]]:
    """The sheets of all cells."""
    captioned = {}
    for setup, entry in tables.facts(dataset)["setups"].items():
        for scale in [f"{scale:g}" for scale in entry["scales"]] or ["none"]:
            text = "" if scale == "none" else f", {scale}"
            title = captions.Caption(f"{theme.title(setup)}{text}", "")
            captioned[sheets.cell_name(setup, scale)] = title
    return pictures(folder, captioned)


def _generations(tables: Tables, dataset: str, folder: Path) -> list[dict[str, Any]]:
    """Figure 9: the first generations of the cells that tables 1 to 3 show."""
    shown = min(GENERATIONS, tables.facts(dataset)["n"])
    captioned = {}
    for cell in chosen.beside(tables, dataset):
        title = theme.title(cell.setup) + ("" if cell.scale is None else f", {cell.scale:g}")
        captioned[paper_sheets.generations_name(cell)] = captions.generations(title, shown)
    return pictures(folder, captioned)


def _compared(tables: Tables, dataset: str, folder: Path) -> list[dict[str, Any]]:
    """Figures across setups, the correlations in their captions."""
    found = {
        metric: str(outcome.correlation(tables, dataset, metric) or "none (all alike)")
        for metric in outcome.metrics(tables, dataset)
    }
    setups = len(outcome.points(tables, dataset))
    return pictures(folder, captions.compared(found, setups))


def _dataset(tables: Tables, dataset: str, folder: Path) -> dict[str, Any]:
    """Everything that the page shows of one data set."""
    scales = {
        sheets.scales_name(setup): captions.Caption(theme.title(setup), "")
        for setup in tables.guided(dataset)
    }
    return {
        "name": dataset,
        "facts": tables.facts(dataset),
        "data": pictures(folder, captions.DATA),
        "forward": pictures(folder, captions.FORWARD),
        "guided": pictures(folder, captions.guided(tables.summary)),
        "compared": _compared(tables, dataset, folder),
        "evaluations": pictures(folder, captions.EVALUATIONS),
        "few_steps": few_steps.table(tables, dataset),
        "paper": pictures(folder, captions.PAPER),
        "against_paper": against_paper.table(tables, dataset),
        "settings": against_paper.settings(tables, dataset),
        "published": published(tables.facts(dataset)),
        "generations": _generations(tables, dataset, folder),
        "samples": pictures(folder, captions.SAMPLES),
        "scales": pictures(folder, scales),
        "cells": _cells(tables, dataset, folder),
        "drifted": pictures(folder, captions.DRIFT),
        "drift": drift.table(tables, dataset),
        "training": pictures(folder, captions.TRAINING),
        "winners": winners.table(tables, dataset),
        "warnings": winners.warnings(tables, dataset),
        "best": rankings.best_setups(tables, dataset),
        "compat": compat.reverse(tables, dataset),
        "compat_forward": compat_forward.forward(tables, dataset),
        "compat_references": compat.references(tables, dataset),
        "compat_data": compat.data(tables, dataset),
        "cost": rankings.sampling_cost(tables, dataset),
        "classifiers": rankings.classifiers(tables, dataset),
    }
