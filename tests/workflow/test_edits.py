"""What re-runs after which edit: nothing that did not change is computed twice."""

import os
from pathlib import Path

import pytest

REPORT = {"collect": 1, "findings": 1, "plots": 1, "report": 1}
BALLS = {"sample": 2, "features": 2, "metrics": 1} | REPORT
BOTH = {"sample": 4, "features": 4, "metrics": 2} | REPORT

# edit of the experiment: key, value, and the jobs that run
KEYS = {
    "an unrelated key": ("device", "cpu", {}),
    "how often checkpoints are written": (
        "datasets/sportballs/denoiser/checkpoint_every", 11, {}),
    "the description": ("description", "another", REPORT),
    "a new scale": ("datasets/sportballs/setups/clean|raw/scales", [1, 3, 10], BALLS),
    "a scale less": ("datasets/sportballs/setups/clean|raw/scales", [1], BALLS),
    "the steps of the sampler": ("datasets/sportballs/sampling/steps", 5, BALLS),
    # `real` images are scored by the classifier, too
    "the clean classifier's learning rate": (
        "datasets/sportballs/classifiers/clean/learning_rate", 1e-3,
        {"train_classifier": 1, "sensitivity": 1} | BALLS | {"features": 3}),
    "the denoiser's learning rate": (
        "datasets/mnist/denoiser/learning_rate", 1e-3,
        {"train_denoiser": 1, "sensitivity": 2} | BALLS),
    "the jackknife": ("metrics/jackknife_blocks", 8, {"metrics": 2, "ground_truth": 1} | REPORT),
    "a world's scale": (
        "worlds/two/setups/cfg/scales", [0, 1, 2], {"ground_truth": 1} | REPORT),
}  # fmt: skip

# edit of the code: file, old text, new text, and the jobs that run
CODE = {
    "a comment in the sampler": (
        "src/guidebench/diffusion/samplers.py", "    for step, (s, r)",
        "    # a comment\n    for step, (s, r)", {}),
    "a docstring in the training": (
        "src/guidebench/train/loop.py", '"""One training loop', '"""The training loop', {}),
    "a comment in a rule file": (
        "workflow/rules/train.smk", "rule train_denoiser:", "# a comment\nrule train_denoiser:",
        {}),
    "the command line": (
        "src/guidebench/cli.py", "def main() -> None:", "assert True\n\n\ndef main() -> None:", {}),
    "plotting code": (
        "src/guidebench/report/figures.py", "    paths: list[Path] = []",
        "    paths: list[Path] = list()", {"plots": 1, "report": 1}),
    "the page's template": (
        "src/guidebench/report/page.html.j2", "<body>", "<body><!-- new -->", {"report": 1}),
    "the sampler": (
        "src/guidebench/diffusion/samplers.py", "    for step, (s, r)",
        "    assert grid\n    for step, (s, r)", BOTH | {"ground_truth": 1}),
    "the mixture of Gaussians": (
        "src/guidebench/data/gaussian_mixture.py", "    found = labels.unique().tolist()",
        "    assert True\n    found = labels.unique().tolist()", {"ground_truth": 1} | REPORT),
}  # fmt: skip


@pytest.mark.parametrize("edit", KEYS)
def test_jobs_after_an_edit_of_the_experiment(edit: str, copy) -> None:
    key, value, jobs = KEYS[edit]
    copy.configure(key, value)
    assert copy.planned() == jobs


@pytest.mark.parametrize("edit", CODE)
def test_jobs_after_an_edit_of_the_code(edit: str, copy) -> None:
    path, old, new, jobs = CODE[edit]
    copy.edit(path, old, new)
    assert copy.planned() == jobs


def test_nothing_changed_runs_nothing(finished) -> None:
    assert finished.planned() == {}


def test_touching_or_checking_out_again_runs_nothing(copy) -> None:
    for folder in ("src", "workflow", "results"):
        for path in (copy.root / folder).rglob("*"):
            os.utime(path)
    os.utime(copy.root / "Snakefile")
    assert copy.planned() == {}


def test_new_scale_computes_its_own_cells_only(copy) -> None:
    """Counted in files: the other cells keep their bytes and their times."""
    before = {path: path.stat().st_mtime_ns for path in cells(copy.root)}
    copy.configure("datasets/mnist/setups/cfg/scales", [0, 1, 3])
    copy.run()
    after = {path: path.stat().st_mtime_ns for path in cells(copy.root)}
    assert {path: after[path] for path in before} == before
    new = sorted(path.relative_to(copy.root).as_posix() for path in after.keys() - before.keys())
    assert new == [
        f"results/smoke/mnist/samples/cfg/scale-1/{block}.npz"
        for block in ("evaluation-0", "selection-0")
    ]


def cells(root: Path) -> list[Path]:
    return sorted((root / "results/smoke").glob("*/samples/**/*.npz"))
