"""What `guidebench run` shows, from Snakemake's events and the stages' own."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from patience import patience

from guidebench.pipeline.errors import UserError
from guidebench.pipeline.experiment.reading import load
from guidebench.pipeline.jobs.layout import Job, Layout
from guidebench.pipeline.jobs.rates import STARTUP_SECONDS
from guidebench.pipeline.plan.schedule import announced, priorities
from guidebench.pipeline.records import events
from guidebench.pipeline.records.events import Events, events_path
from guidebench.pipeline.run import pace
from guidebench.pipeline.run.killed_runs import MARK, processes, stop
from guidebench.pipeline.run.progress import Progress
from guidebench.pipeline.run.runner import only_one

ROWS = [
    {
        "job": [stage, data, "", ""],
        "seconds": seconds,
        "workers": 1,
        "after": after,
        "stale": True,
        "priority": 0,
        "offset": 0,
    }
    for stage, data, seconds, after in (
        ("prepare", "a", 1.0, []),
        ("train", "a", 10.0, [0]),
        ("train", "b", 30.0, []),
    )
]
STATS = {"all": 1, "prepare": 1, "train": 2, "total": 4}


class Told:
    """What Snakemake's plugin writes, as the test says."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.path = folder, folder / "pipeline.jsonl"

    def __call__(self, event: str, **fields: Any) -> None:
        with open(self.path, "a") as file:
            file.write(json.dumps({"event": event, "run": 1, "time": time.time(), **fields}) + "\n")

    def begins(self, rows: list[dict] = ROWS, cores: int = 1) -> None:
        self("plan", folder=str(self.folder), threads=1, device="cpu", jobs=rows)
        self("resources_info", cores=cores)
        self("run_info", stats=STATS)

    def job(self, stage: str, job: str, event: str = "job_info") -> Events:
        """Snakemake begins it, and its process its events."""
        self(event, log=[f"logs/{stage}/{job}.log"])
        found = Events(events_path(self.folder, stage, job), stage, job)
        if event == "job_info":
            found.start({}, {})
        return found


@pytest.fixture
def told(tmp_path: Path) -> Told:
    return Told(tmp_path)


