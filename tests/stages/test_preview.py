"""A preview shows what stands, grows with it, and gives way to the report, without a network."""

import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from processes import completed
from tiny import BALLS, DENOISER, SAMPLING, SENSITIVITY, TRAINED, configured, run_job
from torch_fidelity.feature_extractor_base import FeatureExtractorBase

from guidebench.base.cells import Cell
from guidebench.pipeline.errors import UserError
from guidebench.pipeline.jobs import listing
from guidebench.pipeline.jobs.check import problems
from guidebench.pipeline.jobs.layout import Job, Layout
from guidebench.pipeline.jobs.listing import jobs
from guidebench.pipeline.jobs.stages import FOLLOWING
from guidebench.pipeline.records.events import Events
from guidebench.pipeline.run import previews
from guidebench.stages.preview import Preview

CLEAN = {"guidance": "classifier", "classifier": "clean", "scales": [1, 10]}
EXPERIMENT = {
    "name": "one",
    "metrics": {"jackknife_blocks": 4},
    "datasets": {
        "balls": {
            "data": BALLS | {"train": 48, "validation": 48, "rotation": "in_plane"},
            "target": "baseball",
            "schedule": {"timesteps": 20},
            "denoiser": DENOISER,
            "classifiers": {
                "clean": TRAINED,
                "judge": TRAINED | {"architecture": "small_resnet", "half": "second"},
            },
            "sensitivity": SENSITIVITY,
            "sampling": SAMPLING | {"selection": 4},
            "setups": {"unguided": {}, "clean/raw": CLEAN},
        }
    },
}


# a stage's own command line, and then whether torch was imported
ALONE = """
import sys
from guidebench.pipeline import cli
try:
    cli.main()
except SystemExit as end:
    print("torch" in sys.modules)
    raise
"""


class Run:
    """An experiment, of which some jobs have run."""

    def __init__(self, root: Path, experiment: dict[str, Any] = EXPERIMENT) -> None:
        name = experiment["name"]
        self.file = root / f"{name}.json"
        self.config = configured(experiment, self.file)
        self.layout = Layout(root / "results", name)
        self.left = list(jobs(self.config))
        self.preview = Preview(self.config, self.layout, root / f"pictures of {name}")

    def __call__(self, *stages: str, block: str | None = None) -> None:
        for job in [job for job in self.left if job.stage in stages]:
            if block in (None, job.block):
                run_job(self.config, job, self.layout)
                self.left.remove(job)

    def page(self) -> str:
        assert self.preview.write()
        text = self.layout.preview.read_text()
        done = len(list(jobs(self.config))) - len(self.left)
        assert f"not its report:\n{done} of {len(list(jobs(self.config)))} jobs" in text
        assert not re.search(r"<img[^>]*src=\"(?!data:)", text)
        return text

    def trains(self, job: Job) -> Events:
        """A training that has told its first loss."""
        events = Events(self.layout.events(job.stage, job.name), job.stage, job.name)
        events.start(listing.spec(self.config, job), {})
        events.metric(1, loss=0.5, lr=0.1)
        return events


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return Run(tmp_path_factory.mktemp("run"))


def _losses(run: Run) -> pd.DataFrame:
    tables, _ = run.preview._tables(["balls"])
    return tables.history[tables.history.quantity == "loss"].set_index(["model", "step"]).value


@pytest.mark.filterwarnings("ignore:The given NumPy array is not writable")
def test_a_preview_grows_until_the_report_takes_its_place(run: Run, tmp_path: Path) -> None:
    config, layout = run.config, run.layout
    assert not run.preview.write()
    with pytest.raises(UserError, match="found nothing to preview, allowed: a run with at least"):
        previews.once(config, layout)
    run("prepare")
    text = run.page()
    assert "PREVIEW of guidebench: one" in text
    assert "Real images" in text
    assert "The denoiser is not there yet" in text
    assert "Loss curves" not in text
    # of a training that goes on, of this config alone
    run.trains(Job("train_denoiser", "balls"))
    other = run.trains(Job("train_classifier", "balls", "clean"))
    other.start({"steps": 99}, {})
    other.metric(2, loss=9.0)
    assert _losses(run).to_dict() == {("clean", 1): 0.5, ("denoiser", 1): 0.5}
    assert "Loss curves" in run.page()
    run("train_denoiser", "train_classifier")
    run("features", block="real")
    assert "accuracy on clean images" in run.page()
    # finished cells of a block that is not: a sampling job was killed
    run("sample", block="evaluation-0")
    manifest = listing.manifest(layout, Job("sample", "balls", block="evaluation-0"))
    manifest.rename(tmp_path / "kept")
    run.left.append(Job("sample", "balls", block="evaluation-0"))
    text = run.page()
    assert "Setups at the scales that were sampled so far" in text
    assert "Guided samples so far" not in text
    (tmp_path / "kept").rename(manifest)
    run.left.pop()
    run("sample", block="selection-0")
    run("features", block="selection-0")
    text = run.page()
    assert "n = 4 selection seeds</strong>, on which the scales are chosen" in text
    assert "Accuracy by the judge against the scale" in text
    run("features", block="evaluation-0")
    text = run.page()
    assert "n = 8 of 8 evaluation seeds" in text
    assert "Missing here" not in text
    run("sensitivity")
    assert "Accuracy against t" in run.page()
    # what is shown of whole blocks is what the report shows
    tables, _ = run.preview._tables(["balls"])
    run(*{job.stage for job in run.left} - {*FOLLOWING})
    for name, found in (
        ("metrics", tables.results),
        ("jackknife", tables.jackknife),
        ("reference_jackknife", tables.reference_jackknife),
    ):
        measured = pd.read_parquet(layout.metrics("balls") / f"{name}.parquet")
        pd.testing.assert_frame_equal(found, measured)
    assert layout.preview.is_file()
    assert not run.preview.write()  # the report is about to come
    run(*FOLLOWING)
    assert not layout.preview.exists()
    assert "PREVIEW" not in layout.report.read_text()
    assert list(problems(config, layout, jobs(config))) == []
    assert not run.preview.write()


