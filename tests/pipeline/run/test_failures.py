"""What a person reads when a job failed: one line with the job, the cause and the log."""

from pathlib import Path

import pytest
from snakemake.logging import DefaultFormatter

from guidebench.pipeline.run.failures import explain, failed, last_words

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


def _group(number: int, here: Path, *members: tuple[int, str]) -> str:
    """What Snakemake prints of a failed group: by its own formatter."""
    formatter = DefaultFormatter()
    rules = [
        {"rule_name": job.partition("/")[0], "jobid": jobid, "input": ["in"], "output": ["out"],
         "log": [f"results/x/logs/{job}.log"], "msg": "Error in rule", "rule_msg": None,
         "conda_env": None, "shellcmd": "guidebench", "aux": {}, "indent": True}
        for jobid, job in members
    ]  # fmt: skip
    whole = {"msg": "Error in group block", "aux_logs": [f"{here}/slurm_logs/group/{number}.log"],
             "job_error_info": rules}  # fmt: skip
    texts = [formatter.format_group_error(whole), *map(formatter.format_job_error, rules)]
    return "".join(f"{text}\n" for text in texts)


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


PARTITION = (
    "SLURM sbatch failed. The error message was 'sbatch: error: invalid partition: foo\n"
    "sbatch: error: Batch job submission failed: Invalid partition name specified'.\n"
    "    sbatch call:\n        sbatch --output '/x/slurm_logs/rule_prepare/%j.log' --wrap=...\n"
)
ACCOUNT = "Job submission failed with exception: The given account foo appears invalid."
FURTHER = "For further error details see the cluster/cloud log and the log files of the rule(s)."


def _refused(data: str, words: str = PARTITION) -> str:
    """What Snakemake prints of a job that was not submitted, in the plugin's words."""
    message = words + FURTHER
    job = {"rule_name": "prepare", "jobid": 3, "input": ["in"], "output": ["out"],
           "log": [f"results/x/logs/prepare/{data}.log"], "msg": message, "rule_msg": message,
           "conda_env": None, "shellcmd": "guidebench", "aux": {}}  # fmt: skip
    return (
        DefaultFormatter().format_job_error(job) + "\n[Sat Nov 21 11:18:48 2026]\nTrying again.\n"
    )


def test_a_job_that_slurm_did_not_take_says_why(tmp_path: Path) -> None:
    other = ON_SLURM.format(slurm=9, state="FAILED", number=2, data="b", here=tmp_path)
    lines = explain(_refused("a") * 3 + other, {})
    assert lines[0] == (
        "failed: prepare a: not submitted (invalid partition: foo; Batch job submission failed: "
        "Invalid partition name specified), 3 attempts"
    )
    assert [line.partition(":")[2][:10] for line in lines] == [" prepare a", " prepare b"]
    assert explain(_refused("a", ACCOUNT), {}) == [
        "failed: prepare a: not submitted (The given account foo appears invalid.)"
    ]
    # the fourth attempt was good
    assert failed(_refused("a") + "Finished jobid: 3 (Rule: prepare)\n") == []


def test_what_other_threads_say_in_between_is_not_the_jobs(tmp_path: Path) -> None:
    text = ON_SLURM.format(slurm=26, state="FAILED", number=2, data="a", here=tmp_path)
    text = text.rpartition("[Sat")[0] + (
        "3 of 32 steps (9%) done\nSelect jobs to execute...\nJob 99 has been submitted with SLURM "
        "jobid 99 (log: /x/slurm_logs/rule_sample/b/99.log).\n"
    )
    (found,) = failed(text)
    assert found.logs == ["results/x/logs/prepare/a.log", f"{tmp_path}/slurm_logs/26.log"]


def test_a_job_that_finished_in_the_end_did_not_fail(tmp_path: Path) -> None:
    one, other = (
        ON_SLURM.format(slurm=number, state="TIMEOUT", number=number, data=name, here=tmp_path)
        for number, name in ((25, "late"), (26, "large"))
    )
    text = one + other + "Finished jobid: 25 (Rule: prepare)\n"
    assert [job.job for job in failed(text)] == ["large"]
    assert [job.job for job in failed("Finished jobid: 26 (Rule: prepare)\n" + text)] == ["large"]


def test_a_job_on_slurm_names_its_own_log_where_the_error_is(tmp_path: Path) -> None:
    text = ON_SLURM.format(slurm=9, state="FAILED", number=2, data="a", here=tmp_path)
    assert explain(text, {("prepare", "a"): "RuntimeError: CUDA error"}) == [
        "failed: prepare a: RuntimeError: CUDA error; log: results/x/logs/prepare/a.log"
    ]


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
    text = _group(29, tmp_path, *members) + _group(31, tmp_path, *members)
    assert explain(text, {}) == [
        f"failed: {stage} a.evaluation-0: SLURM job 31 failed{cause}, 2 attempts; "
        "log: slurm_logs/group/31.log"
    ]
    # the third attempt was good
    finished = "".join(f"Finished jobid: {n} (Rule: x)\n" for n, _ in members)
    assert failed(text + finished) == []


def test_a_group_without_a_log_names_all_that_did_not_finish(tmp_path: Path) -> None:
    text = _group(9, tmp_path, (3, "collect/all"), (4, "plots/all"))
    text += "Finished jobid: 3 (Rule: collect)\n"
    (left,) = failed(text)
    assert (left.stage, left.job, left.slurm) == ("plots", "all", "SLURM job 9 failed")
    assert left.logs == ["results/x/logs/plots/all.log", f"{tmp_path}/slurm_logs/group/9.log"]


def test_a_group_that_slurm_did_not_take(tmp_path: Path) -> None:
    text = _group(9, tmp_path, (3, "collect/all")).replace(
        f"    log: {tmp_path}/slurm_logs/group/9.log (check log file(s) for error details)\n", ""
    )
    assert explain(text, {}) == [
        "failed: collect all: not submitted, or ended without a word; "
        "log: results/x/logs/collect/all.log"
    ]


def test_snakemake_that_could_not_begin() -> None:
    text = "Building DAG of jobs...\nMissingInputException in rule all:\n    no such file\n"
    assert explain(text, {}) == []
    assert last_words(text) == ["MissingInputException in rule all: no such file"]
    assert last_words("a\nb\nc\nd\n") == ["b", "c", "d"]
