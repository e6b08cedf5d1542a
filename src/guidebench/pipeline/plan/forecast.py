"""`guidebench plan`: what would run and why, what it costs, before anything is submitted."""

import json
import math
import os
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

from guidebench import workload
from guidebench.base.cells import Cell
from guidebench.base.units import aligned, duration, size
from guidebench.pipeline.errors import UserError
from guidebench.pipeline.experiment.config import Config
from guidebench.pipeline.jobs import cost_model, listing, sharing
from guidebench.pipeline.jobs.layout import Job, Layout
from guidebench.pipeline.jobs.listing import inputs, jobs
from guidebench.pipeline.jobs.parallel import visible_gpus
from guidebench.pipeline.jobs.rates import Rates, shape, stated
from guidebench.pipeline.jobs.sharing import Survey
from guidebench.pipeline.jobs.stages import STAGES
from guidebench.pipeline.plan.disk import FOLLOWING_BYTES, disk_of
from guidebench.pipeline.plan.missing_jobs import Pending, missing_cells, pending
from guidebench.pipeline.plan.schedule import Task, makespan, width
from guidebench.pipeline.threads import POOLS

SHORT, LONG = 600.0, 3600.0
FILES = 4  # of a job: manifest, provenance, events, log
CELL_FILES = 2  # and its sidecar


class Cost(NamedTuple):
    """What a pending job takes: seconds, samples, denoiser evaluations, bytes, workers, files."""

    seconds: float
    samples: int = 0
    evaluations: float = 0.0
    disk: float = 0.0
    workers: int = 1
    files: int = FILES


def probe_all(
    config: Config, path: str, settings: list[str], workers: int
) -> tuple[dict[str, Rates], dict[str, dict[str, float]]]:
    """Rates and memory of every data set and world, measured with `workers` probes at a time.

    As many at a time as jobs will run: they share caches, memory and clock. UserError with its last
    line when a probe fails.
    """
    names = [*config.datasets, *config.worlds]
    # all workers are busy while one is measured, as they will be
    queue = [names[number % len(names)] for number in range(max(len(names), workers))]

    def run(name: str) -> tuple[str, dict[str, Any]]:
        command = [sys.executable, "-m", "guidebench.pipeline.plan.probe", path, name, *settings]
        threads = dict.fromkeys(POOLS, str(config.threads))
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, env=os.environ | threads
        )
        if done.returncode:
            lines = done.stderr.strip().splitlines() or ["no message"]
            raise UserError(
                f"probe of {name}: {lines[-1]}; allowed: plan on a machine like those "
                "that run the jobs, or --images-per-second"
            )
        return name, json.loads(done.stdout)

    with ThreadPoolExecutor(workers) as pool:
        probes = dict(pool.map(run, queue))
    rates = {name: Rates(**probe["rates"]) for name, probe in probes.items()}
    return rates, {name: probe["memory"] for name, probe in probes.items()}


def cost(
    config: Config,
    layout: Layout,
    job: Job,
    rates: Mapping[str, Rates],
    contents: Mapping[Job, str],
) -> Cost:
    """Cost of a pending job; `contents`: digests of what the jobs wrote that do not run."""
    if not job.dataset:
        return Cost(listing.seconds(config, job, rates), disk=FOLLOWING_BYTES / 4)
    if job.stage != "sample":
        measured: list[Cell] = []
        if job.stage == "features" and job.block != workload.REAL:
            block = workload.block(config, job.dataset, job.block)
            measured = workload.expected(config, job.dataset, block)
        return Cost(
            listing.seconds(config, job, rates),
            disk=disk_of(config, job),
            workers=width(config, job),
            files=FILES + CELL_FILES * len(measured),
        )
    rate = rates[job.dataset]
    cells = missing_cells(config, layout, job, contents)
    block = workload.block(config, job.dataset, job.block)
    spent = cost_model.cells_seconds(config, job.dataset, block, cells, rate)
    count = block.count * len(cells)
    total = sum(cost_model.evaluations(config, job.dataset, block, cell) for cell in cells)
    image_bytes = math.prod(shape(config.datasets[job.dataset]))
    files = FILES + CELL_FILES * len(cells)
    return Cost(rate.startup + spent, count, total, count * image_bytes, files=files)


