"""Every ratio of docs/performance.md's table, measured anew: `make bench`, within ten minutes.

Runs the benchmarks of PARTS one after the other, each in a process of its own with one thread, and
puts their rows into the page. Nothing is written when one of them fails.
Usage: .venv/bin/python benchmarks/bench.py [PART ...] (some alone are printed, and not written)
"""

import os
import platform
import subprocess
import sys
import time
from datetime import date
from pathlib import Path

import psutil
import torch

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs/performance.md"
PARTS = ("training", "sampling", "features", "frechet", "sportballs", "answer")
HEAD = "| what | found | goal |\n|---|---|---|\n"
BEGIN, END = "<!-- make bench -->\n", "<!-- /make bench -->\n"


def rows(part: str) -> list[str]:
    """A benchmark's rows of the table; what else it says is printed. SystemExit when it fails."""
    started = time.perf_counter()
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(HERE / f"{part}.py")]
    done = subprocess.run(command, env=environment, text=True, stdout=subprocess.PIPE, check=False)
    print(f"{part}: {time.perf_counter() - started:.0f} s\n{done.stdout}", flush=True)
    if done.returncode:
        raise SystemExit(f"benchmarks/{part}.py: found exit code {done.returncode}, allowed: 0")
    return [f"{line}\n" for line in done.stdout.splitlines() if line.startswith("| ")]


def processor() -> str:
    """The processor's name and how many cores there are."""
    name = platform.processor() or platform.machine()
    if (told := Path("/proc/cpuinfo")).exists():
        named = [line for line in told.read_text().splitlines() if line.startswith("model name")]
        name = named[0].partition(": ")[2] if named else name
    return f"{name}, {psutil.cpu_count(logical=False)} cores"


def commit() -> str:
    """The commit that was measured, with a star where files differ from it."""
    command = ["git", "describe", "--always", "--exclude=*", "--dirty=*"]
    done = subprocess.run(command, cwd=HERE, text=True, capture_output=True, check=False)
    return done.stdout.strip() or "none"


def written(page: str, table: list[str], told: str) -> str:
    """The page with this table, and what is told of it, in the place of the old one."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise SystemExit(f"{PAGE}: found no lines {BEGIN.strip()} and {END.strip()}, allowed: both")
    return f"{before}{BEGIN}{told}\n\n{HEAD}{''.join(table)}{END}{after}"


def main() -> None:
    """All of PARTS into the page, or those that are named onto the screen."""
    asked = sys.argv[1:]
    if unknown := [part for part in asked if part not in PARTS]:
        raise SystemExit(f"benchmarks: found {unknown[0]}, allowed: {', '.join(PARTS)}")
    started = time.perf_counter()
    table = [line for part in asked or PARTS for line in rows(part)]
    minutes = (time.perf_counter() - started) / 60
    print(HEAD + "".join(table))
    if asked:
        return
    versions = f"Python {platform.python_version()}, torch {torch.__version__}"
    told = (
        f"{date.today().isoformat()}, {processor()}, {versions}, commit {commit()}; `make bench`, "
        f"{minutes:.0f} min. One thread, CPU seconds, medians of paired repetitions."
    )
    PAGE.write_text(written(PAGE.read_text(), table, told))
    print(f"written into {PAGE}")


if __name__ == "__main__":
    main()
