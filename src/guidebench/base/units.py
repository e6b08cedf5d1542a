"""Seconds, bytes and tables as a person reads them."""

from collections.abc import Sequence


def duration(seconds: float) -> str:
    """Seconds for people.

    >>> duration(8), duration(200), duration(7500)
    ('8.0 s', '3 min 20 s', '2 h 5 min')
    """
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def size(count: float) -> str:
    """Bytes for people.

    >>> size(3e6), size(999.7e6), size(1.2e12)
    ('3 MB', '1 GB', '1.2 TB')
    """
    for unit in ("B", "kB", "MB", "GB"):
        if count < 999.5:  # what is rounded to 1000 is one of the next unit
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} TB"


def aligned(table: Sequence[Sequence[str]]) -> list[str]:
    """The rows of a table as lines: columns as wide as what is in them, the first to the left.

    >>> aligned([("stage", "longest"), ("prepare", "9 s")])
    ['stage    longest', 'prepare      9 s']
    """
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return [
        "  ".join([first.ljust(widths[0]), *map(str.rjust, rest, widths[1:])])
        for first, *rest in table
    ]
