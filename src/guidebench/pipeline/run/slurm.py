"""What a run asks of SLURM without Snakemake's plugin: which jobs it has, and to end them."""

import re
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

from guidebench.pipeline.errors import UserError
from guidebench.pipeline.records.artifacts import digest_of

CANCEL_SECONDS, ANSWER_SECONDS = 120.0, 60.0
# between two looks at the queue, and how long it may be empty: the plugin itself looks at least
# every 180 s, and Snakemake builds the largest graph that we measured in 60 s
LOOK_SECONDS, EMPTY_SECONDS = 60.0, 900.0
# what the plugin accepts; on anything else its submission of a group ends without a word
GRES = re.compile(r"\w+(:[\w.]+)?(:\d+[TGM]?)?", re.ASCII)


def prefix(folder: Path) -> str:
    """How the names of an experiment's SLURM jobs begin."""
    return f"guidebench-{digest_of(str(folder.resolve()))[:12]}"


def jobs(folder: Path) -> list[str]:
    """Numbers of the experiment's jobs in the queue; UserError when SLURM does not answer."""
    if shutil.which("squeue") is None:
        raise UserError("squeue: not found; start where SLURM's commands are (the login node)")
    query = ["squeue", "--me", "--noheader", "--format=%A %j"]
    try:
        done = subprocess.run(
            query, capture_output=True, text=True, timeout=ANSWER_SECONDS, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise UserError(f"squeue: no answer in {ANSWER_SECONDS:.0f} s") from error
    if done.returncode:
        raise UserError(f"squeue: {' '.join(done.stderr.split())}")
    rows = [line.split(maxsplit=1) for line in done.stdout.splitlines()]
    return sorted({number for number, *name in rows if "".join(name).startswith(prefix(folder))})


def cancel(folder: Path) -> int:
    """Cancel the experiment's jobs and wait until they are gone; returns their number.

    UserError when SLURM does not answer, or a job does not end.
    """
    queued = alive = jobs(folder)
    deadline = time.monotonic() + CANCEL_SECONDS
    if queued:
        subprocess.run(["scancel", *queued], check=False, capture_output=True)
    while alive:
        if time.monotonic() > deadline:
            raise UserError(
                f"{folder.name}: SLURM jobs {', '.join(alive)} of an earlier run do "
                "not end; wait for them, then run again"
            )
        time.sleep(1)
        alive = jobs(folder)
    return len(queued)


class Watch:
    """Notices a Snakemake that waits for jobs that SLURM no longer has.

    The plugin (2.8) waits for ever for a job that was pre-empted and not queued again, that ended
    and was forgotten by SLURM before the plugin asked again, or that it could not submit.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.looked = self.seen = time.monotonic()

    def look(self) -> None:
        """UserError when the queue has had no job of the experiment for too long."""
        now = time.monotonic()
        if now < self.looked + LOOK_SECONDS:
            return
        self.looked = now
        try:
            queued = jobs(self.folder)
        except UserError:  # a SLURM that is down for a while still has its jobs
            self.seen = now
            return
        if queued:
            self.seen = now
        elif now > self.seen + EMPTY_SECONDS:
            raise UserError(
                f"SLURM has had no job of this run for {EMPTY_SECONDS / 60:.0f} min, "
                "but Snakemake waits for one; run again to continue"
            )


def check(profile: dict[str, Any], path: Path) -> None:
    """UserError for a `gres`, given as a word, that the plugin would not submit."""
    by_rule = profile.get("set-resources")
    for rule, resources in by_rule.items() if isinstance(by_rule, dict) else ():
        gres = resources.get("gres") if isinstance(resources, dict) else None
        # quotes inside make it an expression, which only Snakemake can evaluate
        quoted = re.fullmatch(r"(['\"]?)([^'\"]*)\1", str(gres or ""))
        word = quoted and quoted[2]
        if word and not GRES.fullmatch(word):
            raise UserError(
                f"{path}: set-resources.{rule}.gres: found {word}, allowed: NAME:NUMBER or "
                "NAME:TYPE:NUMBER of letters, digits, _ and . (in a type); for another type write "
                "gpu: 0 and slurm_extra: \"'--gpus-per-node=TYPE:1'\" instead"
            )
