"""An evaluation's numbers: torch-fidelity's, the run's own, and what is written of them."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from html_tags import Tags
from sources_on_disk import cell, folder, images
from tiny import configured, experiment, run_job
from torch_fidelity.metric_fid import fid_statistics_to_metric
from weight_files import random_inception

import guidebench
from guidebench.base.jackknife import scattered
from guidebench.evaluation import embeddings
from guidebench.evaluation.embeddings import Files, embedding
from guidebench.evaluation.measures import MEASURES
from guidebench.evaluation.result import HEAD
from guidebench.metrics.density import Neighbourhoods
from guidebench.metrics.extractors import PixelFeatures
from guidebench.metrics.variety import Neighbours
from guidebench.pipeline.errors import UserError
from guidebench.pipeline.jobs.layout import Job, Layout
from guidebench.pipeline.jobs.listing import jobs
from guidebench.pipeline.records.artifacts import sha256


def _pixels(some: np.ndarray) -> np.ndarray:
    return some.reshape(len(some), -1) / np.float32(255)


def _reference_fd(x: np.ndarray, y: np.ndarray) -> float:
    both = ({"mu": z.mean(axis=0), "sigma": np.cov(z, rowvar=False)} for z in (x, y))
    distance: float = fid_statistics_to_metric(*both, verbose=False)["frechet_inception_distance"]
    return distance


@pytest.mark.parametrize(("n", "m"), [(300, 400), (30, 400), (300, 40), (30, 40)])
def test_fd_is_torch_fidelitys(n: int, m: int) -> None:
    some, real = images(n, 0), images(m, 1)
    table = guidebench.evaluate(some, real, extractors=["pixels"], metrics=["fd_raw"]).table
    expected = _reference_fd(_pixels(some).astype(float), _pixels(real).astype(float))
    # with singular covariances torch-fidelity's square root is only that good
    tolerance = 1e-6 if min(n, m) > 192 else 1e-3
    assert table.value[0] == pytest.approx(expected, rel=tolerance)
    assert table.few[0] == (min(n, m) <= 192)


def test_the_reference_may_be_moments(tmp_path: Path) -> None:
    some, real = images(300, 0), _pixels(images(400, 1)).astype(float)
    path = tmp_path / "moments.npz"
    np.savez(path, mu=real.mean(axis=0), sigma=np.cov(real, rowvar=False))
    found = guidebench.evaluate(some, path, extractors=["pixels"])
    assert [*found.table.measure] == ["fd", "fd_raw", "vendi"]
    whole = guidebench.evaluate(
        some, images(400, 1), extractors=["pixels"], metrics=["fd", "fd_raw"]
    )
    assert found.table.value[1] == pytest.approx(whole.table.value[1], rel=1e-9)
    assert found.table.value[0] > whole.table.value[0]  # its own bias is not taken off
    assert (found.table.reference_n == 0).all()
    assert "no error of the reference" in found.warnings[0]
    few = guidebench.evaluate(some[:40], path, extractors=["pixels"], metrics=["fd_raw"]).table
    assert few.value[0] == pytest.approx(
        _reference_fd(_pixels(some[:40]).astype(float), real), rel=1e-3
    )
    with pytest.raises(UserError, match=r"found mu of 192 features, allowed: 48, as pixels has"):
        guidebench.evaluate(images(20, 0, 3, 4), path, extractors=["pixels"])


class Other(PixelFeatures):
    """A second extractor, of twice the pixels."""

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return (2 * super().forward(x)[0],)


def test_two_extractors_have_their_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    other = embeddings.Embedding("other", "other (no resize)", "1", Other())
    monkeypatch.setitem(embeddings.EXTRACTORS, "other", lambda files: other)
    found = guidebench.evaluate(images(40, 0), images(60, 1), extractors=["pixels", "other"])
    table = found.table.set_index(["extractor", "measure"])
    first, second = (table.loc[name] for name in dict.fromkeys(found.table.extractor))
    assert [*first.index] == [*second.index]
    for scale, measures in {4: ["fd", "fd_raw", "sliced"], 1: ["precision", "density"]}.items():
        np.testing.assert_allclose(second.value[measures], scale * first.value[measures], rtol=1e-6)
    assert not {*first.protocol} & {*second.protocol}


def test_only_inception_is_called_fid(tmp_path: Path) -> None:
    weights = random_inception(tmp_path / "weights.pth")
    digest = sha256(weights)
    found = guidebench.evaluate(
        images(4, 0),
        images(5, 1),
        extractors=["inception"],
        metrics=["fd", "fd_raw", "kd"],
        weights=weights,
        sha256=digest.upper(),
    )
    assert [*found.table.measure] == ["fid", "fid_raw", "kid"]
    assert found.table.few.tolist() == [True, True, False]
    assert found.facts["extractors"][0]["sha256"] == digest


def test_a_batch_of_one_is_a_batch_of_n() -> None:
    one, some = embedding("pixels", Files()), images(5, 0, 3, 40)
    assert one(some).shape == (5, 3072)
    np.testing.assert_allclose(np.concatenate([one(x[None]) for x in some]), one(some), rtol=1e-6)


def test_every_measure_has_its_lines(repository: Path) -> None:
    text = (repository / "docs/metrics.md").read_text()
    for name in MEASURES:
        _, _, rest = text.partition(f"\n**{name}**")
        lines = rest.partition("\n\n")[0].splitlines()[1:]
        starts = [line.partition(":")[0] for line in lines]
        assert starts == ["- What", "- Source", "- When", "- At finite n", "- Error"], name
        assert MEASURES[name].source.partition(",")[0] in lines[1], name
    for name in embeddings.EXTRACTORS:
        assert f"| `{name}` |" in text


def test_copies_are_found() -> None:
    real = images(80, 1)
    for copied, expected in ((0, 0.5), (1, 0.0)):
        some = np.where(copied, real[:40], images(40, 2))
        found = guidebench.evaluate(some, real, extractors=["pixels"], training=True)
        row = found.table.set_index("measure").loc["authenticity"]
        assert row.value == pytest.approx(expected, abs=0.3)
        assert row.low <= row.value <= row.high
        assert row.high - row.low > 0.05


def test_protocols_say_what_compares(tmp_path: Path) -> None:
    def protocols(samples: np.ndarray, real: np.ndarray, **options: Any) -> pd.Series:
        table = guidebench.evaluate(samples, real, extractors=["pixels"], **options).table
        return table.set_index("measure").protocol

    first, real = protocols(images(40, 0), images(60, 1)), images(60, 1)
    assert first.equals(protocols(images(40, 9), real[::-1]))
    of_others = protocols(images(39, 0), real)
    equal_n = ["fd_raw", "recall", "coverage", "vendi"]
    assert [*of_others.index[of_others != first]] == equal_n
    assert (protocols(images(40, 0), images(60, 2)) != first).all()
    assert (protocols(images(40, 0), real, blocks=8) != first).all()


def test_what_is_written(tmp_path: Path) -> None:
    some, real = folder(tmp_path / "a&b<i>", images(30, 0)), folder(tmp_path / "b", images(40, 1))
    found = guidebench.evaluate(some, real, extractors=["pixels"])
    found.write(tmp_path / "out")
    told = json.loads((tmp_path / "out/results.json").read_text())
    assert told["protocol"] == found.protocol
    assert told["warnings"] == found.warnings
    assert told["samples"]["sha256"] != told["reference"]["sha256"]
    assert len(told["rows"]) == len(found.table)
    table = pd.read_csv(tmp_path / "out/results.csv", keep_default_na=False, na_values=[""])
    np.testing.assert_allclose(table.value, found.table.value)
    html = (tmp_path / "out/page.html").read_text()
    sources = [given["src"] or "" for tag, given in Tags(html).found if tag == "img"]
    assert len(sources) == 2
    assert all(source.startswith("data:image/png;base64,") for source in sources)
    assert "a&amp;b&lt;i&gt;" in html
    for name in ("samples", "closest"):
        assert (tmp_path / f"out/{name}.png").is_file()
    head, *lines = str(found).splitlines()
    assert head.split() == [word for cell in HEAD for word in cell.split()]
    assert any("mean of classes" in line for line in lines)
    rows = [line for line in lines if line.endswith("torch)")]
    assert {line.index("pixels (") for line in rows} == {head.index("extractor")}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Path]:
    """The balls of `tiny` with their judge, sampled and with the features of real images."""
    root = tmp_path_factory.mktemp("evaluated")
    values = experiment(root) | {"worlds": {}}
    balls = values["datasets"].pop("balls")
    balls["classifiers"] = {name: balls["classifiers"][name] for name in ("clean", "judge")}
    balls["setups"] = {name: balls["setups"][name] for name in ("unguided", "clean/raw")}
    balls["setups"]["clean/raw"]["scales"] = [1]
    del balls["attributes"]
    config = configured(values | {"datasets": {"balls": balls}}, root / "c.json")
    layout = Layout(root / "results", "tiny")
    stages = ("prepare", "train_denoiser", "train_classifier", "sample", "features")
    for job in jobs(config):
        if job.stage in stages:
            run_job(config, job, layout)
    assert Job("features", "balls", block="real") in set(jobs(config))
    return guidebench.load(str(root / "c.json"), results=root / "results"), layout.root / "balls"


@pytest.mark.parametrize("target", [None, "baseball"])
def test_numbers_of_a_cell_are_the_runs_own(run: tuple[Any, Path], target: str | None) -> None:
    whole, root = run
    path = root / "samples/clean/raw/scale-1"
    with np.load(path / "evaluation-0.npz") as block:
        scores = whole.score("balls", block["images"], block["diverged"])
    found = guidebench.evaluate(
        path,
        root / "data/train",
        target=target,
        extractors=["judge"],
        judge=root / "classifiers/judge",
        blocks=4,
    )
    table = found.table.set_index("measure")
    names = ("cfd_judge", "csw_judge") if target else ("fd_judge", "sw_judge")
    for own, name in zip(("fd", "sliced"), names, strict=True):
        row, score = table.loc[own], scores[name]
        assert row.value == pytest.approx(score.value, rel=1e-6, abs=1e-9)
        assert row.se == pytest.approx(score.se, rel=1e-6)
        assert (row.n, row.reference_n) == (score.n, score.reference_n)
    assert table.value["fd_raw"] == pytest.approx(scores[names[0]].raw, rel=1e-6)
    assert any("did not teach it" in line for line in found.warnings)
    assert "authenticity" not in table.index
    with np.load(root / "features/real/reference.npz") as real:
        rows = slice(None) if target is None else real["labels"] == 0
        hidden = real["hidden:judge"][rows]
    with np.load(root / "features/clean/raw/scale-1/evaluation-0.npz") as sampled:
        mine = sampled["hidden:judge"]
    assert table.value["precision"] == Neighbours(hidden).precision(mine).mean()
    assert table.value["recall"] == Neighbours(hidden).recall(mine)
    density, coverage = Neighbourhoods(hidden).measures(mine, scattered(len(mine), 4), 4)
    assert table.value["density"] == pytest.approx(density.raw)
    assert table.value["coverage"] == pytest.approx(coverage.raw)


def test_a_judge_of_other_data_is_said(run: tuple[Any, Path], tmp_path: Path) -> None:
    _, root = run
    found = guidebench.evaluate(
        cell(tmp_path / "c", images(20, 0)),
        images(30, 1),
        extractors=["judge"],
        judge=root / "classifiers/judge",
        training=True,
    )
    assert "judge: whether reference images taught it is not known" in found.warnings
    assert "authenticity" in {*found.table.measure}
