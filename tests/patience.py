"""How long the tests wait: longer on a slow or busy machine.

A limit is there to catch a hang, never to judge the machine. `patience(60)` is what 60 s of a good
day are here: a small fixed task, run on every core at once when the tests start, says how much
slower this machine is. GUIDEBENCH_PATIENCE=4 states it instead.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from functools import cache
from typing import TypeVar

from guidebench.pipeline.threads import POOLS

T = TypeVar("T")

VARIABLE = "GUIDEBENCH_PATIENCE"
# what a start of Python, its arithmetic, numpy's and a file cost
TASK = """
import os, tempfile
import numpy as np
total = 0
for number in range(1_000_000):
    total += number * number % 7
matrix = np.ones((384, 384), np.float32)
for _ in range(40):
    matrix = matrix @ matrix / 384
with tempfile.TemporaryFile() as file:
    file.write(bytes(2**23))
    os.fsync(file.fileno())
"""
# seconds of the task on a good day of the two-core machine on which the limits were chosen
REFERENCE = 0.35
# other work may begin after the measurement
SPARE = 3.0


@cache
def slowness() -> float:
    """Time of the task here relative to a good day, at least 1; measured once for all processes."""
    if VARIABLE not in os.environ:
        os.environ[VARIABLE] = f"{max(1.0, _seconds() / REFERENCE):.2f}"
    return float(os.environ[VARIABLE])


def _seconds() -> float:
    """As the tests will find the machine: with every core at work."""
    one_thread = dict.fromkeys(POOLS, "1")
    started = time.perf_counter()
    tasks = [
        subprocess.Popen([sys.executable, "-c", TASK], env=os.environ | one_thread)
        for _ in range(min(os.cpu_count() or 1, 8))
    ]
    for task in tasks:
        task.wait()
    return time.perf_counter() - started


def patience(seconds: float) -> float:
    """The limit for what takes less than `seconds` on a good day."""
    return seconds * SPARE * slowness()


def until(
    reached: Callable[[], T],
    what: str,
    seconds: float = 60,
    signs: Callable[[], object] = str,
    every: float = 0.02,
) -> T:
    """Wait for something true and return it; fail when `signs` stood still for that long.

    The signs are what shows progress (files that grow, states of jobs); without them the limit is
    one for the whole wait.
    """
    limit = patience(seconds)
    seen, since = signs(), time.monotonic()
    looked = since
    while not (found := reached()):
        now = time.monotonic()
        # they may take a while to look at
        if now - looked > limit / 50:
            looked = now
            if (new := signs()) != seen:
                seen, since = new, now
            assert now - since < limit, f"waited {now - since:.0f} s for {what}: nothing happens"
        time.sleep(every)
    return found
