"""How figures look and are saved: one colour-blind-safe colour per setup, the same bytes always."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from guidebench.pipeline.records.artifacts import atomic

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SETTINGS = {
    "svg.hashsalt": "guidebench",
    "svg.fonttype": "path",
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "axes.titlesize": 10.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e4e4e4",
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
    "lines.linewidth": 1.6,
    "lines.markersize": 5,
    "legend.frameon": False,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "figure.constrained_layout.use": True,
}


class Style(NamedTuple):
    """Colour, marker and line of one setup."""

    color: str
    marker: str
    line: str = "-"

    @property
    def stroke(self) -> dict[str, str]:
        """Matplotlib's keywords of its lines."""
        return {"color": self.color, "linestyle": self.line}

    @property
    def marked(self) -> dict[str, str]:
        """Those of lines with its marker."""
        return self.stroke | {"marker": self.marker}


# Okabe and Ito's palette; red, orange and blue as in the paper's figures
STYLES = {
    "clean/raw": Style("#D55E00", "v"),
    "clean/x0": Style("#E69F00", "s"),
    "clean/x0+ema0.9": Style("#009E73", "^"),
    "clean/x0+ema0.99": Style("#B0558A", "D"),
    "clean/x0+adam": Style("#56B4E9", "P"),
    "noise_trained/raw": Style("#0072B2", "o"),
    "noise_trained/x0": Style("#0072B2", "x", "--"),
    "adversarial/raw": Style("#882255", "<"),
    "adversarial/x0": Style("#882255", ">", "--"),
    "cfg": Style("#000000", "X"),
    "denoiser": Style("#555555", "o"),
    "clean": Style("#D55E00", "v"),
    "noise_trained": Style("#0072B2", "o"),
    "adversarial": Style("#882255", "<"),
    "judge": Style("#555555", "D"),
}
OTHERS = [
    Style("#8c564b", "<", "--"),
    Style("#7a7a00", ">", "--"),
    Style("#5e3c99", "h", "--"),
    Style("#117733", "p", "--"),
    Style("#332288", "d", "--"),
    Style("#44AA99", "8", "--"),
    Style("#AA4499", "H", "--"),
    Style("#999933", "*", "--"),
]
# over a line's points: of fewer images than the others
HOLLOW = {"linestyle": "", "markerfacecolor": "white", "zorder": 3}
FLOOR, UNGUIDED = Style("#333333", "", ":"), Style("#888888", "", "--")
# robust twice: to diffusion noise, the paper's word, and to attacks, everybody else's
WORDS = {
    "clean": "clean (non-robust)",
    "noise_trained": "noise-trained (robust)",
    "adversarial": "adversarially trained (robust)",
}


def style(setup: str, position: int = 0) -> Style:
    """The setup's style; one of another name gets one by its position."""
    return STYLES.get(setup, OTHERS[position % len(OTHERS)])


def title(setup: str) -> str:
    """A setup in both vocabularies: `clean (non-robust), x0+ema0.99`."""
    classifier, _, rest = setup.partition("/")
    words = WORDS.get(classifier, classifier)
    return f"{words}, {rest}" if rest else words


def settings() -> AbstractContextManager[Any]:
    """Settings of every figure, without touching the process's own."""
    import matplotlib

    matplotlib.use("Agg")
    return matplotlib.rc_context(SETTINGS)  # type: ignore[arg-type]


def figure(width: float = 8.6, height: float = 4.0, columns: int = 1) -> tuple[Figure, Any]:
    """A figure and its axes (a list when there are several columns); sizes in inches."""
    from matplotlib.figure import Figure

    drawn = Figure(figsize=(width, height))
    return drawn, drawn.subplots(1, columns)


def logarithmic(axes: Any, *names: str) -> None:
    """Log scales of `x`, `y`; linear where nothing drawn so far is above zero."""
    for name, least in zip("xy", axes.dataLim.minpos, strict=True):
        if name in names and np.isfinite(least):
            axes.set(**{f"{name}scale": "log"})


def save(drawn: Figure, folder: Path, name: str, rows: pd.DataFrame | None = None) -> list[Path]:
    """Write `name`.svg, `name`.png and the rows behind it as `name`.csv.

    Equal figures give equal bytes.
    """
    import matplotlib

    metadata: dict[str, dict[str, Any]] = {
        "svg": {"Date": None, "Creator": None},
        "png": {"Software": None},
    }
    paths = []
    with matplotlib.rc_context({"figure.constrained_layout.use": False}):
        # laid out once for both: half of the time that saving takes
        if engine := drawn.get_layout_engine():
            engine.execute(drawn)
            drawn.set_layout_engine(None)
        for suffix, entries in metadata.items():
            path = folder / f"{name}.{suffix}"
            with atomic(path) as temporary:
                drawn.savefig(temporary, dpi=120, metadata=entries)
            paths.append(path)
    return [*paths, save_rows(rows, folder, name)] if rows is not None else paths


def save_rows(rows: pd.DataFrame, folder: Path, name: str) -> Path:
    """Write `name`.csv, numbers in full; returns its path."""
    path = folder / f"{name}.csv"
    with atomic(path) as temporary:
        rows.to_csv(temporary, index=False, lineterminator="\n")
    return path


def legend(axes: Any) -> None:
    """The legend right of the axes, so that it hides no curve."""
    axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), fontsize=9, handlelength=2.2)
