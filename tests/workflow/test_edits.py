"""What re-runs after which edit: nothing that did not change is computed twice."""

import base64
import os
import re
import shutil
from pathlib import Path
from typing import NamedTuple

import pytest
from checkouts import SMOKE, checkout
from digits import write_digits

REPORT = {"collect": 1, "findings": 1, "plots": 3, "report": 1}
BALLS = {"sample": 2, "features": 2, "metrics": 1} | REPORT
BOTH = {"sample": 4, "features": 4, "metrics": 2} | REPORT

TRAINED = {"train_denoiser": 2, "train_classifier": 6, "sensitivity": 4}

# edit of the experiment: key, value, and the jobs that run
KEYS = {
    "an unrelated key": ("device", "cpu", {}),
    "how often checkpoints are written": ("datasets/sportballs/denoiser/checkpoint_every", 11, {}),
    "the description": ("description", "another", REPORT),
    "a new scale": ("datasets/sportballs/setups/clean|raw/scales", [1, 3, 10], BALLS),
    "a scale less": ("datasets/sportballs/setups/clean|raw/scales", [1], BALLS),
    "the steps of the sampler": ("datasets/sportballs/sampling/steps", 5, BALLS),
    # `real` images are scored by the classifier, too
    "the clean classifier's learning rate": (
        "datasets/sportballs/classifiers/clean/learning_rate",
        1e-3,
        {"train_classifier": 1, "sensitivity": 1} | BALLS | {"features": 3},
    ),
    "the denoiser's learning rate": (
        "datasets/mnist/denoiser/learning_rate",
        1e-3,
        {"train_denoiser": 1, "sensitivity": 2} | BALLS,
    ),
    "the jackknife": ("metrics/jackknife_blocks", 8, {"metrics": 2, "ground_truth": 1} | REPORT),
    "a world's scale": ("worlds/two/setups/cfg/scales", [0, 1, 2], {"ground_truth": 1} | REPORT),
}


class Edit(NamedTuple):
    """An edit of the code: file (of the package, or in workflow/), texts, the jobs that run."""

    path: str
    old: str
    new: str
    jobs: dict[str, int] = {}


CODE = {
    "a comment in the sampler": Edit(
        "diffusion/samplers.py", "    for step, (s, r)", "    # a comment\n    for step, (s, r)"
    ),
    "a docstring in the training": Edit(
        "train/loop.py", '"""One training loop', '"""The training loop'
    ),
    "a comment in a rule file": Edit(
        "workflow/rules/train.smk", "rule train_denoiser:", "# a comment\nrule train_denoiser:"
    ),
    "the command line": Edit(
        "pipeline/cli.py", "def main() -> None:", "assert True\n\n\ndef main() -> None:"
    ),
    "plotting code": Edit(
        "report/figures/drawing.py",
        "    paths: list[Path] = []",
        "    paths: list[Path] = list()",
        {"plots": 2, "report": 1},
    ),
    "the page's template": Edit(
        "report/pages/page.html.j2", "<body>", "<body><!-- new -->", {"report": 1}
    ),
    "the sampler": Edit(
        "diffusion/samplers.py",
        "    for step, (s, r)",
        "    assert grid\n    for step, (s, r)",
        BOTH | {"ground_truth": 1},
    ),
    "a schedule's constant": Edit(
        "diffusion/schedules.py",
        "factor = 1000 /",
        "factor = 1001 /",
        TRAINED | BOTH | {"features": 6, "train_classifier": 2, "ground_truth": 1},
    ),
    "a schedule's grid": Edit(
        "diffusion/schedules.py",
        "[CLEAN]",
        "[CLEAN - 0]",
        {"sensitivity": 4, "ground_truth": 1} | BOTH,
    ),
    "the order of the sport balls": Edit(
        "base/choices.py",
        '"baseball", "basketball"',
        '"basketball", "baseball"',
        {"prepare": 1, "train_denoiser": 1, "train_classifier": 3, "sensitivity": 2}
        | BALLS
        | {"features": 3},
    ),
    "one sampler of two in use": Edit(
        "diffusion/samplers.py",
        "(prediction.eps + corrected.eps) / 2",
        "(corrected.eps + prediction.eps) / 2",
        {"ground_truth": 1} | REPORT,
    ),
    "one stabilizer": Edit(
        "guidance/stabilizers.py", "+ self.eps)", "+ 2 * self.eps)", {"sensitivity": 2} | BALLS
    ),
    "a new sampler, stabilizer and data set": Edit(
        "diffusion/samplers.py",
        "    dpmpp_2m=dpmpp_2m,\n",
        "    dpmpp_2m=dpmpp_2m,\n    another=ddim,\n",
    ),
    "the Fréchet code": Edit(
        "metrics/frechet.py", "traces - 2 * cross", "traces - 2.0 * cross", {"metrics": 2} | REPORT
    ),
    "a type annotation": Edit("train/loop.py", "size: int, seed: int", "size: int, seed: float"),
    "a rule's shell line": Edit(
        "workflow/rules/data.smk", "guidebench prepare {CLI}", "guidebench  prepare {CLI}"
    ),
    "the mixture of Gaussians": Edit(
        "data/gaussian_mixture.py",
        "    numbers = labels.unique().tolist()",
        "    assert True\n    numbers = labels.unique().tolist()",
        {"ground_truth": 1} | REPORT,
    ),
}

