"""Snakemake's events by its own run: `snakemake --logger guidebench`, with a file and without."""

import subprocess
import sys
from pathlib import Path

import pytest
from patience import patience
from processes import completed

from guidebench.pipeline.plan.schedule import WRITE_EVENTS
from guidebench.pipeline.records.events import read
from guidebench.pipeline.records.failures import explain, last_words

WORKFLOW = """
from snakemake.logging import logger

ROWS = [
    {"job": [stage, "", "", ""], "seconds": 1.0, "workers": 1, "after": [], "stale": True,
     "priority": 0, "offset": 0} for stage in ("good", "bad")
]
if workflow.is_main_process:
    logger.info("", extra={"event": "plan", "folder": "x", "threads": 1, "device": "cpu",
                           "jobs": ROWS})

rule all:
    input: "x/good", "x/bad"

rule good:
    output: "x/good"
    log: "x/logs/good/all.log"
    priority: 7
    resources: mem_mb=300
    shell: "touch {output}"

rule bad:
    output: "x/bad"
    log: "x/logs/bad/all.log"
    shell: "exit 3"
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "Snakefile").write_text(WORKFLOW)
    return tmp_path


def snakemake(*options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "guidebench", "snakemake", "--cores", "1", "--nolock", "-k"]
    return completed(*command, *options, timeout=patience(60))


def test_every_event_is_in_the_file(folder: Path) -> None:
    done = snakemake("--resources", "gpu=3", *WRITE_EVENTS, "events.jsonl")
    assert done.returncode == 1
    assert "rule good:" in done.stderr  # Snakemake's own words stay
    events, _ = read(folder / "events.jsonl")
    kinds = {event["event"] for event in events}
    of_jobs = {"job_info", "shellcmd", "job_started", "job_finished", "job_error"}
    assert kinds >= {"plan", "workflow_started", "resources_info", "run_info"} | of_jobs
    (good,) = [e for e in events if e["event"] == "job_info" and e["rule_name"] == "good"]
    assert (good["priority"], good["resources"]["mem_mb"], good["wildcards"]) == (7, 300, {})
    assert good["log"] == ["x/logs/good/all.log"]
    (given,) = [e["provided_resources"] for e in events if "provided_resources" in e]
    assert given == {"gpu": 3, "_cores": 1, "_nodes": None}
    (stats,) = [event["stats"] for event in events if event["event"] == "run_info"]
    assert stats == {"good": 1, "bad": 1, "all": 1, "total": 3}
    assert explain(events, {}) == ["failed: bad all: ended without a word; log: x/logs/bad/all.log"]


@pytest.mark.parametrize(
    ("old", "new", "options", "words"),
    [
        ("rule bad:", "rule bad", [], "SyntaxError in file"),
        ("rule good:", 'rule good:\n    input: "nowhere"', [], "MissingInputException"),
        ("ROWS = [", "ROWS = 1 / 0 + [", [], "ZeroDivisionError"),
        ("", "", ["nothing"], "MissingRuleException"),
        ("", "", ["--nothing"], "unrecognized arguments: --nothing"),
    ],
)
def test_what_stops_snakemake_is_said(old, new, options, words, folder: Path) -> None:
    (folder / "Snakefile").write_text(WORKFLOW.replace(old, new, 1))
    done = snakemake(*options, *WRITE_EVENTS, "events.jsonl")
    assert done.returncode != 0
    events, _ = read(folder / "events.jsonl")
    assert explain(events, {}) == []
    assert words in " ".join(last_words(events, done.stderr))


def test_without_a_file_it_draws(folder: Path) -> None:
    done = snakemake("--logger", "guidebench")
    assert done.returncode == 1
    assert "rule good:" not in done.stdout + done.stderr
    assert "  0%  starting  (" in done.stdout
    assert "finished" not in done.stdout
    assert done.stderr.splitlines()[-1].startswith("failed: bad all: ended without a word; log: ")
    text = (folder / "Snakefile").read_text()
    (folder / "Snakefile").write_text(text.replace("exit 3", "touch {output}"))
    again = snakemake("--logger", "guidebench")
    assert again.returncode == 0
    assert "finished in" in again.stdout
    assert "nothing to do" in snakemake("--logger", "guidebench").stdout
    # a dry run is asked for its words
    dry = snakemake("--logger", "guidebench", "--dry-run", "--forceall")
    assert "rule good:" in dry.stdout + dry.stderr
