"""The experiment of docs/extending, run to its report, and what Python gets of it."""

import shutil
import sys
from functools import partial
from importlib.resources import files
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import REPOSITORY
from processes import completed
from tiny import apart, run_job_coarsely, warm

import guidebench
from guidebench import workload
from guidebench.base.choices import CHOSEN_BY
from guidebench.guidance.sampling import Sampler, Samples
from guidebench.metrics.variety import Neighbours, measures
from guidebench.pipeline.errors import UserError
from guidebench.pipeline.experiment import allowed_names
from guidebench.pipeline.experiment.reading import load
from guidebench.pipeline.jobs import freshness
from guidebench.pipeline.jobs.check import problems
from guidebench.pipeline.jobs.layout import Layout
from guidebench.pipeline.jobs.listing import jobs
from guidebench.report.metrics import METRICS

ZEROS = np.zeros((2, 1, 8, 8), np.uint8)
IMAGES = "metrics.own.looks={name: 'looks:contrast', of: images, reference: target}"
LOOKS = """
def contrast(samples, reference):
    assert samples.dtype == reference.dtype == 'uint8'
    return abs(samples.std() - reference.std())

contrast.title, contrast.caption, contrast.smaller_is_better = "contrast", "Of <pixels>.", True
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of docs/extending with the results of its experiment, and a metric of images."""
    warm()
    folder = tmp_path_factory.mktemp("extending")
    shutil.copytree(REPOSITORY / "docs/extending", folder, dirs_exist_ok=True)
    (folder / "looks.py").write_text(LOOKS)
    with pytest.MonkeyPatch.context() as patch:
        _enter(folder, patch)
        config = load("own.yaml", [IMAGES])
        for job in jobs(config):
            apart(partial(run_job_coarsely, config, job, Layout(Path("results"), "own")))
    return folder


def _enter(folder: Path, patch: pytest.MonkeyPatch) -> None:
    patch.chdir(folder)
    patch.syspath_prepend(folder)
    for path in folder.glob("*.py"):
        patch.delitem(sys.modules, path.stem, raising=False)


@pytest.fixture
def experiment(folder, monkeypatch):
    _enter(folder, monkeypatch)
    return guidebench.load("own.yaml", [IMAGES])


@pytest.mark.timeout(1200)
def test_every_kind_runs_to_the_report(experiment) -> None:
    config, layout = experiment.config, experiment.layout
    assert list(problems(config, layout, list(jobs(config)))) == []
    assert freshness.stale(config, layout) == {}
    results = experiment.tables.results
    for metric in ("nearest", "looks"):
        rows = results[(results.metric == metric) & (results.split == "evaluation")]
        assert set(rows.setup) == {"unguided", "floor", "clean/x0+sign", "mine/x0", "mine/cfg"}
        assert (rows.value > 0).all()
        assert (rows.se > 0).all()
        for kind in ("png", "svg"):
            assert (layout.figures / f"shades/metric_{metric}.{kind}").is_file()
    page = layout.report.read_text()
    for words in (
        "<th>nearest (lower is better)</th>",
        "distance to the nearest real image against the scale (my_metric:nearest)",
        "samples look real, or were learnt by heart",
        "contrast against the scale (looks:contrast)",
        "Of &lt;pixels&gt;.",
        "my_sampler:tempered",
    ):
        assert words in page.replace("\n", " "), words
    assert "The sampler alone, with an exact denoiser" not in page  # of ours only


UNDRAWN = {"backward_passes", "denoiser_evaluations", "diverged", "load", "peak_memory", "seconds"}
UNDRAWN |= {"sw_judge", "csw_judge", "sw_inception", "csw_inception"}


def test_no_other_name_is_in_the_tables(experiment) -> None:
    """What no metric of a user's may be named like: here, and of Inception or all classes."""
    found = set(experiment.tables.results.metric) - {"nearest", "looks"}
    found |= {*CHOSEN_BY, *CHOSEN_BY.values()}
    rows = np.random.default_rng(0).normal(size=(9, 2))
    features = {f"{key}:judge": rows for key in ("hidden", "probabilities")}
    features["predicted:judge"] = np.zeros(9)
    found |= {one.metric for one in measures(features, Neighbours(rows), np.ones(9, bool), 2)}
    ours = {name for name in found if not name.startswith("accuracy_")}
    assert ours == allowed_names.MEASURED
    assert set(METRICS) <= found
    # the others are no quality: costs, and what scales are chosen by; a metric has a record
    assert ours - set(METRICS) == UNDRAWN


