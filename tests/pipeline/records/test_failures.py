"""What a person reads when a job failed: one line with the job, the cause and the log."""

from pathlib import Path
from typing import Any

import pytest

from guidebench.pipeline.records.failures import explain, failed, last_words

FURTHER = "For further error details see the cluster/cloud log and the log files of the rule(s)."
Event = dict[str, Any]


def job_error(number: int, job: str, *logs: str, said: str = "", indent: bool = False) -> Event:
    """What Snakemake tells of a failed job (snakemake.jobs.Job.get_log_error_info)."""
    return {
        "event": "job_error",
        "rule_name": job.partition("/")[0],
        "jobid": number,
        "log": [f"results/x/logs/{job}.log", *logs],
        "indent": indent,
        "rule_msg": f"{said}{FURTHER}" if said else None,
    }


LOCAL = [job_error(2, "prepare/balls")]


def on_slurm(number: int, data: str, slurm: int, here: Path, state: str = "FAILED") -> Event:
    """The same of a job that SLURM had, in the plugin's words."""
    said = (
        f"SLURM-job '{slurm}' failed, SLURM status is: '{state}'. Detailed failure reason "
        "unavailable (status command is not 'sacct')."
    )
    return job_error(number, f"prepare/{data}", f"{here}/slurm_logs/{slurm}.log", said=said)


def finished(*numbers: int) -> list[Event]:
    return [{"event": "job_finished", "job_id": number} for number in numbers]


def group(slurm: int | None, here: Path, *members: tuple[int, str]) -> list[Event]:
    """What Snakemake tells of a failed group: it as a whole, then each of its jobs."""
    jobs = [job_error(number, job, indent=True) for number, job in members]
    logs = [f"{here}/slurm_logs/group/{slurm}.log"] if slurm else []
    return [{"event": "group_error", "aux_logs": logs, "job_error_info": jobs}, *jobs]


def test_a_jobs_own_error_comes_first() -> None:
    line = explain(LOCAL, {("prepare", "balls"): "data.root: missing"})
    assert line == [
        "failed: prepare balls: data.root: missing; log: results/x/logs/prepare/balls.log"
    ]


def test_a_job_that_was_killed_left_no_error() -> None:
    assert explain(LOCAL, {}) == [
        "failed: prepare balls: ended without a word; log: results/x/logs/prepare/balls.log"
    ]


@pytest.mark.parametrize(
    ("output", "cause"),
    [
        (
            "slurmstepd-n2: error: StepId=31.0 exceeded memory limit (3 > 2), being killed",
            " (over its memory limit)",
        ),
        (
            "slurmstepd: *** JOB 31 ON n1 CANCELLED AT 2026 DUE TO TIME LIMIT ***",
            " (over its time limit)",
        ),
        ("", ""),
    ],
)
def test_slurms_words_for_the_cause(output: str, cause: str, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "slurm_logs").mkdir()
    (tmp_path / "slurm_logs/31.log").write_text(output)
    assert explain([on_slurm(2, "a", slurm, tmp_path) for slurm in (26, 29, 31)], {}) == [
        f"failed: prepare a: SLURM job 31 FAILED{cause}, 3 attempts; log: slurm_logs/31.log"
    ]


PARTITION = (
    "SLURM sbatch failed. The error message was 'sbatch: error: invalid partition: foo\n"
    "sbatch: error: Batch job submission failed: Invalid partition name specified'.\n"
    "    sbatch call:\n        sbatch --output '/x/slurm_logs/rule_prepare/%j.log' --wrap=...\n"
)
ACCOUNT = "Job submission failed with exception: The given account foo appears invalid."


def _refused(data: str, words: str = PARTITION) -> Event:
    return job_error(3, f"prepare/{data}", said=words)


