"""What the benchmarks share: paired repetitions in CPU seconds, and rows of the table of ratios."""

import statistics
import time
from collections.abc import Callable, Mapping


def cpu_seconds(calls: Mapping[str, Callable[[], object]], repetitions: int) -> dict[str, list]:
    """CPU seconds of each call [repetitions], after one that warms up; the order alternates.

    Of this process and all its threads: what else the machine does counts for little.
    """
    found: dict[str, list[float]] = {name: [] for name in calls}
    for repetition in range(repetitions + 1):
        for name in list(calls)[:: -1 if repetition % 2 else 1]:
            started = time.process_time()
            calls[name]()
            if repetition:
                found[name].append(time.process_time() - started)
    return found


def ratio(above: list[float], below: list[float]) -> float:
    """Median ratio of paired times."""
    return statistics.median(a / b for a, b in zip(above, below, strict=True))


def row(what: str, found: str, goal: str) -> None:
    """One row of the table that `make bench` writes into docs/performance.md."""
    print(f"| {what} | {found} | {goal} |", flush=True)