def test_more_samples_are_the_runs(experiment) -> None:
    stored = np.load(experiment.layout.samples("shades") / "mine/x0/scale-10/evaluation-0.npz")
    samples = experiment.sample("shades", "mine/x0", scale=10, count=8)
    np.testing.assert_array_equal(samples.images, stored["images"])
    np.testing.assert_array_equal(samples.diverged, stored["diverged"])
    other = experiment.sample("shades", "mine/x0", scale=10, count=8, split="mine")
    assert (other.images != samples.images).any()
    assert experiment.sample("shades", "unguided", count=3).images.shape == (3, 1, 8, 8)


def test_more_than_a_block_is_sampled_in_blocks(experiment, monkeypatch) -> None:
    """Of 6 images in micro-batches of 4: each block is padded, and asks for labels of its own."""
    sizes, sheet = (
        {"sampling.block": 6, "sampling.evaluation": 12},
        {"sampling.grid_images": 1, "sampling.grid_steps": 2},
    )
    settings = [f"datasets.shades.{key}={value}" for key, value in (sizes | sheet).items()]
    found = guidebench.load("own.yaml", [IMAGES, *settings])
    asked = []

    def sampler(self, setup, scale, guide, seeds, labels, *, steps):
        asked.append((seeds.tolist(), steps))
        return Samples(np.zeros((len(seeds), 1, 8, 8), np.uint8), seeds > 0, [0.5], np.zeros(0))

    monkeypatch.setattr(Sampler, "__call__", sampler)
    samples = found.sample("shades", "mine/x0", 10, count=10)
    seeds = [
        workload.image_seeds(found.config, "shades", block)
        for block in workload.blocks(found.config, "shades")
        if block.split == "evaluation"
    ]
    assert asked == [(seeds[0], 4), (seeds[1][:4], 4)]
    assert (samples.images.shape, samples.seconds) == ((10, 1, 8, 8), [0.5, 0.5])
    found.sample("shades", "mine/x0", 10, count=2, split="grid")
    assert asked[2][1] == 2


def test_scores_are_the_runs(experiment) -> None:
    samples = experiment.sample("shades", "mine/cfg", scale=3, count=8)
    scores = experiment.score("shades", samples.images, samples.diverged)
    table = experiment.tables.results
    rows = table[(table.setup == "mine/cfg") & (table.scale == 3) & (table.split == "evaluation")]
    rows = rows[~rows.metric.isin(("seconds", "load", "peak_memory"))].set_index("metric")
    costs = {"denoiser_evaluations", "backward_passes"}
    assert set(scores) == set(rows.index) - costs
    assert {"nearest", "looks", "cfd_judge"} <= set(scores)
    for name, score in scores.items():
        assert score.value == pytest.approx(rows.value[name], nan_ok=True), name
        assert score.se == pytest.approx(rows.se[name], nan_ok=True), name


