"""Nothing is published unless it is whole: failures, damage and leftovers, by the real commands."""

import json
from pathlib import Path

import pandas as pd
import pytest
from checkouts import SMOKE

RUN = ("run", "--config", SMOKE, "--cores", "2")


def test_after_an_edit_a_failed_job_publishes_nothing_however_often_it_is_run(copy) -> None:
    results = copy.root / "results/smoke"
    old = {
        name: (results / name).read_bytes()
        for name in ("report.html", "mnist/metrics/metrics.parquet", "tables/results.parquet")
    }
    copy.only("mnist")
    copy.configure("datasets/mnist/sampling/steps", 5)
    # a file where a folder should be: no cell of this setup can be written
    folder, hidden = results / "mnist/samples/cfg", results / "mnist/samples/cfg.hidden"
    folder.rename(hidden)
    folder.write_text("in the way")
    for _ in range(2):
        done = copy.guidebench(*RUN)
        assert done.returncode != 0
        assert "failed: sample mnist." in done.stderr
        assert "report:" not in done.stdout
        assert {name: (results / name).read_bytes() for name in old} == old
        assert not (results / "mnist/samples/manifests/evaluation-0.json").exists()
    folder.unlink()
    hidden.rename(folder)
    done = copy.guidebench(*RUN)
    assert done.returncode == 0, done.stdout + done.stderr
    assert all((results / name).read_bytes() != content for name, content in old.items())
    summary = json.loads((results / "tables/summary.json").read_text())
    assert summary["datasets"]["mnist"]["steps"] == 5
    assert copy.guidebench("check", "--config", SMOKE).returncode == 0


@pytest.mark.parametrize(
    "name",
    [
        "mnist/sensitivity/clean/sensitivity.parquet",
        "mnist/classifiers/clean/metrics.json",
        "mnist/denoiser/history.jsonl",
        "mnist/samples/unguided/scale-none/evaluation-0.npz",
        "mnist/metrics/metrics.parquet",
        "mnist/data/train/images.npy",
    ],
)
def test_a_flipped_bit_is_found_by_whoever_reads_the_file(name: str, copy) -> None:
    path = copy.root / "results/smoke" / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    done = copy.guidebench("collect", "--config", SMOKE)
    assert done.returncode == 2
    assert f"results/smoke/{name}: truncated or edited" in done.stderr
    assert "and run again" in done.stderr
    found = copy.guidebench("check", "--config", SMOKE)
    assert found.returncode == 1
    assert f"results/smoke/{name}: truncated or edited" in found.stdout


@pytest.mark.parametrize(
    "name",
    [
        "tables/results.parquet",
        "tables/summary.json",
        "tables/cell_costs.parquet",
        "pictures/mnist.npz",
        "findings.json",
        "figures/mnist/sheet_forward.png",
        "mnist/features/cfg/scale-3/evaluation-0.npz",
    ],
)
def test_no_report_on_damaged_results(name: str, copy) -> None:
    root = copy.root / "results/smoke"
    path = root / name
    before = (root / "report.html").read_bytes()
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 4
    path.write_bytes(content)
    done = copy.guidebench("report", "--config", SMOKE)
    assert done.returncode == 2
    assert f"{path.relative_to(copy.root)}: truncated or edited" in done.stderr
    assert (root / "report.html").read_bytes() == before


def test_the_floor_is_of_the_present_target_and_n(copy) -> None:
    """An unlisted file of an earlier config is neither read nor left."""
    stray = copy.root / "results/smoke/mnist/features/real/floor_target.npz"
    assert stray.is_file()
    # no class of the 128 held-out images has that many: there is no floor of the target now
    copy.configure("datasets/sportballs/sampling/evaluation", 64)
    copy.configure("datasets/sportballs/target", "volleyball")
    balls = copy.root / "results/smoke/sportballs"
    assert (balls / "features/real/floor_target.npz").is_file()
    done = copy.guidebench(
        "features", "--config", SMOKE, "--dataset", "sportballs", "--block", "real"
    )
    assert done.returncode == 0, done.stderr
    listed = json.loads((balls / "features/manifests/real.json").read_text())["files"]
    assert set(listed) == {"real/reference.npz", "real/floor.npz"}
    left = {path.name for path in (balls / "features/real").iterdir()}
    assert {name for name in left if name.endswith(".npz")} == {"reference.npz", "floor.npz"}
    assert "floor_target.cell.json" not in left
    assert stray.is_file()


def test_costs_are_not_in_the_table_of_numbers(finished) -> None:
    tables = finished.root / "results/smoke/tables"
    measured = {"seconds", "peak_memory", "load", "denoiser_evaluations", "backward_passes"}
    assert not measured & set(pd.read_parquet(tables / "results.parquet").metric)
    assert set(pd.read_parquet(tables / "cell_costs.parquet").metric) == measured
    listed = json.loads((tables / "manifest.json").read_text())
    assert {Path(name).name for name in listed["files"]} >= {"results.parquet", "summary.json"}
