"""One execution of a stage: threads, GPUs and processes, its events, its failure in one line."""

import errno
import importlib
import os
import sys
from pathlib import Path

from guidebench.pipeline import recording
from guidebench.pipeline.errors import UserError
from guidebench.pipeline.experiment.config import Config
from guidebench.pipeline.jobs import parallel
from guidebench.pipeline.jobs.layout import Job, Layout
from guidebench.pipeline.jobs.listing import jobs, manifest
from guidebench.pipeline.jobs.stages import STAGES
from guidebench.pipeline.records.artifacts import digest_of, environment
from guidebench.pipeline.records.events import Events
from guidebench.pipeline.threads import POOLS
from guidebench.stages.stage import Stage


def run_stage(config: Config, job: Job, layout: Layout) -> None:
    """Run one job and write its events; UserError when it is the user's or the machine's fault."""
    if job not in set(jobs(config)):
        names = [sibling.name for sibling in jobs(config) if sibling.stage == job.stage]
        raise UserError(f"{job.stage}: found {job.name}, allowed: {', '.join(names)}")
    # before torch is imported: never more threads than the config says
    for variable in POOLS:
        os.environ[variable] = str(config.threads)
    denoiser = config.datasets[job.dataset].denoiser if job.stage == "train_denoiser" else None
    processes = denoiser.gpus if denoiser else 1
    member = parallel.joins()
    if STAGES[job.stage].network and config.device != "cpu" and not member:
        count = processes // (denoiser.nodes if denoiser else 1)
        claimed = parallel.claim_gpus(count)
        if claimed and len(claimed) < count:
            raise UserError(
                f"denoiser.gpus: found {count} on a machine, allowed: at most the "
                f"{len(claimed)} that are visible here"
            )
    if denoiser and processes > 1 and not member:
        parallel.train_together(sys.argv[1:], processes, denoiser.nodes, config.threads)
        return
    recording.ran.clear()
    # of several processes of a training only the first writes
    path = Path(os.devnull) if parallel.rank() else layout.events(job.stage, job.name)
    stage = Stage(config, job, layout, Events(path, job.stage, job.name))
    tags = {key: value for key, value in job._asdict().items() if value}
    if job.stage == "sample":
        tags["setup"] = ", ".join(config.datasets[job.dataset].setups)
    tags |= {
        "rule": job.stage,
        "commit": environment()["commit"],
        "spec": digest_of(stage.spec)[:16],
    }
    stage.events.start(stage.spec, tags)
    try:
        stage.inputs  # noqa: B018  # cached: their digests as they are before the stage runs
        if not parallel.rank():
            # from here on its files change: what they were has no manifest any more
            manifest(layout, job).unlink(missing_ok=True)
        importlib.import_module(f"guidebench.stages.{job.stage}").run(stage)
    except BaseException as error:
        line = _one_line(error)
        stage.events.end(line or " ".join(f"{type(error).__name__}: {error}".split()))
        if line:
            raise UserError(f"{job.stage} {job.name}: {line}") from error
        raise
    stage.events.end()


def _one_line(error: BaseException) -> str | None:
    """A user's or the machine's fault in one line; None for a defect of ours."""
    if isinstance(error, UserError):
        return str(error)
    # numpy's own writer reports a full disk without its number
    if isinstance(error, OSError) and (
        error.errno == errno.ENOSPC or "requested and" in str(error)
    ):
        return f"disk full: {error}; free some space and run again, finished work is kept"
    # `torch.OutOfMemoryError`, of a GPU: torch may not be imported
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        smaller = "smaller micro_batch or batch_size, sampling.gradient_checkpointing"
        return f"out of memory; allowed: {smaller}, or more memory"
    if isinstance(error, OSError):
        return str(error)
    if isinstance(error, KeyboardInterrupt):
        return "interrupted; run again to continue"
    return None