def lines(
    config: Config,
    survey: Survey,
    items: list[Pending],
    costs: list[Cost],
    memory: Mapping[str, Mapping[str, float]],
    workers: int,
) -> list[str]:
    """The forecast as text."""
    total = list(jobs(config))
    running = {item.job for item in items}
    taken = {job: source for job, source in survey.taken.items() if job not in running}
    done, shared = len(total) - len(items) - len(taken), f"{len(taken)} taken, " if taken else ""
    head = f"{config.name}: {len(total)} jobs, {done} up to date, {shared}{len(items)} to run"
    text = [head, *sharing.told(taken), ""]
    if not items:
        return [*text[:-1], "nothing to do"]
    table = [("stage", "jobs", "samples", "evaluations", "all jobs", "longest", "memory", "disk")]
    rows: dict[str, list[tuple[Pending, Cost]]] = defaultdict(list)
    for item, price in zip(items, costs, strict=True):
        rows[item.job.stage].append((item, price))
    for stage in (stage for stage in dict.fromkeys(job.stage for job in total) if stage in rows):
        group, prices = rows[stage], [price for _, price in rows[stage]]
        mem_mb = max(item.mem_mb for item, _ in group)
        samples, evaluations = sum(p.samples for p in prices), sum(p.evaluations for p in prices)
        table.append(
            (
                stage,
                f"{len(group):,}",
                f"{samples:,}" if samples else "",
                f"{evaluations:,.0f}" if evaluations else "",
                duration(sum(p.seconds for p in prices)),
                duration(max(p.seconds for p in prices)),
                size(mem_mb * 1e6),
                size(sum(p.disk for p in prices)),
            )
        )
    text += aligned(table)
    hours = sum(price.seconds * price.workers for price in costs) / 3600
    tasks = [
        Task(item.job, price.seconds, inputs(config, item.job), item.priority, price.workers)
        for item, price in zip(items, costs, strict=True)
    ]
    wall = makespan(tasks, workers)
    text += [
        "",
        f"about {duration(wall)} with {workers} jobs at a time "
        f"({hours:.2f} worker hours); "
        f"disk {size(sum(price.disk for price in costs))}, "
        f"{sum(price.files for price in costs):,} files",
    ]
    for name, peaks in memory.items():
        if peaks:
            text.append(
                f"{name}: the probe's peak memory is {peaks['training']:,.0f} MiB in "
                f"training and {peaks['sampling']:,.0f} MiB in sampling"
            )
    text += _blocks(config, rows["sample"]) if "sample" in rows else []
    text.append("")
    reasons: dict[tuple[str, str], list[str]] = defaultdict(list)
    place = {job: number for number, job in enumerate(total)}
    for item in sorted(items, key=lambda item: place[item.job]):
        reason = survey.stale.get(item.job, "asked for")
        reasons[reason, item.job.stage].append(item.job.name)
    for (reason, stage), names in reasons.items():
        shown = ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
        text.append(f"{stage} {shown}: {reason}" if names != ["all"] else f"{stage}: {reason}")
    return text


def _blocks(config: Config, group: list[tuple[Pending, Cost]]) -> list[str]:
    """A better `sampling.block` where the jobs of much sampling would be too short or too long."""
    text = []
    for name, options in config.datasets.items():
        spent = [price.seconds for item, price in group if item.job.dataset == name]
        longest = max(spent, default=0.0)
        if sum(spent) > LONG and not SHORT <= longest <= LONG:
            block, batch = options.sampling.block, options.sampling.micro_batch
            batches = block * (SHORT * LONG) ** 0.5 / longest / batch
            better = max(1, round(batches)) * batch
            text.append(
                f"{name}: its sampling jobs take up to {duration(longest)}; with "
                f"sampling.block {better} instead of {block} it would be about "
                f"{duration(longest * better / block)} (10 to 60 min is good)"
            )
    return text


def forecast(
    config: Config,
    layout: Layout,
    command: list[str],
    path: str,
    settings: list[str],
    jobs_at_once: int | None,
    rates: list[str],
) -> list[str]:
    """The forecast's lines: of the jobs that Snakemake's `command` would run, on this machine.

    `rates`: stated by the user; without them this machine is probed. `jobs_at_once` None: one for
    each GPU that is visible here, else as many as the cores allow.
    """
    items = pending(command)
    gpus = visible_gpus() if config.device != "cpu" else []
    here = len(gpus) or max(1, (os.cpu_count() or 1) // config.threads)
    workers = jobs_at_once or here
    memory: dict[str, dict[str, float]] = {}
    started = time.monotonic()
    if rates:
        speed, head = stated(config, rates), [f"stated: {', '.join(rates)} images/s"]
    elif items:
        probes = min(workers, here)
        speed, memory = probe_all(config, path, settings, probes)
        head = [
            f"probed on this machine in {duration(time.monotonic() - started)}, {probes} at a time"
        ]
    else:
        speed, head = {}, []
    networks = {item.job.dataset for item in items if STAGES[item.job.stage].network}
    if networks:
        from guidebench.pipeline.plan import memory as need  # starts torch

        head += [need.line(config, name) for name in config.datasets if name in networks]
    survey, running = sharing.survey(config, layout), {item.job for item in items}
    contents = {job: digest for job, digest in survey.contents.items() if job not in running}
    costs = [cost(config, layout, item.job, speed, contents) for item in items]
    return [*head, *lines(config, survey, items, costs, memory, workers)]
