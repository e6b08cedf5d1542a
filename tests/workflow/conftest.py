"""A copy of the workflow in a folder of its own, run once on the smoke experiment."""

import shutil
from pathlib import Path

import pytest
from checkouts import Checkout, checkout
from once import once


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Checkout:
    """The smoke experiment, run once, for all workers; tests that change files work on `copy`."""
    return once(tmp_path_factory, worker_id, "smoke", _run)


def _run(root: Path) -> Checkout:
    copy = checkout(root)
    copy.run()
    return copy


@pytest.fixture
def copy(finished: Checkout, tmp_path: Path) -> Checkout:
    """A private copy of the finished experiment."""
    root = tmp_path / "copy"
    shutil.copytree(finished.root, root, symlinks=True)
    return Checkout(root)


@pytest.fixture
def untouched(tmp_path: Path) -> Checkout:
    """A working copy in which nothing was run."""
    root = tmp_path / "untouched"
    root.mkdir()
    return checkout(root)
