"""A sampling job whose cells share their unguided steps, from its files."""

from pathlib import Path

import numpy as np
import pytest
from digits import write_digits
from tiny import apart, configured, experiment, run_job, warm

from guidebench.guidance.prefixes import Prefixes
from guidebench.pipeline.jobs.layout import Job, Layout
from guidebench.pipeline.records import code
from guidebench.pipeline.records.artifacts import read_manifest
from guidebench.pipeline.records.finished_cells import sidecar

BLOCK = "evaluation-0"
SAMPLE = Job("sample", "digits", block=BLOCK)
INTERVAL = {"interval": [0, 0.5]}


class _Run:
    """The cells of one block of the tiny experiment's digits; of 4 steps 2 are unguided."""

    def __init__(self, root: Path) -> None:
        values = experiment(root / "data")
        digits = values["datasets"]["digits"]
        digits["sampling"] |= {"steps": 4, "sampler": "ancestral"}
        free = digits["setups"].pop("clean/raw+adam") | INTERVAL | {"scales": [1, 9]}
        cfg = digits["setups"].pop("cfg") | INTERVAL | {"scales": [1, 2]}
        digits["setups"] |= {"labelled": {"conditional": True}, "free": free, "cfg": cfg}
        values |= {"datasets": {"digits": digits}, "worlds": {}}
        self.config = configured(values, root / "tiny.json")
        self.layout = Layout(root / "results", "tiny")
        self.samples = self.layout.samples("digits")

    def job(self, job: Job) -> None:
        apart(lambda: run_job(self.config, job, self.layout))

    def cells(self) -> dict[str, tuple[bytes, float, float, set[str]]]:
        """Of each cell the bytes, its evaluations and backward passes, and the code behind it."""
        found = {}
        for path in sorted(self.samples.rglob(f"{BLOCK}.npz")):
            entry = read_manifest(sidecar(path))
            cost, names = entry["cost"], code.kept(self.layout.root, entry["code"])
            passes = cost["evaluations"], cost["backward_passes"]
            place = str(path.parent.relative_to(self.samples))
            found[place] = (path.read_bytes(), *passes, set(names))
        return found


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> _Run:
    warm()
    root = tmp_path_factory.mktemp("sample")
    write_digits(root / "data")
    run = _Run(root)
    for job in (Job("prepare", "digits"), Job("train_denoiser", "digits")):
        run.job(job)
    run.job(Job("train_classifier", "digits", "clean"))
    return run


def test_cells_are_those_of_a_job_that_shares_nothing(run: _Run, monkeypatch) -> None:
    """Also where a killed run left some of them: images, film, evaluations, and the code."""
    run.job(SAMPLE)
    shared = run.cells()
    assert len(shared) == 6
    for place, (*_, names) in shared.items():
        # no step after those that it shares is unguided: what ran in them ran for another cell
        assert "guidance.guides:Unguided.__call__" in names, place
    for place in ("unguided/scale-none", "cfg/scale-1", "free/scale-9"):
        (run.samples / place / f"{BLOCK}.npz").unlink()
    run.job(SAMPLE)
    assert run.cells() == shared
    for path in run.samples.rglob(f"{BLOCK}.npz"):
        path.unlink()
    monkeypatch.setattr(Prefixes, "ends", lambda *_: [])
    run.job(SAMPLE)
    for place, (content, *passes, names) in run.cells().items():
        assert (content, *passes) == shared[place][:3], place
        # of the function that is no more, and what it calls
        assert names <= shared[place][3], place
    assert len(np.load(run.samples / "cfg/scale-1" / f"{BLOCK}.npz")["film"]) == 1
