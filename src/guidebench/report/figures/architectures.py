"""The figure that compares guiding classifiers of different architectures."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any

import pandas as pd

from guidebench.report.chosen import winner
from guidebench.report.claims.intervals import proportions
from guidebench.report.figures import rows as tidy
from guidebench.report.figures import theme
from guidebench.report.figures.sampling import bars, value_axis
from guidebench.report.metrics import metrics
from guidebench.report.tables import Tables

if TYPE_CHECKING:
    from matplotlib.figure import Figure

INPUTS = {"raw": ("o", "-"), "x0": ("s", "--")}  # marker and line
JUDGED = "accuracy_judge"
COLUMNS = ["classifier", "architecture", "input", "setup", "scale", "metric", "t"]


def guides(tables: Tables, dataset: str) -> dict[str, str]:
    """Architectures of the classifiers that may guide, by name."""
    table = tables.classifiers[tables.classifiers.dataset == dataset]
    named = dict(zip(table.classifier, table.architecture, strict=True))
    return {name: architecture for name, architecture in named.items() if name != "judge"}


def rows(tables: Tables, dataset: str) -> pd.DataFrame:
    """COLUMNS, value, low, high and n: accuracy along t, then what guidance reaches.

    The latter of each classifier and input at the setup and scale that are best on selection seeds.
    `low` and `high` are ends of 95 % intervals.
    """
    distance = tables.distance(dataset, "cfd")
    reached = {name: tidy.against_scale(tables, dataset, name) for name in (distance, JUDGED)}
    parts = []
    for classifier, architecture in guides(tables, dataset).items():
        for source in INPUTS:
            named = {"classifier": classifier, "architecture": architecture, "input": source}
            along = tables.along(dataset, "accuracy", classifier, source)
            if len(along):
                low, high = proportions(along["mean"], along.n)
                parts.append(
                    along.rename(columns={"mean": "value"}).assign(
                        metric="accuracy", low=low, high=high, **named
                    )
                )
            if won := winner(tables, dataset, classifier, source):
                parts += [
                    table[(table.setup == won[0].setup) & (table.scale == won[0].scale)].assign(
                        **named
                    )
                    for table in reached.values()
                ]
    columns = [*COLUMNS, "value", "low", "high", "n"]
    return pd.concat(parts, ignore_index=True).reindex(columns=columns)


def compared(tables: Tables, dataset: str) -> Figure:
    """Accuracy against t, and the best distance and judge's accuracy, by classifier and input."""
    table = rows(tables, dataset)
    drawn, (left, *right) = theme.figure(12.6, 4.6, columns=3)
    named = guides(tables, dataset)
    colors = {name: theme.style(name, place).color for place, name in enumerate(named)}
    for classifier, (source, (_, line)) in product(named, INPUTS.items()):
        own = table[(table.classifier == classifier) & (table.input == source)]
        own = own[own.metric == "accuracy"]
        name = f"{classifier} ({named[classifier]}), {source}"
        if len(own):
            left.plot(own.t, own.value, color=colors[classifier], linestyle=line, label=name)
    total, chance = (tables.facts(dataset)[key] for key in ("timesteps", "chance"))
    left.axhline(chance, color="#333333", linestyle=":", label=f"chance ({chance:.2f})")
    left.set(xlim=(0, total - 1), ylim=(0, 1.02), ylabel="accuracy")
    left.set_xlabel(f"diffusion time t (0 clean ... {total - 1} noise)")
    for axes, metric in zip(right, (tables.distance(dataset, "cfd"), JUDGED), strict=True):
        own = table[table.metric == metric]
        _reached(axes, own, colors)
        value_axis(axes, metrics(tables.summary)[metric], own)
        axes.set_xticks(range(len(named)), list(named), rotation=30, ha="right")
        axes.set_xlim(-0.5, len(named) - 0.5)
    drawn.suptitle(f"{dataset}: classifiers of several architectures", fontsize=10.5)
    handles, labels = left.get_legend_handles_labels()
    drawn.legend(handles, labels, loc="outside lower center", ncols=4, fontsize=8)
    return drawn


def _reached(axes: Any, table: pd.DataFrame, colors: dict[str, str]) -> None:
    """A point with its interval for each classifier and input: circles x_t, squares x0_pred."""
    for place, (classifier, color) in enumerate(colors.items()):
        for aside, (source, (marker, _)) in zip((-0.12, 0.12), INPUTS.items(), strict=True):
            own = table[(table.classifier == classifier) & (table.input == source)]
            axes.errorbar(
                [place + aside] * len(own),
                own.value,
                yerr=bars(own),
                color=color,
                marker=marker,
                linestyle="",
                capsize=2.5,
                elinewidth=1,
            )