def test_a_job_that_slurm_did_not_take_says_why(tmp_path: Path) -> None:
    lines = explain([_refused("a")] * 3 + [on_slurm(2, "b", 9, tmp_path)], {})
    assert lines[0] == (
        "failed: prepare a: not submitted (invalid partition: foo; Batch job submission failed: "
        "Invalid partition name specified), 3 attempts"
    )
    assert [line.partition(":")[2][:10] for line in lines] == [" prepare a", " prepare b"]
    assert explain([_refused("a", ACCOUNT)], {}) == [
        "failed: prepare a: not submitted (The given account foo appears invalid.)"
    ]
    # the fourth attempt was good
    assert failed([_refused("a"), *finished(3)]) == []


def test_a_job_that_finished_in_the_end_did_not_fail(tmp_path: Path) -> None:
    errors = [
        on_slurm(number, name, number, tmp_path, "TIMEOUT")
        for number, name in ((25, "late"), (26, "large"))
    ]
    assert [job.job for job in failed([*errors, *finished(25)])] == ["large"]
    # an earlier success is of an earlier attempt
    assert [job.job for job in failed([*finished(26), *errors, *finished(25)])] == ["large"]


def test_a_job_on_slurm_names_its_own_log_where_the_error_is(tmp_path: Path) -> None:
    assert explain(
        [on_slurm(2, "a", 9, tmp_path)], {("prepare", "a"): "RuntimeError: CUDA error"}
    ) == ["failed: prepare a: RuntimeError: CUDA error; log: results/x/logs/prepare/a.log"]


SAMPLED = """[Sat Nov 21 11:17:03 2026]
rule sample:
    jobid: 0
Finished jobid: 0 (Rule: sample)
rule features:
    jobid: 1
slurmstepd-n2: error: StepId=31.0 exceeded memory limit (3 > 2), being killed
"""


@pytest.mark.parametrize(
    ("log", "stage", "cause"),
    [
        (SAMPLED, "features", " (over its memory limit)"),
        (SAMPLED.partition("Finished")[0], "sample", ""),
    ],
)
def test_of_a_group_the_rule_that_did_not_finish_failed(
    log: str, stage: str, cause: str, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "slurm_logs/group").mkdir(parents=True)
    members = (3, "sample/a.evaluation-0"), (4, "features/a.evaluation-0")
    for number in (29, 31):
        (tmp_path / f"slurm_logs/group/{number}.log").write_text(log)
    events = group(29, tmp_path, *members) + group(31, tmp_path, *members)
    assert explain(events, {}) == [
        f"failed: {stage} a.evaluation-0: SLURM job 31 failed{cause}, 2 attempts; "
        "log: slurm_logs/group/31.log"
    ]
    # the third attempt was good
    assert failed(events + finished(3, 4)) == []


def test_a_group_without_a_log_names_all_that_did_not_finish(tmp_path: Path) -> None:
    events = group(9, tmp_path, (3, "collect/all"), (4, "plots/all"))
    (left,) = failed([*events, *finished(3)])
    assert (left.stage, left.job, left.slurm) == ("plots", "all", "SLURM job 9 failed")
    assert left.logs == ["results/x/logs/plots/all.log", f"{tmp_path}/slurm_logs/group/9.log"]


def test_a_group_that_slurm_did_not_take(tmp_path: Path) -> None:
    assert explain(group(None, tmp_path, (3, "collect/all")), {}) == [
        "failed: collect all: not submitted, or ended without a word; "
        "log: results/x/logs/collect/all.log"
    ]


def test_snakemake_that_could_not_begin() -> None:
    found = 'MissingInputException in rule all in file "/x/Snakefile", line 3:\n'
    text = f"{found}Missing input files for rule all:\n    affected files:\n        a\n"
    where = '  File "/x/Snakefile", line 3, in <module>\n'
    error = {"event": "error", "text": text + where}
    assert explain([error], {}) == []
    assert last_words([error], "") == [" ".join(text.split())]
    crash = f"Traceback (most recent call last):\n{where}    do()\nKeyError: 'x'\n"
    assert last_words([{"event": "error", "text": crash}], "") == ["KeyError: 'x'"]
    # argparse speaks before there are events
    assert last_words([], "a\nb\nc\nd\n") == ["b", "c", "d"]
