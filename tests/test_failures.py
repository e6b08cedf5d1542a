"""What a person reads when a job failed: one line with the job, the cause and the log."""

from pathlib import Path

import pytest

from guidebench.failures import explain, failed

LOCAL = """[Sat Nov 21 11:17:34 2026]
Error in rule prepare:
    message: None
    jobid: 2
    output: results/x/balls/data/manifest.json
    log: results/x/logs/prepare/balls.log (check log file(s) for error details)
    shell:
        guidebench prepare --config x.yaml --dataset balls 2> results/x/logs/prepare/balls.log
        (command exited with non-zero exit code)
"""
ON_SLURM = """[Sat Nov 21 11:18:48 2026]
Error in rule prepare:
    message: SLURM-job '{slurm}' failed, SLURM status is: '{state}'. Detailed failure reason
    jobid: {number}
    output: results/x/{data}/data/manifest.json
    log: results/x/logs/prepare/{data}.log, {here}/slurm_logs/{slurm}.log (check log file(s))
    shell:
        guidebench prepare --config x.yaml --dataset {data} 2> results/x/logs/prepare/{data}.log
    external_jobid: {slurm}
[Sat Nov 21 11:18:48 2026]
"""
GROUP = """Error in group page:
    message: SLURM-job '9' failed due to a node failure, SLURM status is: 'NODE_FAIL'. Failed
    log: {here}/slurm_logs/9.log (check log file(s) for error details)
    jobs:
        rule collect:
            jobid: 3
            output: results/x/tables/manifest.json
            log: results/x/logs/collect/all.log (check log file(s) for error details)
        rule plots:
            jobid: 4
            output: results/x/plots/manifest.json
            log: results/x/logs/plots/all.log (check log file(s) for error details)
"""


def test_a_jobs_own_error_comes_first() -> None:
    line = explain(LOCAL, {("prepare", "balls"): "prepare balls: data.root: missing"})
    assert line == [
        "failed: prepare balls: data.root: missing; log: results/x/logs/prepare/balls.log"
    ]


def test_a_job_that_was_killed_left_no_error() -> None:
    assert explain(LOCAL, {}) == [
        "failed: prepare balls: ended without a word; log: results/x/logs/prepare/balls.log"
    ]


@pytest.mark.parametrize(
    ("output", "cause"),
    [("slurmstepd-n2: error: StepId=31.0 exceeded memory limit (3 > 2), being killed",
      " (over its memory limit)"),
     ("slurmstepd: *** JOB 31 ON n1 CANCELLED AT 2026 DUE TO TIME LIMIT ***",
      " (over its time limit)"),
     ("", "")],
)  # fmt: skip
def test_slurms_words_for_the_cause(output: str, cause: str, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "slurm_logs").mkdir()
    (tmp_path / "slurm_logs/31.log").write_text(output)
    text = "".join(ON_SLURM.format(slurm=number, state="FAILED", number=2, data="a", here=tmp_path)
                   for number in (26, 29, 31))  # fmt: skip
    assert explain(text, {}) == [
        f"failed: prepare a: SLURM job 31 FAILED{cause}, 3 attempts; log: slurm_logs/31.log"
    ]


def test_a_job_that_finished_in_the_end_did_not_fail(tmp_path: Path) -> None:
    one, other = (
        ON_SLURM.format(slurm=number, state="TIMEOUT", number=number, data=name, here=tmp_path)
        for number, name in ((25, "late"), (26, "large"))
    )
    text = one + other + "Finished jobid: 25 (Rule: prepare)\n"
    assert [job.job for job in failed(text)] == ["large"]
    assert [job.job for job in failed("Finished jobid: 26 (Rule: prepare)\n" + text)] == ["large"]


def test_the_jobs_of_a_group(tmp_path: Path) -> None:
    text = GROUP.format(here=tmp_path) + "Finished jobid: 3 (Rule: collect)\n"
    (left,) = failed(text)
    assert (left.stage, left.job, left.slurm) == ("plots", "all", "SLURM job 9 NODE_FAIL")
    assert left.logs == ["results/x/logs/plots/all.log", f"{tmp_path}/slurm_logs/9.log"]


def test_snakemake_that_could_not_begin() -> None:
    text = "Building DAG of jobs...\nMissingInputException in rule all:\n    no such file\n"
    assert explain(text, {}) == ["MissingInputException in rule all: no such file"]
    assert explain("a\nb\nc\nd\n", {}) == ["b", "c", "d"]
