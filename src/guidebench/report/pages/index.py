"""The page that leads to every experiment's report."""

from typing import Any

from guidebench.report.pages.page import VERDICTS, templates


def render(experiments: list[dict[str, Any]]) -> str:
    """`results/index.html`: one row per experiment, sorted by name.

    Each has `name`, `description`, `report_path` (relative to the index) and `findings`, a dict
    verdict -> count.
    """
    rows = sorted(experiments, key=lambda experiment: str(experiment["name"]))
    template = templates().get_template("index.html.j2")
    return str(template.render(experiments=rows, verdicts=VERDICTS))
