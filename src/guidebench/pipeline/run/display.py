"""Progress as it is shown: bars that are drawn again on a terminal, else a line now and then."""

import sys
import time
from typing import NamedTuple

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from guidebench.base.units import duration

WIDE = 64  # columns from which there is room for bars and rates


class Bar(NamedTuple):
    """One line: what, how much of it (0 to 1), steps a second, seconds left."""

    title: str
    share: float
    rate: float | None
    left: float


class Log:
    """Plain lines, for a file or a pipe."""

    seconds = 15.0  # between two lines about progress
    shown = 0.0  # time of the last one

    def due(self) -> bool:
        """Whether progress is to be shown again; if so, this counts as the last time."""
        now = time.monotonic()
        due = now - self.shown > self.seconds
        self.shown = now if due else self.shown
        return due

    def show(self, jobs: list[Bar], whole: Bar) -> None:
        """Write the progress of the running jobs and of the whole run, in one line."""
        running = ", ".join(f"{job.title} {job.share:.0%}" for job in jobs) or "starting"
        left = f"about {duration(whole.left)} left"
        self.line(f"{whole.share:4.0%}  {running}  ({whole.title}, {left})")

    def line(self, text: str) -> None:
        """Write a line that stays."""
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()

    def close(self) -> None:
        """Nothing: plain lines leave no bars to remove."""


class Terminal(Log):
    """Bars below the lines that stay, as wide and as high as the terminal is at the moment."""

    seconds = 1.0

    def __init__(self, console: Console) -> None:
        self.console = console
        self.live = Live(
            console=console, auto_refresh=False, transient=True, redirect_stderr=sys.stderr.isatty()
        )
        self.live.start()
        console.show_cursor()  # a killed run could not show it again

    def show(self, jobs: list[Bar], whole: Bar) -> None:
        """Draw a bar for each running job as far as there is room, and one for the whole run."""
        width, height = self.console.size
        fit = max(1, height - 3)
        more = [Text(f"and {len(jobs) - fit} more")] if len(jobs) > fit else []
        lines = Group(drawn(jobs[:fit], width), *more, drawn([whole], width))
        self.live.update(lines, refresh=True)

    def line(self, text: str) -> None:
        """Write a line above the bars."""
        self.console.print(Text(text), soft_wrap=True)

    def close(self) -> None:
        """Remove the bars."""
        self.live.stop()


def drawn(bars: list[Bar], width: int) -> RenderableType:
    """Bars of equal width, one below the other; for want of room titles are cut, never numbers."""
    table = Table.grid(padding=(0, 2, 0, 0), expand=True)
    table.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
    wide = width >= WIDE
    for size in [width // 6, 4, 8, 16] if wide else [4, 16]:
        table.add_column(min_width=size, no_wrap=True, justify="right")
    for bar in bars:
        line = ProgressBar(total=1, completed=bar.share, width=width // 6)
        rate = "" if bar.rate is None else _rate(bar.rate)
        middle = [line, f"{bar.share:.0%}", rate] if wide else [f"{bar.share:.0%}"]
        table.add_row(Text(bar.title), *middle, f"{duration(bar.left)} left")
    return table


def _rate(per_second: float) -> str:
    return f"{per_second:,.0f}/s" if per_second >= 999.5 else f"{per_second:.3g}/s"


def display() -> Log:
    """Bars if standard output is a terminal that can draw them, else plain lines."""
    console = Console()
    return Terminal(console) if sys.stdout.isatty() and not console.is_dumb_terminal else Log()