def test_networks(experiment) -> None:
    assert experiment.denoiser("shades").prediction == "v"
    assert experiment.classifier("shades", "judge").head.out_features == 1


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (lambda e: e.denoiser("nowhere"), "data set: found nowhere, allowed: shades"),
        (lambda e: e.sample("nowhere", "unguided"), "data set: found nowhere, allowed: shades"),
        (lambda e: e.classifier("shades", "no"), "found shades.no, allowed: shades.clean, shades"),
        (lambda e: e.sample("shades", "no"), "setup: found no, allowed: unguided, clean/x0"),
        (lambda e: e.sample("shades", "mine/x0"), "scale of mine/x0: found None, allowed: a num"),
        (lambda e: e.sample("shades", "unguided", 1.0), "found 1.0, allowed: none without guid"),
        (lambda e: e.sample("shades", "unguided", count=0), "count: found 0, allowed: at least 1"),
        (
            lambda e: e.score("shades", np.zeros((3, 1, 8, 8))),
            r"images: found float64 of shape \(3, 1, 8, 8\), allowed: uint8 of shape \(3, 1, 8, 8",
        ),
        (
            lambda e: e.score("shades", ZEROS[:, :, :4]),
            r"found uint8 of shape \(2, 1, 4, 8\), allo",
        ),
        (
            lambda e: e.score("shades", ZEROS[:0]),
            r"images: found .* allowed: uint8 of shape \(1, 1,",
        ),
        (lambda e: e.score("shades", ZEROS, [0, 1]), "diverged: found int64 .* allowed: bool"),
        (
            lambda e: e.score("shades", ZEROS, labels=ZEROS[:1, 0, 0, 0]),
            "labels: found uint8 of sha",
        ),
        (lambda e: e.score("shades", ZEROS, guide="no"), "guide: found no, allowed: clean, judge"),
        (lambda e: guidebench.load("own.yaml", ["seed=x"]), 'seed: found "x", allowed: integer'),
        (
            lambda e: guidebench.load("own.yaml", results="elsewhere").tables,
            "elsewhere/own/tables/manifest.json: not computed yet; run the experiment",
        ),
        (
            lambda e: guidebench.load("own.yaml", results="elsewhere").denoiser("shades"),
            "elsewhere/own/shades/denoiser/manifest.json: not computed yet",
        ),
    ],
)
def test_what_is_not_there_is_one_line(ask, said, experiment) -> None:
    with pytest.raises(UserError, match=said) as raised:
        ask(experiment)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("setting", "ask", "said"),
    [
        ("seed=123", lambda e: e.tables, "tables/manifest.json: changed: config.seed: 0 -> 123"),
        ("description=x", lambda e: e.tables, 'changed: config.description: .* -> "x";'),
        (
            "datasets.shades.schedule.timesteps=40",
            lambda e: e.denoiser("shades"),
            "denoiser/manifest.json: .*timesteps: 20 -> 40; run the experiment with this config",
        ),
        ("datasets.shades.data.train=60", lambda e: e.sample("shades", "unguided"), "runs again"),
        ("seed=123", lambda e: e.score("shades", ZEROS), "data/manifest.json: changed: seed"),
    ],
)
def test_results_of_another_config_are_not_answered(setting, ask, said, experiment) -> None:
    with pytest.raises(UserError, match=said):
        ask(guidebench.load("own.yaml", [IMAGES, setting]))


def test_a_damaged_model_is_not_used(experiment) -> None:
    path = experiment.layout.denoiser("shades") / "unet/config.json"
    whole = path.read_bytes()
    try:
        path.write_bytes(whole[:-1] + b" ")  # of the same size
        with pytest.raises(UserError, match="truncated or edited"):
            experiment.sample("shades", "unguided", count=2)
    finally:
        path.write_bytes(whole)


def test_the_readmes_example(experiment, monkeypatch) -> None:
    """It names the default experiment's parts, which take minutes to make."""
    text = (REPOSITORY / "README.md").read_text()
    text = text.partition("## From Python\n\n```python\n")[2].partition("```")[0]
    assert 6 <= len(text.splitlines()) <= 8
    names = {'"config.yaml"': f'"own.yaml", [{IMAGES!r}]', "sportballs": "shades"}
    names["clean/x0"] = "mine/x0"
    for old, new in names.items():
        assert old in text
        text = text.replace(old, new)
    said: list[object] = []
    found: dict[str, object] = {"print": lambda *values: said.extend(values)}
    exec(text, found)
    assert isinstance(found["table"], pd.DataFrame)
    assert all(np.isfinite(said))
    assert len(said) == 2


def test_the_package_is_typed_and_opens_without_heavy_libraries() -> None:
    assert files("guidebench").joinpath("py.typed").is_file()
    code = "import sys, guidebench; print({'torch', 'pandas', 'numpy'} & set(sys.modules))"
    done = completed(sys.executable, "-c", code)
    assert done.stdout.strip() == "set()", done.stderr
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        guidebench.nothing  # noqa: B018
    assert set(guidebench.__all__) == {"Experiment", "evaluate", "load"}
