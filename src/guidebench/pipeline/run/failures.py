"""Which jobs failed for good, why, and where their logs are: from Snakemake's own log."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

# Snakemake says it once of a rule; of a group at first as a whole, then, deeper, of each rule in it
ERROR = (r"^(?:Error in rule \S+:| {4}message: Error in group \S+)\n"
         r"((?:(?! *\[\w{3} \w{3} |Finished jobid|Error in rule ).*\n)+)")  # fmt: skip
REFUSED = (r"SLURM sbatch failed\. The error message was '(.*?)'\.\n|"
           r"submission failed with exception: (.*?)\s*For further error details")  # fmt: skip
FINISHED = r"^Finished jobid: (\d+) "
OWN_LOG = r"(?<!slurm_)logs/(\w+/\S+?)\.log\b"
# what SLURM writes into a job's output -> the words for it
CAUSES = {
    r"exceeded memory limit|oom[-_ ]?kill|Out Of Memory": "over its memory limit",
    r"DUE TO TIME LIMIT": "over its time limit",
    r"DUE TO NODE FAILURE": "its node failed",
}


class Failure(NamedTuple):
    """A job that never finished: stage, job name, attempts, SLURM's job and state, log files.

    The first log is its own, the last one SLURM's, if it ran there. No log: it was not submitted.
    """

    stage: str
    job: str
    attempts: int
    slurm: str
    logs: list[str]

    def line(self, error: str | None) -> str:
        """One line: the job's own error if it left one, else how it ended; the log that tells."""
        tries = f", {self.attempts} attempts" if self.attempts > 1 else ""
        cause = error or " ".join(filter(None, [self.slurm or "ended without a word", _cause(
            self.logs)]))  # fmt: skip
        log = f"; log: {self.logs[0 if error else -1]}" if self.logs else ""
        return f"failed: {self.stage} {self.job}: {cause}{tries}{log}"


def failed(text: str) -> list[Failure]:
    """The jobs that a Snakemake log names as failed and not, later, as finished."""
    errors: dict[str, list[re.Match[str]]] = defaultdict(list)
    for match in re.finditer(ERROR, text, re.MULTILINE):
        for job in dict.fromkeys(re.findall(OWN_LOG, match[1])):
            errors[job].append(match)
    finished = {found[1]: found.start() for found in re.finditer(FINISHED, text, re.MULTILINE)}
    jobs = []
    for job, matches in errors.items():
        said = matches[-1][1]
        if any(finished.get(number, -1) > matches[-1].start() for number in _numbers(said, job)):
            continue
        stage, _, name = job.partition("/")
        if refused := re.search(REFUSED, said, re.DOTALL):
            lines = (refused[1] or refused[2]).splitlines()
            words = [line.removeprefix("sbatch: error: ").strip() for line in lines]
            ended = f"not submitted ({'; '.join(words)})"
            jobs.append(Failure(stage, name, len(matches), ended, []))
            continue
        own = [
            found[0] for found in re.finditer(rf"\S*(?<!slurm_)logs/{re.escape(job)}\.log", said)
        ]
        # of the block's own lines: what other jobs' threads say may stand between them
        found = " ".join(re.findall(r"^ +log: (.*)$", said, re.MULTILINE))
        theirs = [_near(path) for path in re.findall(r"[^\s,]*slurm_logs/[^\s,]+\.log", found)]
        grouped = "Error in group" in matches[-1][0]
        if grouped and theirs and stage not in _broke(theirs[-1], stage):
            continue
        ended = _slurm(said, theirs)
        if grouped and not ended:
            ended = "not submitted, or ended without a word"  # Snakemake tells no more of a group
        jobs.append(Failure(stage, name, len(matches), ended, [own[0], *theirs]))
    return jobs


def _slurm(said: str, logs: list[str]) -> str:
    """SLURM's job and its state; of a group Snakemake does not repeat what SLURM said."""
    if found := re.search(r"SLURM-job '(\S+)' failed.*?, SLURM status is: '(\w+)'", said):
        return f"SLURM job {found[1]} {found[2]}"
    return f"SLURM job {Path(logs[-1]).stem} failed" if logs else ""


def _broke(log: str, stage: str) -> set[str]:
    """The rules of a group that its log shows as begun and not finished; `stage` without a log."""
    try:
        text = Path(log).read_text(errors="replace")
    except OSError:
        return {stage}
    begun = set(re.findall(r"^(?:local)?rule (\w+):", text, re.MULTILINE)) or {stage}
    return begun - set(re.findall(r"^Finished jobid: \d+ \(Rule: (\w+)\)", text, re.MULTILINE))


def _numbers(said: str, job: str) -> list[str]:
    """Snakemake's numbers of a job in an error's text: of one rule, or of its part in a group."""
    parts = [part for part in re.split(r"^ {8}rule ", said, flags=re.MULTILINE)
             if f"/{job}.log" in part and "jobid: " in part]  # fmt: skip
    return re.findall(r"(?<!external_)jobid: (\d+)", parts[-1])


def _near(path: str) -> str:
    here = Path.cwd()
    return str(Path(path).relative_to(here)) if Path(path).is_relative_to(here) else path


def _cause(logs: list[str]) -> str:
    for path in logs:
        if "slurm_logs" in path and Path(path).is_file():
            text = Path(path).read_text(errors="replace")
            for pattern, words in CAUSES.items():
                if re.search(pattern, text):
                    return f"({words})"
    return ""


def explain(text: str, errors: Mapping[tuple[str, str], str]) -> list[str]:
    """One line per failed job; `errors`: what jobs (stage, name) said themselves."""
    return [one.line(errors.get((one.stage, one.job))) for one in failed(text)]


def last_words(text: str) -> list[str]:
    """Of a Snakemake that could not begin: its errors, or else its last lines."""
    found = re.findall(r"^\S*(?:Error|Exception)\b.*(?:\n {4}.*)?", text, re.MULTILINE)
    return [" ".join(match.split()) for match in found[:3]] or text.splitlines()[-3:]
