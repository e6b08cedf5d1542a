"""Figures along the forward process (nrCG, figures 1 to 4) and of the trainings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

import pandas as pd

from guidebench.report.figures import rows, theme
from guidebench.report.figures.rows import CURVE, Curve
from guidebench.report.tables import Tables

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PLAIN: list[Curve] = [
    ("clean", "raw", "none"),
    ("clean", "x0", "none"),
    ("noise_trained", "raw", "none"),
    ("adversarial", "raw", "none"),
    ("adversarial", "x0", "none"),
]
ACCURACY: list[Curve] = [*PLAIN, ("noise_trained", "x0", "none")]
IMPLICIT: list[Curve] = [(name, "raw", "none") for name in theme.WORDS]
SMOOTH = 25


def setup(curve: Curve) -> str:
    """`clean/x0+ema0.9` of (kind, input, stabilizer)."""
    kind, source, stabilizer = curve
    return f"{kind}/{source}" + ("" if stabilizer == "none" else f"+{stabilizer}")


def stabilizers(tables: Tables, dataset: str) -> list[str]:
    """The stabilisers of clean/x0 that were measured, in a fixed order."""
    table = tables.sensitivity
    clean = rows.classifiers(tables, dataset, "clean")
    keep = (table.dataset == dataset) & table.classifier.isin(clean) & (table.input == "x0")
    names = sorted(set(table.stabilizer[keep]) - {"none"})
    order = ["ema0.9", "ema0.99", "adam"]
    names.sort(key=lambda name: (order.index(name) if name in order else len(order), name))
    return names


def stabilised(tables: Tables, dataset: str) -> list[Curve]:
    """The plain curves and those of every stabiliser."""
    return [*PLAIN, *(("clean", "x0", name) for name in stabilizers(tables, dataset))]


def _axis(axes: Any, tables: Tables, dataset: str) -> None:
    total = tables.facts(dataset)["timesteps"]
    axes.set_xlabel(f"diffusion time t (0 clean ... {total - 1} noise)")
    axes.set_xlim(0, total - 1)


def _by_curve(table: pd.DataFrame) -> list[tuple[Curve, pd.DataFrame]]:
    """The rows of each curve, in their order."""
    groups = table.groupby(CURVE, sort=False)
    return [(cast(Curve, key), own) for key, own in groups]


def accuracy(tables: Tables, dataset: str) -> Figure:
    """Accuracy on x_t (or x0_pred) against t with the chance line (figure 1)."""
    drawn, axes = theme.figure()
    chance = tables.facts(dataset)["chance"]
    table = rows.along(tables, dataset, "accuracy", ACCURACY)
    for curve, own in _by_curve(table):
        look = theme.style(setup(curve))
        axes.fill_between(own.t, own.low, own.high, color=look.color, alpha=0.15, linewidth=0)
        title = theme.title(setup(curve))
        axes.plot(own.t, own["mean"], **look.marked, markersize=4, label=title)
    axes.axhline(chance, color="#333333", linestyle=":", label=f"chance ({chance:.2f})")
    early = 0.45 * tables.facts(dataset)["timesteps"]
    axes.axvline(early, color="#bbbbbb", linewidth=1, label="0.45 T (claim 1)")
    _axis(axes, tables, dataset)
    axes.set_ylim(0, 1.02)
    axes.set_ylabel("accuracy")
    axes.set_title(f"{dataset}: accuracy on noisy images, n = {_images(table)} per point")
    theme.legend(axes)
    return drawn


def _images(table: pd.DataFrame) -> int:
    """Images behind each point."""
    return int(table.n.max()) if len(table) else 0


def _curves(axes: Any, tables: Tables, dataset: str, quantity: str, curves: Sequence[Curve]) -> int:
    """Draw mean and band of each curve on a log axis; the number of images."""
    table = rows.along(tables, dataset, quantity, curves)
    for curve, own in _by_curve(table):
        look = theme.style(setup(curve), curves.index(curve))
        axes.fill_between(own.t, own.low, own.high, color=look.color, alpha=0.12, linewidth=0)
        axes.plot(own.t, own["mean"], **look.stroke, label=theme.title(setup(curve)))
        axes.set_yscale("log")
    _axis(axes, tables, dataset)
    return _images(table)


def sensitivity(tables: Tables, dataset: str, quantity: str, curves: list[Curve]) -> Figure:
    """A sensitivity against t, log scale, mean and one sd (figures 2, 3 and 4)."""
    drawn, axes = theme.figure()
    n = _curves(axes, tables, dataset, quantity, curves)
    word = {"logit_sensitivity": "logit", "grad_sensitivity": "gradient"}[quantity]
    axes.set_ylabel(f"{word} sensitivity (log scale)")
    axes.set_title(f"{dataset}: {word} sensitivity, mean and sd of n = {n} images")
    if n:
        theme.legend(axes)
    return drawn


def gradient_checks(tables: Tables, dataset: str) -> Figure:
    """Cosine of neighbouring gradients, and the size of the stabilised update, against t."""
    drawn, (left, right) = theme.figure(8.6, 3.6, columns=2)
    curves = stabilised(tables, dataset)
    for curve, own in _by_curve(rows.along(tables, dataset, "grad_cosine", curves)):
        look = theme.style(setup(curve), curves.index(curve))
        left.plot(own.t, own["mean"], **look.stroke)
    _axis(left, tables, dataset)
    left.set_ylabel("cosine of g(x_t) and g(x_t-1)")
    _curves(right, tables, dataset, "update_norm", curves)
    right.set_ylabel("norm of the update (log scale)")
    drawn.get_layout_engine().set(wspace=0.06)  # type: ignore[union-attr,call-arg]
    drawn.suptitle(f"{dataset}: direction and size of the guidance vector", fontsize=10.5)
    handles, labels = right.get_legend_handles_labels()
    drawn.legend(handles, labels, loc="outside lower center", ncols=2, fontsize=9)
    return drawn


def implicit(tables: Tables, dataset: str) -> Figure:
    """Cosine of each classifier's gradient with the conditional denoiser's implicit one."""
    drawn, axes = theme.figure()
    table = rows.along(tables, dataset, "implicit_cosine", IMPLICIT)
    for (name, *_), own in _by_curve(table):
        look = theme.style(name)
        axes.fill_between(own.t, own.low, own.high, color=look.color, alpha=0.15, linewidth=0)
        axes.plot(own.t, own["mean"], color=look.color, label=theme.WORDS[name])
    axes.axhline(0, color="#333333", linestyle=":", label="unrelated directions")
    _axis(axes, tables, dataset)
    axes.set_ylabel("cosine")
    axes.set_title(
        f"{dataset}: trained against implicit classifier's gradient, n = {_images(table)} images"
    )
    theme.legend(axes)
    return drawn


def loss(tables: Tables, dataset: str) -> Figure:
    """Training losses of the denoiser and of the classifiers against the step, log scale."""
    drawn, panels = theme.figure(8.6, 3.4, columns=2)
    table = rows.losses(tables, dataset)
    of_denoiser = table.model == "denoiser"
    for axes, models, title in zip(
        panels, (table[of_denoiser], table[~of_denoiser]), ("denoiser", "classifiers"), strict=True
    ):
        if models.empty:  # no classifiers, or somebody else trained them
            axes.text(0.5, 0.5, "none trained", ha="center", transform=axes.transAxes)
        for name, own in models.groupby("model"):
            look = theme.style(str(name))
            smooth = own.value.rolling(SMOOTH, min_periods=1, center=True).mean()
            axes.plot(own.step, own.value, color=look.color, alpha=0.25, linewidth=0.7)
            axes.plot(own.step, smooth, color=look.color, label=theme.title(str(name)))
            axes.set_yscale("log")
        axes.set_xlabel("training step")
        axes.set_ylabel("loss (log scale)")
        axes.set_title(f"{dataset}: {title}")
    if panels[1].get_legend_handles_labels()[0]:
        panels[1].legend(fontsize=9)
    return drawn
