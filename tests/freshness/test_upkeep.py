"""Old results that stand for new code by somebody's word, and what nothing can use any more."""

import json
import shutil
from pathlib import Path

import pytest
from executed import executed  # noqa: F401
from tracing import Traced

from guidebench.pipeline import recording
from guidebench.pipeline.errors import UserError
from guidebench.pipeline.jobs import check, freshness
from guidebench.pipeline.jobs.adopt import ADOPTED, adopt
from guidebench.pipeline.jobs.garbage import remove
from guidebench.pipeline.jobs.layout import Job, Layout
from guidebench.pipeline.records import code

SAMPLERS = "guidebench.diffusion.samplers"
# the report tries the experiment's sampler on known data, too
STAGES = ("sample", "collect")
BLOCKS = {Job("sample", "digits", block=name) for name in ("selection-0", "evaluation-0")}


@pytest.fixture
def copied(executed: Traced, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Layout:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(executed.layout.root, tmp_path / "results" / "tiny")
    code.forget()
    return Layout(tmp_path / "results", "tiny")


def edited(old: str, new: str, monkeypatch: pytest.MonkeyPatch) -> None:
    source = Path(recording.__file__).parents[1].joinpath("diffusion/samplers.py").read_text()
    assert old in source
    monkeypatch.setitem(recording.sources, SAMPLERS, source.replace(old, new))
    code.forget()


def test_adopted_results_stand_for_the_new_code(executed, copied, monkeypatch) -> None:
    edited("corrected.eps) / 2", "corrected.eps) * 0.5", monkeypatch)
    stale = freshness.stale(executed.config, copied)
    assert set(stale) > BLOCKS
    for stage in STAGES:
        names = adopt(executed.config, copied, stage, "the same number")
        assert names == ["diffusion.samplers:heun"]
    assert freshness.stale(executed.config, copied) == {}
    assert list(check.problems(executed.config, copied, BLOCKS)) == []
    entry = {"functions": ["diffusion.samplers:heun"], "reason": "the same number"}
    assert json.loads(ADOPTED.read_text()) == {key: [entry] for key in STAGES}
    # and only for that: another change makes them stale again
    edited("corrected.eps) / 2", "corrected.eps) / 3", monkeypatch)
    assert set(freshness.stale(executed.config, copied)) > BLOCKS


def test_a_function_that_the_new_code_calls_counts_from_then_on(
    executed, copied, monkeypatch
) -> None:
    """It never ran for these results, but stands behind them now."""
    new = "\n\ndef halved(x: Tensor) -> Tensor:\n    return x / {}\n"
    edited("corrected.eps) / 2", "corrected.eps) / 2 + 0 * halved(start)", monkeypatch)
    first = recording.sources[SAMPLERS]
    monkeypatch.setitem(recording.sources, SAMPLERS, first + new.format(2))
    code.forget()
    for stage in STAGES:
        adopt(executed.config, copied, stage, "as before")
    assert freshness.stale(executed.config, copied) == {}
    monkeypatch.setitem(recording.sources, SAMPLERS, first + new.format(3))
    code.forget()
    assert set(freshness.stale(executed.config, copied)) > BLOCKS


def test_what_cannot_be_adopted_is_said(executed, copied, monkeypatch) -> None:
    with pytest.raises(UserError, match="found no changed code in sample"):
        adopt(executed.config, copied, "sample", "")
    edited("def heun(", "def heun_2(", monkeypatch)
    with pytest.raises(UserError, match=r"diffusion\.samplers:heun: ran for .* and is gone"):
        adopt(executed.config, copied, "sample", "")
    shutil.rmtree(copied.samples("digits"))
    shutil.rmtree(copied.samples("balls"))
    with pytest.raises(UserError, match="found no results of sample"):
        adopt(executed.config, copied, "sample", "")
    assert not ADOPTED.exists()


def test_all_of_a_stage_is_adopted_or_nothing(executed, copied, monkeypatch) -> None:
    edited("corrected.eps) / 2", "corrected.eps) * 0.5", monkeypatch)
    stale = freshness.stale(executed.config, copied)
    last = sorted(copied.samples("digits").rglob("*.cell.json"))[-1]
    last.write_bytes(last.read_bytes()[:-9])
    with pytest.raises(UserError, match=r"cell\.json: "):
        adopt(executed.config, copied, "sample", "the same number")
    code.forget()
    assert freshness.stale(executed.config, copied) == stale
    assert not ADOPTED.exists()


def test_garbage_is_what_no_run_can_use(executed, copied) -> None:
    root = copied.root
    used = sorted(path for path in root.rglob("*") if path.is_file())
    cell = copied.samples("digits") / "cfg" / "scale-2" / "evaluation-0.npz"
    strays = [
        cell.parent.parent / "scale-7" / cell.name,
        root / ".resume" / "train-x.pt",
        root / ".code" / "0123456789abcdef.json",
        cell.with_name(".half.123.tmp.npz"),
        copied.features("balls") / "cfg" / "scale-2" / "evaluation-3.cell.json",
        cell.with_suffix(".cost.json"),  # of an earlier guidebench
    ]
    for path in strays:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("left")
    count, size = remove(executed.config, copied)
    assert count >= len(strays)
    assert size >= 4 * len(strays)
    assert not [path for path in strays if path.exists()]
    # records of code that only states of trainings referred to
    gone = [path for path in used if not path.exists()]
    assert all(path.parent.name == ".code" for path in gone)
    assert freshness.stale(executed.config, copied) == {}
    assert remove(executed.config, copied) == (0, 0)
