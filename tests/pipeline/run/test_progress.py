"""What `guidebench run` shows, from event files and Snakemake's log."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from patience import patience

from guidebench.pipeline.errors import UserError
from guidebench.pipeline.records.events import Events, events_path
from guidebench.pipeline.run.killed_runs import MARK, processes, stop
from guidebench.pipeline.run.progress import PlannedJob, Progress
from guidebench.pipeline.run.runner import only_one

STATS = "Job stats:\njob count\n------- -----\nall 1\nprepare 1\ntrain 2\ntotal 4\n\n"
PLAN = [PlannedJob("prepare", "a", 1.0), PlannedJob("train", "a", 10.0),
        PlannedJob("train", "b", 30.0)]  # fmt: skip


@pytest.fixture
def progress(tmp_path: Path) -> Progress:
    log = tmp_path / "pipeline.log"
    log.write_text(STATS)
    return Progress(tmp_path, PLAN, log)


def events(folder: Path, stage: str, job: str) -> Events:
    found = Events(events_path(folder, stage, job), stage, job)
    found.start({}, {})
    return found


def test_needed_jobs_come_from_snakemakes_table(progress: Progress) -> None:
    assert progress.needed == {"prepare": 1, "train": 2}


def test_share_and_rest(progress: Progress, tmp_path: Path) -> None:
    events(tmp_path, "prepare", "a").end()
    events(tmp_path, "train", "a").progress(5, 10)
    progress.update()
    share, seconds = progress.left()
    # 6 of the 10 are start-up, which is over; half of the rest is done
    assert share == pytest.approx((1 + 6 + 2) / (1 + 10 + 30))
    assert seconds > 0


def test_a_job_that_ran_before_does_not_count(tmp_path: Path) -> None:
    events(tmp_path, "prepare", "a").end()
    log = tmp_path / "pipeline.log"
    log.write_text(STATS)
    later = Progress(tmp_path, PLAN, log)
    later.update()
    assert later.left()[0] == 0


def test_lines(progress: Progress, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    events(tmp_path, "prepare", "a").end()
    events(tmp_path, "train", "a").end("data.root: missing")
    progress.update()
    out = capsys.readouterr().out
    assert "[1/3] prepare a: done in" in out
    (failed,) = [line for line in out.splitlines() if "[2/3] train a: FAILED in" in line]
    assert failed.endswith(": data.root: missing")
    assert progress.errors() == {("train", "a"): "data.root: missing"}


def test_nothing_to_do_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = tmp_path / "pipeline.log"
    log.write_text("Nothing to be done (all requested files are present and up to date).\n")
    Progress(tmp_path, PLAN, log).finish(0)
    assert "nothing to do" in capsys.readouterr().out


def test_a_second_run_is_refused_while_the_first_is_alive(tmp_path: Path) -> None:
    code = "import sys, time; from pathlib import Path\n" \
        "from guidebench.pipeline.run.runner import only_one\n" \
        "with only_one(Path(sys.argv[1])): print('held', flush=True); time.sleep(600)"  # fmt: skip
    command = [sys.executable, "-c", code, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == "held\n"
        with pytest.raises(UserError, match="another run"), only_one(tmp_path):
            pass
        first.kill()
    with only_one(tmp_path):  # a killed run leaves no lock behind
        pass


def test_what_a_killed_run_left_is_ended_and_nothing_else(tmp_path: Path) -> None:
    """Not ended: processes of others, and those of its own SLURM jobs, which SLURM ends."""
    sleep = [sys.executable, "-c", f"import time; time.sleep({patience(60)})"]
    mine = os.environ | {MARK: str(tmp_path.resolve())}
    with subprocess.Popen(sleep, env=mine) as left, subprocess.Popen(sleep) as theirs, \
            subprocess.Popen(sleep, env=mine | {"SLURM_JOB_ID": "7"}) as job:  # fmt: skip
        found = [process.pid for process in processes(tmp_path, ["7"])]
        every = {process.pid for process in processes(tmp_path, [])}
        stop(processes(tmp_path, ["7"]))
        after = processes(tmp_path, ["7"])
        spared = [process.poll() is None for process in (theirs, job)]
        theirs.kill()
        job.kill()
    assert found == [left.pid]
    assert every == {left.pid, job.pid}
    assert after == []
    assert spared == [True, True]