@pytest.mark.parametrize("stage", ["metrics", "findings", "plots", "report"])
def test_a_stage_without_a_network_does_not_import_torch(stage: str, run: Run) -> None:
    """`collect` does: it embeds times as the denoiser does, and noises the first image."""
    run(*{job.stage for job in run.left})
    of = ["--dataset", "balls"] if stage in ("metrics", "plots") else []
    where = ["--config", str(run.file), "--results", str(run.layout.root.parent), *of]
    done = completed(sys.executable, "-c", ALONE, stage, *where)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["False"]


def test_a_report_that_was_published_meanwhile_stays_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Run(tmp_path)
    run("prepare")
    manifest = listing.manifest(run.layout, Job("report"))

    def published(*arguments: Any, **options: Any) -> str:
        manifest.parent.mkdir()
        manifest.write_text("{}")
        return "late"

    monkeypatch.setattr("guidebench.report.pages.preview.render", published)
    assert not run.preview.write()
    assert not run.layout.preview.exists()


def _cell(run: Run, scale: float) -> Path:
    """The samples of a cell in the first evaluation block."""
    return run.layout.samples("balls") / Cell("clean/raw", scale).path / "evaluation-0.npz"


def test_samples_that_another_experiment_has_are_shown_as_they_lie_there(tmp_path: Path) -> None:
    balls = EXPERIMENT["datasets"]["balls"]
    more = balls["setups"] | {"clean/raw": CLEAN | {"scales": [1, 10, 100]}}
    one = Run(tmp_path)
    two = Run(
        tmp_path, EXPERIMENT | {"name": "two", "datasets": {"balls": balls | {"setups": more}}}
    )
    for run in (one, two):
        run("prepare", "train_denoiser", "train_classifier")
    one("sample", block="evaluation-0")
    # what one is looked for in two, where there is nothing, and then another file
    for kept in (None, np.zeros((8, 3, 8, 8), np.uint8)):
        if kept is not None:
            _cell(two, 1).parent.mkdir(parents=True)
            np.savez(_cell(two, 1), images=kept)
        assert "Setups at the scales that were sampled so far" in two.page()
        assert one.preview.write()
        block, shown = two.preview._samples("balls")
        assert (block, list(shown)) == (
            "evaluation-0",
            ["sample:unguided:none", "sample:clean/raw:1", "sample:clean/raw:10"],
        )
        for name, images in one.preview._samples("balls")[1].items():
            np.testing.assert_array_equal(shown[name], images)
    # a sampling job would not take this one
    content = bytearray(_cell(one, 10).read_bytes())
    content[len(content) // 2] ^= 1
    _cell(one, 10).write_bytes(content)
    assert two.preview.write()
    assert list(two.preview._samples("balls")[1]) == ["sample:unguided:none", "sample:clean/raw:1"]


class Brightness(FeatureExtractorBase):  # type: ignore[misc]
    """Stands for Inception: features of two dimensions."""

    def __init__(self) -> None:
        super().__init__("brightness", ["2"])

    @staticmethod
    def get_provided_features_list() -> tuple[str, ...]:
        return ("2",)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        values = x.float().flatten(1)
        return (torch.stack([values.mean(1), values.std(1)], 1),)


METRIC = """
def gap(samples, reference):
    return float(abs(samples.mean(0) - reference.mean(0)).max())
gap.title, gap.caption, gap.smaller_is_better = "gap", "Of means.", True
"""


@pytest.mark.parametrize(
    ("target", "missing"),
    [("baseball", "FID, cFID, gap_all, gap_target"), ("each", "FID, gap_all")],
)
def test_with_inception_the_judges_numbers_are_shown_and_the_others_named(
    target: str, missing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "previewed_metric.py").write_text(METRIC)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr("guidebench.stages.features.inception", lambda _: Brightness())
    own = {
        "gap_all": {"of": "inception"},
        "gap_target": {"of": "inception", "reference": "target"},
        "gap_judge": {"of": "judge"},
        "gap_images": {"of": "images"},
    }
    if target == "each":
        del own["gap_target"]
    balls = EXPERIMENT["datasets"]["balls"] | {"target": target, "sampling": SAMPLING}
    run = Run(
        tmp_path,
        EXPERIMENT
        | {
            "metrics": {
                "jackknife_blocks": 4,
                "inception": {"download": True},
                "own": {key: {"name": "previewed_metric:gap"} | one for key, one in own.items()},
            },
            "datasets": {"balls": balls},
        },
    )
    run("prepare", "train_denoiser", "train_classifier", "sample", "features")
    text = run.page()
    assert "n = 8 of 8 evaluation seeds" in text
    assert f"Missing here: {missing}</strong>" in text
    tables, _ = run.preview._tables(["balls"])
    run("metrics")
    measured = pd.read_parquet(run.layout.metrics("balls") / "metrics.parquet")
    assert {"fid", "gap_all", "fd_judge", "gap_judge", "gap_images"} <= {*measured.metric}
    of_judge = measured[measured.extractor != "inception"].reset_index(drop=True)
    pd.testing.assert_frame_equal(tables.results, of_judge)
