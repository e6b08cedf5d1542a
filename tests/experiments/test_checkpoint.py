"""An experiment with a denoiser that somebody else trained, from its folder to the report."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from checkpoints import CONFIG, write_checkpoint
from tiny import apart, configured, experiment, run_job, run_job_coarsely, warm

import guidebench
from guidebench.pipeline.errors import UserError
from guidebench.pipeline.jobs import demands, freshness
from guidebench.pipeline.jobs.check import problems
from guidebench.pipeline.jobs.layout import Job, Layout
from guidebench.pipeline.jobs.listing import jobs, provenance, seconds
from guidebench.pipeline.jobs.rates import assumed
from guidebench.pipeline.plan import trial
from guidebench.pipeline.records.artifacts import read_json, sha256
from guidebench.report.tables import Tables

ADOPTS, PREPARES = Job("train_denoiser", "balls"), Job("prepare", "balls")


def _values(folder: Path) -> dict[str, Any]:
    """The tiny experiment's balls with google/ddpm-celebahq-256's schedule."""
    values = experiment(folder)
    balls = values["datasets"]["balls"] | CONFIG
    balls["denoiser"] = {"checkpoint": str(folder), "prediction": "eps"}
    balls["sensitivity"] = balls["sensitivity"] | {"stabilizers": {}}  # they walk every t
    balls["sampling"] = balls["sampling"] | {"steps": 4}
    return values | {"datasets": {"balls": balls}, "worlds": {}}


@pytest.fixture(scope="module", autouse=True)
def _warm() -> None:
    warm()


def _ready(config: Any, results: Path) -> Any:
    demands.check(config, "tiny.json", results)
    trial.check(config, "tiny.json")
    return config


def test_from_a_folder_to_the_report_without_a_training(tmp_path: Path) -> None:
    theirs = write_checkpoint(tmp_path / "theirs")
    results, path = tmp_path / "results", tmp_path / "tiny.json"
    results.mkdir()
    config = _ready(configured(_values(tmp_path / "theirs"), path), results)
    layout, rates = Layout(results, "tiny"), {"balls": assumed(config, "balls")}
    assert seconds(config, ADOPTS, rates) == rates["balls"].startup
    for job in jobs(config):
        apart(lambda job=job: run_job_coarsely(config, job, layout))
    assert list(problems(config, layout, list(jobs(config)))) == []
    kept = read_json(provenance(layout, ADOPTS))["inputs"]
    weights = "unet/diffusion_pytorch_model.safetensors"
    assert kept[f"{freshness.EXTERNAL}: {weights}"] == sha256(tmp_path / "theirs" / weights)
    assert not (layout.denoiser("balls") / "history.jsonl").exists()
    assert not list((layout.root / ".resume").glob("train_denoiser*"))
    classifiers = config.datasets["balls"].classifiers
    assert set(Tables.read(layout.tables).history.model) == set(classifiers)
    assert "read from a checkpoint and not trained here" in layout.report.read_text()
    opened = guidebench.load(str(path), results=results)
    x = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(1))
    ours = opened.denoiser("balls")
    ours.model.double()
    with torch.no_grad():
        expected = theirs.double()(x.double(), 7).sample
        torch.testing.assert_close(ours(x.double(), 7), expected, rtol=0, atol=1e-12)
    run = np.load(layout.samples("balls") / "unguided/scale-none/evaluation-0.npz")["images"]
    again = opened.sample("balls", "unguided", count=8).images
    assert np.array_equal(again, run) or np.abs(again.astype(int) - run.astype(int)).max() <= 1


def test_another_file_is_another_result_and_a_moved_one_the_same(tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "theirs")
    results, path = tmp_path / "results", tmp_path / "tiny.json"
    results.mkdir()
    layout = Layout(results, "tiny")

    def run(folder: Path) -> str:
        config = configured(_values(folder), path)
        for job in (PREPARES, ADOPTS):
            if job in freshness.stale(config, layout):
                apart(lambda job=job: run_job(config, job, layout))
        return sha256(layout.denoiser("balls") / "manifest.json")

    first = run(tmp_path / "theirs")
    shutil.move(tmp_path / "theirs", tmp_path / "moved")
    config = configured(_values(tmp_path / "moved"), path)
    assert not {PREPARES, ADOPTS} & set(freshness.stale(config, layout))
    shutil.rmtree(layout.denoiser("balls"))
    assert run(tmp_path / "moved") == first
    write_checkpoint(tmp_path / "moved", seed=1)
    assert freshness.stale(config, layout)[ADOPTS] == "what it reads has changed"
    assert run(tmp_path / "moved") != first


def test_what_it_contradicts_is_said_before_the_first_job_and_by_the_job(tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "theirs")
    results, path = tmp_path / "results", tmp_path / "tiny.json"
    results.mkdir()
    values = _values(tmp_path / "theirs")
    values["datasets"]["balls"]["schedule"] = {"timesteps": 400}
    config, layout = configured(values, path), Layout(results, "tiny")
    said = "datasets.balls.schedule: found {name: ddpm_linear, timesteps: 400, "
    with pytest.raises(UserError, match=f"^tiny.json: {said}"):
        _ready(config, results)
    apart(lambda: run_job(config, PREPARES, layout))

    def adopts() -> str:
        try:
            run_job(config, ADOPTS, layout)
        except UserError as error:
            return str(error)
        return ""

    assert apart(adopts).startswith(f"train_denoiser balls: {said}")


def test_a_forecast_probes_it(tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "theirs", layout="flat", weights="bin")
    config = configured(_values(tmp_path / "theirs"), tmp_path / "tiny.json")

    def probed() -> tuple[float, float, int]:
        from guidebench.pipeline.plan import memory
        from guidebench.pipeline.plan.probe import probe

        rates, _ = probe(config, "balls")
        weights = memory.weights(config.datasets["balls"], "")
        return rates.denoiser_step, rates.sampled["none"], weights

    step, sampled, weights = apart(probed)
    assert step == 0
    assert sampled > 0
    (file,) = (tmp_path / "theirs").glob("*.bin")
    assert weights == pytest.approx(file.stat().st_size, rel=0.1)


def test_assumed_rates_know_its_width(tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "theirs")
    config = configured(_values(tmp_path / "theirs"), tmp_path / "tiny.json")
    wide = assumed(config, "balls").sampled["none"]
    (tmp_path / "theirs/unet/config.json").write_text("{")
    assert assumed(config, "balls").sampled["none"] == wide  # 32 channels are the default, too
    write_checkpoint(tmp_path / "theirs", block_out_channels=[64, 64])
    assert assumed(config, "balls").sampled["none"] == pytest.approx(wide * 2**1.5)
