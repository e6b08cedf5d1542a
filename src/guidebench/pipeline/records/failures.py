"""Which jobs failed for good, why, and where their logs are: from Snakemake's events."""

import re
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

Event = dict[str, Any]
# what SLURM's plugin says of a job that it could not submit, and of how one ended
REFUSED = (
    r"SLURM sbatch failed\. The error message was '(.*?)'\.\n|"
    r"submission failed with exception: (.*?)\s*For further error details"
)
ENDED = r"SLURM-job '(\S+)' failed.*?, SLURM status is: '(\w+)'"
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
        cause = error or " ".join(
            filter(None, [self.slurm or "ended without a word", _cause(self.logs)])
        )
        log = f"; log: {self.logs[0 if error else -1]}" if self.logs else ""
        return f"failed: {self.stage} {self.job}: {cause}{tries}{log}"


def own_job(event: Event) -> tuple[str, str]:
    """(stage, name) of an event's job, by its log; empty for a rule without one."""
    path = Path(event["log"][0]) if event["log"] else Path()
    return path.parent.name, path.name.removesuffix(".log")


def _attempts(event: Event) -> list[Event]:
    """The failed jobs that an event reports; `slurm`: SLURM's logs of the job, or of its group."""
    if event["event"] == "group_error":
        return [{**job, "slurm": event["aux_logs"]} for job in event["job_error_info"]]
    # `indent`: a job of a group, which the group's own event reports
    alone = event["event"] == "job_error" and not event["indent"]
    return [{**event, "slurm": event["log"][1:]}] if alone else []


def failed(events: list[Event]) -> list[Failure]:
    """The jobs that failed, by Snakemake's events, and that no later attempt finished."""
    errors: dict[tuple[str, str], list[Event]] = defaultdict(list)
    finished: set[int] = set()
    for event in events:
        if event["event"] == "job_finished":
            finished.add(event["job_id"])
        for job in _attempts(event):
            finished.discard(job["jobid"])
            if job["log"]:
                errors[own_job(job)].append(job)
    jobs = []
    for (stage, name), attempts in errors.items():
        last = attempts[-1]
        logs = [last["log"][0], *map(_relative, last["slurm"])]
        if last["jobid"] in finished:
            continue
        # a group fails as a whole: its other jobs had finished, or not begun
        if last["indent"] and logs[1:] and stage not in _unfinished(logs[-1], stage):
            continue
        if refused := re.search(REFUSED, last["rule_msg"] or "", re.DOTALL):
            lines = (refused[1] or refused[2]).splitlines()
            words = [line.removeprefix("sbatch: error: ").strip() for line in lines]
            ended, logs = f"not submitted ({'; '.join(words)})", []
        elif status := re.search(ENDED, last["rule_msg"] or ""):
            ended = f"SLURM job {status[1]} {status[2]}"
        elif logs[1:]:
            ended = f"SLURM job {Path(logs[-1]).stem} failed"
        else:  # Snakemake's event of a group leaves out what SLURM said
            ended = "not submitted, or ended without a word" if last["indent"] else ""
        jobs.append(Failure(stage, name, len(attempts), ended, logs))
    return jobs


def _unfinished(log: str, stage: str) -> set[str]:
    """The rules that began and did not finish, by the log of a group; `stage` without a log."""
    try:
        text = Path(log).read_text(errors="replace")
    except OSError:
        return {stage}
    begun = set(re.findall(r"^(?:local)?rule (\w+):", text, re.MULTILINE)) or {stage}
    return begun - set(re.findall(r"^Finished jobid: \d+ \(Rule: (\w+)\)", text, re.MULTILINE))


def _relative(path: str) -> str:
    here = Path.cwd()
    return str(Path(path).relative_to(here)) if Path(path).is_relative_to(here) else path


def _cause(logs: list[str]) -> str:
    for path in logs[1:]:
        if Path(path).is_file():
            text = Path(path).read_text(errors="replace")
            for pattern, words in CAUSES.items():
                if re.search(pattern, text):
                    return f"({words})"
    return ""


def explain(events: list[Event], errors: Mapping[tuple[str, str], str]) -> list[str]:
    """One line per failed job; `errors`: (stage, name) -> the error that the job itself told."""
    return [failure.line(errors.get((failure.stage, failure.job))) for failure in failed(events)]


def last_words(events: list[Event], text: str) -> list[str]:
    """Why Snakemake ended though no job failed: its first errors, else the last lines it printed.

    `text`: what it printed. At most three lines.
    """
    errors = [event["text"].strip() for event in events if event["event"] == "error"]
    # of a traceback the last line is left, and no place in Snakemake's own code
    words = [re.sub(r"(?s)^Traceback.*\n|\n  File [^\n]*", "", error) for error in errors]
    return [" ".join(each.split()) for each in words[:3]] or text.strip().splitlines()[-3:]