# edits of which Snakemake is asked, too: files that only it reads, and some of every other kind
SNAKEMAKE = {
    "a comment in a rule file",
    "a rule's shell line",
    "a schedule's constant",
    "the command line",
    "the clean classifier's learning rate",
    "a new scale",
    "an unrelated key",
}


@pytest.mark.parametrize("edit", KEYS)
def test_jobs_after_an_edit_of_the_experiment(edit: str, copy) -> None:
    key, value, jobs = KEYS[edit]
    copy.configure(key, value)
    assert copy.stale() == jobs
    if edit in SNAKEMAKE:
        assert copy.planned() == jobs


@pytest.mark.parametrize("edit", CODE)
def test_jobs_after_an_edit_of_the_code(edit: str, copy) -> None:
    path, old, new, jobs = CODE[edit]
    copy.edit(path if path.startswith("workflow/") else f"src/guidebench/{path}", old, new)
    assert copy.stale() == jobs
    if edit in SNAKEMAKE:
        assert copy.planned() == jobs


def test_nothing_changed_runs_nothing(finished) -> None:
    assert finished.planned() == {}


@pytest.mark.parametrize(
    ("name", "stage"),
    [
        ("mnist/metrics/manifest.json", "metrics"),
        ("tables/results.parquet", "collect"),
        ("findings.json", "findings"),
        ("report.html", "report"),
        ("plots/mnist/provenance.json", "plots"),
        ("mnist/samples/cfg/scale-3/evaluation-0.npz", "sample"),
        ("mnist/samples/cfg/scale-3/evaluation-0.cell.json", "sample"),
        ("pictures/mnist.npz", "collect"),
    ],
)
def test_a_missing_file_is_made_again(name: str, stage: str, copy) -> None:
    (copy.root / "results/smoke" / name).unlink()
    stale = copy.stale()
    assert stale[stage] == 1
    assert stale["report"] == 1
    assert "prepare" not in stale


def test_an_emptied_report_is_written_again(copy) -> None:
    (copy.root / "results/smoke/report.html").write_text("")
    assert copy.stale() == {"report": 1}


def test_what_snakemake_remembers_decides_nothing(copy) -> None:
    """That a job was begun and never seen to end; or nothing at all."""
    begun = copy.root / ".snakemake/incomplete"
    begun.mkdir(exist_ok=True)
    (begun / base64.urlsafe_b64encode(b"results/smoke/report.html").decode()).touch()
    shutil.rmtree(copy.root / ".snakemake/metadata")
    assert copy.planned() == {}


def test_stale_results_have_no_digest_and_no_snakemake_report(copy) -> None:
    copy.configure("datasets/mnist/sampling/steps", 5)
    done = copy.guidebench("digest", "--config", SMOKE)
    assert done.returncode == 2
    assert "results are missing or stale (sample mnist.selection-0: changed: " in done.stderr
    done = copy.snakemake("--report", "out.html")
    assert done.returncode != 0
    assert "some results are missing or stale; run again first" in done.stdout + done.stderr
    assert not (copy.root / "out.html").exists()


