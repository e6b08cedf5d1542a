"""What is made once for all workers of pytest-xdist, and all modules that import its fixture."""

import fcntl
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest

T = TypeVar("T")


def once(factory: pytest.TempPathFactory, worker: str, name: str, make: Callable[[Path], T]) -> T:
    """What `make` returns, given a new folder `name`: whoever comes first makes it, others wait.

    It must survive pickling.
    """
    shared = factory.getbasetemp()
    if worker != "master":
        shared = shared.parent  # the workers' folders lie in it
    root, done = shared / name, shared / f"{name}.made"
    with open(shared / f"{name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if done.exists():
            made: T = pickle.loads(done.read_bytes())
            return made
        shutil.rmtree(root, ignore_errors=True)  # of a worker that failed
        root.mkdir()
        made = make(root)
        done.write_bytes(pickle.dumps(made))
    return made
