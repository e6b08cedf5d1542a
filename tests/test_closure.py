"""A stage's code digest changes with the code that its results depend on, and with nothing else."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from guidebench.closure import PACKAGE, source_digest
from guidebench.errors import UserError

TRAINING = {"train_denoiser", "train_classifier"}
DIGESTS = """
import json, sys
from guidebench.closure import PACKAGE, code_digest
from guidebench.cli import STAGES
assert str(PACKAGE) == sys.argv[1], PACKAGE
print(json.dumps({stage: code_digest(stage) for stage in STAGES}))
"""


def digests(package: Path) -> dict[str, str]:
    """The code digest of every stage of a copy of the package, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", DIGESTS, str(package)],
        env=os.environ | {"PYTHONPATH": str(package.parent), "PYTHONDONTWRITEBYTECODE": "1"},
        cwd=package.parent, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found: dict[str, str] = json.loads(done.stdout)
    return found


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    package = tmp_path_factory.mktemp("untouched") / "guidebench"
    return shutil.copytree(PACKAGE, package, ignore=shutil.ignore_patterns("__pycache__"))


@pytest.fixture(scope="module")
def original(untouched: Path) -> dict[str, str]:
    return digests(untouched)


@pytest.fixture
def copy(tmp_path: Path, untouched: Path) -> Path:
    return shutil.copytree(untouched, tmp_path / "guidebench")


@pytest.fixture
def rerun(copy: Path, original: dict[str, str]) -> Callable[[str], set[str]]:
    """The stages whose digest changes with a statement more in one file."""

    def stages(name: str) -> set[str]:
        with open(copy / name, "a") as file:
            file.write("\nEXTRA = 1\n" if name.endswith(".py") else "\n{# more #}\n")
        found = digests(copy)
        return {stage for stage in original if found[stage] != original[stage]}

    return stages


def test_a_copy_elsewhere_has_the_same_digests(copy, original):
    assert digests(copy) == original
    assert len(set(original.values())) == len(original)


def test_comments_docstrings_and_layout_change_nothing(copy, original):
    for path in copy.rglob("*.py"):
        text = path.read_text().replace('"""', '"""In other words: ', 1)
        path.write_text("# a comment\n\n" + text + "\n\n# and another\n")
    assert digests(copy) == original


def test_sampler_code_re_samples_and_trains_nothing(rerun):
    assert rerun("diffusion/samplers.py") == {"sample", "ground_truth"}


def test_the_training_loop_trains_and_samples_nothing(rerun):
    assert rerun("train/loop.py") == TRAINING


def test_drawing_code_draws_and_collects_nothing(rerun):
    changed = rerun("report/figures.py")
    assert "plots" in changed
    assert changed <= {"plots", "report"}


def test_a_template_changes_the_report_only(rerun):
    assert rerun("report/page.html.j2") == {"report"}


def test_what_every_network_uses_changes_every_stage_with_a_network(rerun):
    changed = rerun("data/store.py")
    assert changed >= TRAINING | {"prepare", "sensitivity", "sample", "features"}
    assert "findings" not in changed


@pytest.mark.parametrize(
    "name", ["cli.py", "config.py", "mistakes.py", "tracking.py", "stages/stage.py"]
)
def test_plumbing_changes_nothing(name, rerun):
    assert rerun(name) == set()


def test_adopted_results_stand_for_the_new_code_and_no_newer(copy, original, rerun):
    assert rerun("diffusion/samplers.py") == {"sample", "ground_truth"}
    new = digests(copy)
    entries = {stage: {"code": new[stage], "stands_for": original[stage],
                       "reason": "a constant, unused"}
               for stage in ("sample", "ground_truth")}  # fmt: skip
    (copy.parent / "adopted.json").write_text(json.dumps(entries))
    assert digests(copy) == original
    assert rerun("diffusion/samplers.py") == {"sample", "ground_truth"}


def test_a_users_module_counts_without_its_comments(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    module = tmp_path / "my_stabilizer.py"

    def digest(text: str) -> str:
        module.write_text(text)
        return source_digest("my_stabilizer:Mine")

    first = digest("class Mine:\n    '''Mine.'''\n    size = 1\n")
    assert digest("# why\nclass Mine:\n    size = 1\n") == first
    assert digest("class Mine:\n    size = 2\n") != first
    for text, said in (("class Yours: ...\n", "no Mine in"), ("class Mine\n", "line 1")):
        with pytest.raises(UserError, match=said):
            digest(text)