def test_a_file_from_outside_replaced_by_another_of_its_size_and_time(copy) -> None:
    """Prepared, then transposed in place: the same command would read other images."""
    write_digits(copy.root / "data")
    copy.configure("datasets/mnist/data/root", "data")
    copy.configure("datasets/mnist/data/train", 64)
    copy.configure("datasets/mnist/data/validation", 64)
    done = copy.guidebench("prepare", "--config", SMOKE, "--dataset", "mnist")
    assert done.returncode == 0, done.stderr
    assert "prepare" not in copy.stale()
    path = copy.root / "data/MNIST/raw/train-images-idx3-ubyte"
    stat, content = path.stat(), path.read_bytes()
    path.write_bytes(content[:16] + content[16:][::-1])
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert copy.planned()["prepare"] == 1


def test_a_copied_folder_is_as_good_as_the_original(copy, tmp_path: Path) -> None:
    """Only `results/` travels; with one more scale, plan and Snakemake name the same jobs."""
    (tmp_path / "other").mkdir()
    other = checkout(tmp_path / "other")
    shutil.copytree(copy.root / "results", other.root / "results")
    assert other.planned() == {}
    other.configure("datasets/mnist/setups/cfg/scales", [0, 1, 3])
    assert other.planned() == BALLS
    plan = other.guidebench("plan", "--config", SMOKE, "--images-per-second", "1000")
    assert "33 jobs, 22 up to date, 11 to run" in plan.stdout, plan.stdout + plan.stderr


def test_touching_or_checking_out_again_runs_nothing(copy) -> None:
    for folder in ("src", "workflow", "results"):
        for path in (copy.root / folder).rglob("*"):
            os.utime(path)
    os.utime(copy.root / "Snakefile")
    assert copy.planned() == {}


def test_new_scale_computes_its_own_cells_only(copy) -> None:
    """Counted in files: the other cells keep their bytes and their times."""
    copy.only("mnist")
    before = {path: path.stat().st_mtime_ns for path in cells(copy.root)}
    copy.configure("datasets/mnist/setups/cfg/scales", [0, 1, 3])
    copy.run("--until", "sample")
    after = {path: path.stat().st_mtime_ns for path in cells(copy.root)}
    assert {path: after[path] for path in before} == before
    new = sorted(path.relative_to(copy.root).as_posix() for path in after.keys() - before.keys())
    assert new == [
        f"results/smoke/mnist/samples/cfg/scale-1/{block}.npz"
        for block in ("evaluation-0", "selection-0")
    ]


MORE = """
base: workflow/config/smoke.yaml
name: more
datasets: {sportballs: {setups: {clean/raw: {scales: [1, 3, 10]}}}}
"""


def test_another_experiment_takes_over_what_is_done(copy) -> None:
    """With one more scale; a dry run, `plan` and the run agree, and nothing is written before."""
    (copy.root / "more.yaml").write_text(MORE)
    plan = copy.guidebench("plan", "--config", "more.yaml", "--images-per-second", "1000")
    assert "33 jobs, 0 up to date, 22 taken, 11 to run" in plan.stdout, plan.stdout + plan.stderr
    assert "taken from smoke: prepare 2, train_denoiser 2, train_classifier 6" in plan.stdout
    assert copy.planned("more.yaml") == BALLS
    assert not (copy.root / "results/more").exists()
    # by hand all of them run
    forced = copy.run("--dry-run", "--quiet", "rules", "--forceall", config="more.yaml")
    assert re.search(r"^train_classifier\s+6$", forced, re.MULTILINE)
    # up to the tables: nothing behind them is ever taken over, and drawing takes long
    done = copy.run("--until", "collect", config="more.yaml")
    assert "taken from smoke: prepare 2, " in done
    behind = {stage: REPORT[stage] for stage in ("findings", "plots", "report")}
    jobs = re.search(r"^total\s+(\d+)$", done, re.MULTILINE)
    assert jobs is not None
    assert int(jobs[1]) == sum(BALLS.values()) - sum(behind.values())
    assert copy.planned("more.yaml") == behind
    assert copy.stale("more.yaml") == behind
    new = {path.relative_to(copy.root / "results/more") for path in cells(copy.root, "more")}
    old = {path.relative_to(copy.root / "results/smoke") for path in cells(copy.root)}
    assert {path.parent.name for path in new - old} == {"scale-3"}
    assert len(new - old) == 2
    # each stands without the other
    shutil.rmtree(copy.root / "results/smoke")
    assert copy.stale("more.yaml") == behind


def cells(root: Path, name: str = "smoke") -> list[Path]:
    return sorted((root / "results" / name).glob("*/samples/**/*.npz"))
