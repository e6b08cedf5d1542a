"""The tiniest experiment, run once under a tracer."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from digits import write_digits
from once import once
from tiny import apart, configured, draw_coarsely, experiment, warm
from tracing import Key, Traced, run_traced

from guidebench import workload
from guidebench.pipeline.jobs import freshness
from guidebench.pipeline.jobs.layout import Job, Layout
from guidebench.pipeline.jobs.listing import jobs


@pytest.fixture(scope="session")
def executed(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Traced:
    return once(tmp_path_factory, worker_id, "tiny", _traced)


def _traced(root: Path) -> Traced:
    warm()
    write_digits(root / "data")
    values = experiment(root / "data")
    config, layout = configured(values, root / "tiny.json"), Layout(root / "results", "tiny")

    def run(job: Job) -> tuple[set[str], set[Key]]:
        draw_coarsely()
        return run_traced(config, job, layout)

    ran = {job: apart(lambda job=job: run(job)) for job in jobs(config)}
    assert freshness.stale(config, layout) == {}
    functions, keys = ({job: both[i] for job, both in ran.items()} for i in (0, 1))
    return Traced(config, layout, functions, keys, _cells(values, root, layout))


def _cells(values: dict[str, Any], root: Path, whole: Layout) -> dict[Path, set[str]]:
    """What each cell runs: the sampling job of an experiment with that cell alone."""
    found = {}
    shutil.copytree(whole.root, root / "ones" / "one")
    for name, dataset in values["datasets"].items():
        for setup, options in dataset["setups"].items():
            for scale in options.get("scales", [None]):
                only = options | ({"scales": [scale]} if scale is not None else {})
                one = values | {
                    "name": "one",
                    "worlds": {},
                    "datasets": {name: dataset | {"setups": {setup: only}}},
                }
                config, layout = configured(one, root / "one.json"), Layout(root / "ones", "one")
                (cell,) = workload.cells(config, name)
                for block in workload.blocks(config, name):
                    path = Path("samples") / cell.path / f"{block.name}.npz"
                    (layout.root / name / path).unlink()
                    job = Job("sample", name, block=block.name)
                    found[whole.root / name / path], _ = apart(
                        lambda: run_traced(config, job, layout)  # noqa: B023
                    )
    return found