def test_share_and_rest(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a machine as fast as expected: 1.5 of the training's 10 s are start-up."""
    now = 1000.0
    monkeypatch.setattr(time, "time", lambda: now)
    monkeypatch.setattr(events, "PROGRESS_SECONDS", 0.0)
    told.begins()
    first = told.job("prepare", "a")
    now += 1
    first.end()
    training = told.job("train", "a")
    now += 1.5 + 1.7
    training.progress(2, 10)
    progress = Progress(told.path)
    progress.update()
    assert progress.look()[0] == [("train a", 0.2, None, pytest.approx(6.8))]
    assert progress.look()[1][1:] == (pytest.approx(4.2 / 41), None, pytest.approx(6.8 + 30))
    # the next steps take twice their time
    now += 3.4
    training.progress(4, 10)
    progress.update()
    ((_, share, rate, left),), whole = progress.look()
    assert (share, rate) == (0.4, pytest.approx(2 / 3.4))
    assert 5.1 < left < 10.2
    assert 5.1 + 30 < whole.left < 10.2 + 60


def test_an_overdue_job_does_not_make_the_run_less_than_begun(
    told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr(time, "time", lambda: now)
    told.begins()
    told.job("train", "b")
    now += 3000
    progress = Progress(told.path)
    progress.update()
    assert 0 <= progress.look()[1].share < 0.1


def test_a_job_that_ran_before_does_not_count(told: Told) -> None:
    told.job("prepare", "a").end()
    size = events_path(told.folder, "prepare", "a").stat().st_size
    told.begins([{**row, "offset": size if row["job"][0] == "prepare" else 0} for row in ROWS])
    progress = Progress(told.path)
    progress.update()
    assert progress.look()[1].share == 0


def test_lines(told: Told, capsys: pytest.CaptureFixture[str]) -> None:
    told("taken", text="taken from default: prepare 2")
    told.begins()
    told.job("prepare", "a").end()
    told.job("train", "a").end("data.root: missing")
    progress = Progress(told.path)
    progress.update()
    out = capsys.readouterr().out
    assert out.startswith("taken from default: prepare 2\n")
    assert "[1/3] prepare a: done in" in out
    (failed,) = [line for line in out.splitlines() if "[2/3] train a: FAILED in" in line]
    assert failed.endswith(": data.root: missing")
    assert progress.errors() == {("train", "a"): "data.root: missing"}


def test_a_preview_is_named_once_and_not_an_earlier_runs(
    told: Told, capsys: pytest.CaptureFixture[str]
) -> None:
    path = told.folder / "preview.html"
    path.write_text("")
    os.utime(path, (1000, 1000))
    told.begins()
    progress = Progress(told.path)
    progress.update()
    assert "preview" not in capsys.readouterr().out
    os.utime(path)
    progress.update()
    progress.update()
    assert capsys.readouterr().out.count(f"preview, until there is a report: {path}\n") == 1


def test_a_killed_job_runs_no_more_until_it_is_tried_again(told: Told) -> None:
    told.begins()
    told.job("train", "b").progress(1, 2)
    progress = Progress(told.path)
    progress.update()
    assert [bar.title for bar in progress.look()[0]] == ["train b"]
    told.job("train", "b", "job_error")
    progress.update()
    bars, whole = progress.look()
    assert bars == []
    assert whole.left == pytest.approx(41, rel=0.5)
    told.job("train", "b")
    progress.update()
    assert [bar.share for bar in progress.look()[0]] == [0.0]


def test_nothing_to_do_is_said(told: Told, capsys: pytest.CaptureFixture[str]) -> None:
    told("info", text="Nothing to be done (all requested files are present and up to date).")
    Progress(told.path).finish(0)
    assert "nothing to do" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("slots", "gpus", "device", "workers"),
    [
        ({"cores": 8}, None, "auto", 4),
        ({"cores": 8}, 2, "auto", 2),
        ({"cores": 8}, 2, "cpu", 4),
        ({"nodes": 100}, None, "auto", 100),
    ],
)
def test_jobs_at_a_time(slots, gpus, device, workers, told: Told) -> None:
    told("plan", folder=str(told.folder), threads=2, device=device, jobs=ROWS)
    told("resources_info", **slots)
    told("resources_info")
    if gpus:
        told("resources_info", provided_resources={"gpu": gpus})
    progress = Progress(told.path)
    progress.update()
    assert progress.workers == workers


# seconds that the stages took on two slow cores (2026-11-26), over those that were expected
RECORDED = {"train_denoiser": 1.93, "train_classifier": 1.35, "sensitivity": 1.17, "sample": 1.73}


class Machine:
    """Runs the default experiment's jobs on two cores, in no time: what happens when is known."""

    LAUNCH = 0.7  # seconds from Snakemake's word to a process's first

    def __init__(
        self, told: Told, rows: list[dict], slower: float, wrong: dict[str, float]
    ) -> None:
        self.told, self.rows = told, rows
        self.spans: dict[int, tuple[float, float, float]] = {}  # begun, worked from, ended
        free = [0.0, 0.0]
        left = sorted(range(len(rows)), key=lambda number: -rows[number]["priority"])
        while left:
            core = free.index(min(free))
            ready = [
                (max([free[core], *(self.spans[n][2] for n in rows[number]["after"])]), place)
                for place, number in enumerate(left)
                if all(n in self.spans for n in rows[number]["after"])
            ]
            begun, place = min(ready)
            number = left.pop(place)
            startup = min(STARTUP_SECONDS, rows[number]["seconds"])
            worked = begun + self.LAUNCH + startup * slower
            body = (rows[number]["seconds"] - startup) * wrong.get(rows[number]["job"][0], 1.0)
            free[core] = worked + body * slower
            self.spans[number] = begun, worked, free[core]
        self.ends, self.sent = max(free), set()

    def advance(self, now: float) -> None:
        """All events up to then."""
        for number, (begun, worked, ended) in self.spans.items():
            stage, name = self.rows[number]["job"][0], Job(*self.rows[number]["job"]).name
            path = events_path(self.told.folder, stage, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            steps = {"sample": 26, "prepare": 0}.get(stage, 100)
            share = int(steps * min(1, max(0, (now - worked) / max(ended - worked, 1e-9))))
            first = {} if not steps else {(worked + (ended - worked) / steps, 1)}
            marks = sorted({*first, (worked + share / max(steps, 1) * (ended - worked), share)})
            told: list[tuple[float, dict[str, Any]]] = [
                (begun + self.LAUNCH, {"event": "start"}),
                *(
                    (at, {"event": "progress", "done": done, "total": steps})
                    for at, done in marks
                    if done
                ),
                (ended, {"event": "end", "status": "FINISHED", "error": None}),
            ]
            if begun <= now and (begun, number) not in self.sent:
                self.told("job_info", log=[f"logs/{stage}/{name}.log"], time=begun)
                self.sent.add((begun, number))
            with open(path, "a") as file:
                for at, event in told:
                    key = (number, event["event"], event.get("done"))
                    if at <= now and key not in self.sent:
                        self.sent.add(key)
                        file.write(json.dumps(event | {"run": 1, "time": at}) + "\n")


@pytest.mark.parametrize("slower", [1 / 3, 1.0, 3.0])
@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"sample": 1.3, "sensitivity": 0.55},
        {"sample": 0.8, "train_classifier": 1.5},
        RECORDED,
    ],
)
def test_the_time_left_is_right_after_a_minute(
    slower, wrong, told: Told, repository: Path, monkeypatch
) -> None:
    """Within a factor of 1.5, on faster and slower machines, with costs that are not right."""
    monkeypatch.chdir(repository)
    config = load("config.yaml", [])
    plan = announced(config, Layout(told.folder, "default"), set(), priorities(config))
    rows = json.loads(json.dumps(plan["jobs"]))
    machine = Machine(told, rows, slower, wrong)
    told.begins(rows, cores=2)
    stages = [row["job"][0] for row in rows]
    told("run_info", stats={stage: stages.count(stage) for stage in stages})
    progress, ratios = Progress(told.path), {}
    now = 60.0
    while now < machine.ends - 30:
        machine.advance(now)
        monkeypatch.setattr(pace.time, "time", lambda at=now: at)
        progress.update()
        ratios[now] = progress.look()[1].left / (machine.ends - now)
        now += 20
    assert len(ratios) > 3
    bad = {t: r for t, r in ratios.items() if not 1 / 1.5 < r < 1.5}
    assert not bad, (bad, machine.ends)


def test_a_second_run_is_refused_while_the_first_is_alive(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path\n"
        "from guidebench.pipeline.run.runner import only_one\n"
        "with only_one(Path(sys.argv[1])): print('held', flush=True); time.sleep(600)"
    )
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
    with (
        subprocess.Popen(sleep, env=mine) as left,
        subprocess.Popen(sleep) as theirs,
        subprocess.Popen(sleep, env=mine | {"SLURM_JOB_ID": "7"}) as job,
    ):
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
