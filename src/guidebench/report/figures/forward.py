"""Figures along the forward process (nrCG, figures 1 to 4) and of the trainings."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from guidebench.report.claims.intervals import proportions
from guidebench.report.figures import theme
from guidebench.report.tables import Tables

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Curve = tuple[str, str, str]
PLAIN: list[Curve] = [
    ("clean", "raw", "none"),
    ("clean", "x0", "none"),
    ("noise_trained", "raw", "none"),
]
SMOOTH = 25


def setup(curve: Curve) -> str:
    """`clean/x0+ema0.9` of (classifier, input, stabilizer)."""
    classifier, source, stabilizer = curve
    return f"{classifier}/{source}" + ("" if stabilizer == "none" else f"+{stabilizer}")


def stabilizers(tables: Tables, dataset: str) -> list[str]:
    """The stabilisers of clean/x0 that were measured, in a fixed order."""
    table = tables.sensitivity
    keep = (table.dataset == dataset) & (table.classifier == "clean") & (table.input == "x0")
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


def accuracy(tables: Tables, dataset: str) -> Figure:
    """Accuracy on x_t (or x0_pred) against t with the chance line (figure 1)."""
    drawn, axes = theme.figure()
    chance = tables.facts(dataset)["chance"]
    n = 0
    for curve in PLAIN:
        rows = tables.along(dataset, "accuracy", *curve)
        if rows.empty:
            continue
        n = int(rows.n.max())
        look = theme.style(setup(curve))
        low, high = proportions(rows["mean"], rows.n)
        axes.fill_between(rows.t, low, high, color=look.color, alpha=0.15, linewidth=0)
        axes.plot(
            rows.t,
            rows["mean"],
            color=look.color,
            marker=look.marker,
            markersize=4,
            label=theme.title(setup(curve)),
        )
    axes.axhline(chance, color="#333333", linestyle=":", label=f"chance ({chance:.2f})")
    axes.axvline(
        0.45 * tables.facts(dataset)["timesteps"],
        color="#bbbbbb",
        linewidth=1,
        label="0.45 T (claim 1)",
    )
    _axis(axes, tables, dataset)
    axes.set_ylim(0, 1.02)
    axes.set_ylabel("accuracy")
    axes.set_title(f"{dataset}: accuracy on noisy images, n = {n} per point")
    theme.legend(axes)
    return drawn


def band(mean: np.ndarray, sd: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The pair mean / s, mean * s with log s = sqrt(log(1 + (sd/mean)^2)): one sd of a log-normal.

    The band mean +- sd would go through zero, which a log scale cannot show.
    """
    factor = np.exp(np.sqrt(np.log1p((sd / mean) ** 2)))
    return mean / factor, mean * factor


def _curves(axes: Any, tables: Tables, dataset: str, quantity: str, curves: list[Curve]) -> int:
    """Draw mean and band of each curve on a log axis; the number of images."""
    n = 0
    for curve in curves:
        rows = tables.along(dataset, quantity, *curve)
        rows = rows[rows["mean"] > 0]
        if rows.empty:
            continue
        n = int(rows.n.max())
        look = theme.style(setup(curve), curves.index(curve))
        low, high = band(rows["mean"].to_numpy(), rows.sd.fillna(0).to_numpy())
        axes.fill_between(rows.t, low, high, color=look.color, alpha=0.12, linewidth=0)
        axes.plot(
            rows.t,
            rows["mean"],
            color=look.color,
            linestyle=look.line,
            label=theme.title(setup(curve)),
        )
        axes.set_yscale("log")
    _axis(axes, tables, dataset)
    return n


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
    for curve in curves:
        rows = tables.along(dataset, "grad_cosine", *curve)
        look = theme.style(setup(curve), curves.index(curve))
        left.plot(rows.t, rows["mean"], color=look.color, linestyle=look.line)
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
    n = 0
    for name in ("clean", "noise_trained"):
        rows = tables.along(dataset, "implicit_cosine", name, "raw")
        if rows.empty:
            continue
        n = int(rows.n.max())
        look = theme.style(name)
        half = 1.96 * rows.sd / n**0.5
        axes.fill_between(
            rows.t,
            rows["mean"] - half,
            rows["mean"] + half,
            color=look.color,
            alpha=0.15,
            linewidth=0,
        )
        axes.plot(rows.t, rows["mean"], color=look.color, label=theme.WORDS[name])
    axes.axhline(0, color="#333333", linestyle=":", label="unrelated directions")
    _axis(axes, tables, dataset)
    axes.set_ylabel("cosine")
    axes.set_title(f"{dataset}: trained against implicit classifier's gradient, n = {n} images")
    theme.legend(axes)
    return drawn


def loss(tables: Tables, dataset: str) -> Figure:
    """Training losses of the denoiser and of the classifiers against the step, log scale."""
    drawn, panels = theme.figure(8.6, 3.4, columns=2)
    for axes, models in zip(panels, (["denoiser"], _classifiers(tables, dataset)), strict=True):
        curves = list(_losses(tables, dataset, models))
        if not curves:  # no classifiers, or a denoiser that somebody else trained
            axes.text(0.5, 0.5, "none trained", ha="center", transform=axes.transAxes)
        for label, rows in curves:
            look = theme.style(label)
            smooth = rows.value.rolling(SMOOTH, min_periods=1, center=True).mean()
            axes.plot(rows.step, rows.value, color=look.color, alpha=0.25, linewidth=0.7)
            axes.plot(rows.step, smooth, color=look.color, label=theme.title(label))
            axes.set_yscale("log")
        axes.set_xlabel("training step")
        axes.set_ylabel("loss (log scale)")
        axes.set_title(f"{dataset}: {'denoiser' if models == ['denoiser'] else 'classifiers'}")
    if panels[1].get_legend_handles_labels()[0]:
        panels[1].legend(fontsize=9)
    return drawn


def _classifiers(tables: Tables, dataset: str) -> list[str]:
    table = tables.history
    return sorted(set(table.model[table.dataset == dataset]) - {"denoiser"})


def _losses(tables: Tables, dataset: str, models: list[str]) -> Iterator[tuple[str, Any]]:
    table = tables.history
    for model in models:
        keep = (table.dataset == dataset) & (table.model == model) & (table.quantity == "loss")
        rows = table[keep & (table.value > 0)].sort_values("step")
        if not rows.empty:
            yield model, rows
