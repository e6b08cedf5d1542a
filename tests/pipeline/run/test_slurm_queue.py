"""What a run asks SLURM itself, of commands that behave like SLURM's."""

from pathlib import Path

import pytest

from guidebench.pipeline.errors import UserError
from guidebench.pipeline.run import slurm


def test_jobs_of_this_experiment_are_cancelled_and_no_others(
    slurm_queue: Path, tmp_path: Path
) -> None:
    ours, other = (slurm.prefix(tmp_path / "results" / name) for name in "xy")
    slurm_queue.write_text(f"7 {ours}_1234\n8 {other}_1234\n9 my own job\n12 {ours}_77\n")
    assert slurm.cancel(tmp_path / "results/x") == 2
    assert Path(f"{slurm_queue}.cancelled").read_text() == "12 7\n"
    assert slurm.cancel(tmp_path / "results/x") == 0


def test_without_slurms_commands_there_is_one_line(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match="squeue: not found"):
        slurm.cancel(tmp_path)


def test_a_queue_that_does_not_answer_is_one_line(slurm_queue: Path, tmp_path, monkeypatch) -> None:
    slurm_queue.unlink(missing_ok=True)
    (tmp_path / "bin/squeue").write_text("#!/bin/sh\nexec sleep 60\n")
    monkeypatch.setattr(slurm, "ANSWER_SECONDS", 0.3)
    with pytest.raises(UserError, match="squeue: no answer"):
        slurm.jobs(tmp_path)


def test_a_run_that_waits_for_nothing_is_ended(
    slurm_queue: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0
    monkeypatch.setattr(slurm.time, "monotonic", lambda: now)
    watch = slurm.Watch(tmp_path / "results/x")
    ours = f"7 {slurm.prefix(tmp_path / 'results/x')}_1\n"
    # (minute, what squeue says: None when it does not answer)
    looks = [(0.5, ""), (14, ""), (20, ours), (34, ""), (40, None), (54.9, "8 other\n")]
    for minute, queue in looks:
        slurm_queue.unlink(missing_ok=True)
        if queue is not None:
            slurm_queue.write_text(queue)
        now = 60.0 * minute
        watch.look()
    now = 60.0 * 55.5
    watch.look()  # not yet time to ask again
    now = 60.0 * 56
    with pytest.raises(UserError, match="no job of this run for 15 min, but Snakemake waits"):
        watch.look()
