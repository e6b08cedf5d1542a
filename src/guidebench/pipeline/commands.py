"""What the sub-commands do: each gets its options, and says the exit code."""

import argparse
import signal
import sys

from guidebench import workload
from guidebench.pipeline.errors import UserError
from guidebench.pipeline.experiment.reading import load
from guidebench.pipeline.jobs import freshness
from guidebench.pipeline.jobs.layout import Job, Layout
from guidebench.pipeline.jobs.listing import jobs, manifest
from guidebench.pipeline.jobs.stages import STAGES
from guidebench.pipeline.plan import trial
from guidebench.pipeline.records.artifacts import results_digest
from guidebench.pipeline.run.stage_process import run_stage


def stage(arguments: argparse.Namespace) -> int:
    """Run one stage."""
    config = load(arguments.config, arguments.set)
    job = Job(
        arguments.command, **{o: getattr(arguments, o) for o in STAGES[arguments.command].wildcards}
    )
    run_stage(config, job, Layout(arguments.results, config.name))
    return 0


def run_pipeline(arguments: argparse.Namespace) -> int:
    """Validate, then run Snakemake with the tracker beside it."""
    from guidebench.pipeline.run import runner
    from guidebench.pipeline.tracking import mlflow_store

    # what ends a batch job or a service is a Ctrl-C, and so is one that a shell's `&` would ignore
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    config = trial.ready(arguments.config, arguments.set, arguments.results)
    mlflow_store.check(mlflow_store.store(arguments.results))
    request = runner.Run(
        config,
        arguments.config,
        arguments.set,
        arguments.cores,
        arguments.results,
        arguments.snakemake,
        arguments.profile,
    )
    if request.here():
        trial.gpu(config, arguments.config, request.layout)
    for line in trial.memory(config, request.layout):
        sys.stdout.write(f"{line}\n")
    code = runner.run(request)
    layout = request.layout
    if code == 0 and layout.report.is_file():
        sys.stdout.write(f"report: {layout.report}\n")
    elif code and layout.preview.is_file():
        sys.stdout.write(f"preview of what is finished: {layout.preview}\n")
    return code


def plan(arguments: argparse.Namespace) -> int:
    """Forecast jobs, time, memory and disk."""
    from guidebench.pipeline.plan import forecast
    from guidebench.pipeline.run import runner

    config = trial.ready(arguments.config, arguments.set, arguments.results)
    if arguments.workers is not None and arguments.workers < 1:
        raise UserError(f"--workers: found {arguments.workers}, allowed: 1 or more")
    request = runner.Run(config, arguments.config, arguments.set, 1, arguments.results, [])
    text = forecast.forecast(
        config,
        request.layout,
        request.command(),
        arguments.config,
        arguments.set,
        arguments.workers,
        arguments.images_per_second,
    )
    sys.stdout.write("".join(f"{line}\n" for line in text))
    return 0


def preview(arguments: argparse.Namespace) -> int:
    """Write what is finished of a run as one page, once or as long as it goes on."""
    from guidebench.pipeline.run import previews

    config = load(arguments.config, arguments.set)
    layout = Layout(arguments.results, config.name)
    if arguments.watch:
        previews.follow(config, layout, arguments.watch)
    else:
        previews.once(config, layout)
        sys.stdout.write(f"{layout.preview}\n")
    return 0


def validate(arguments: argparse.Namespace) -> int:
    """Say what the experiment would compute."""
    if arguments.print_name:
        sys.stdout.write(f"{load(arguments.config, arguments.set).name}\n")
        return 0
    config = trial.ready(arguments.config, arguments.set, arguments.results)
    for dataset in config.datasets:
        cells, blocks = workload.cells(config, dataset), workload.blocks(config, dataset)
        sys.stdout.write(f"{dataset}: {len(cells)} cells, {len(blocks)} seed blocks\n")
    sys.stdout.write(f"{config.name}: {len(list(jobs(config)))} jobs; the config is valid\n")
    return 0


def track(arguments: argparse.Namespace) -> int:
    """Follow event files into MLflow."""
    from guidebench.pipeline.tracking import mlflow_store

    uri = mlflow_store.store(arguments.results)
    mlflow_store.check(uri)
    mlflow_store.track(arguments.results, uri, arguments.watch)
    return 0


def ui(arguments: argparse.Namespace) -> int:
    """Serve the MLflow pages."""
    from guidebench.pipeline.tracking import mlflow_store, server

    server.ui(arguments.results, mlflow_store.store(arguments.results), arguments.port)
    return 0


def server(arguments: argparse.Namespace) -> int:
    """Serve an MLflow store to many machines."""
    from guidebench.pipeline.tracking import server

    server.server(arguments.results, arguments.host, arguments.port)
    return 0


def strip(arguments: argparse.Namespace) -> int:
    """Noise the user's picture."""
    from guidebench import api

    image = api.load(arguments.config, arguments.set).strip(arguments.picture, arguments.dataset)
    try:
        image.save(arguments.output)
    except (OSError, ValueError) as error:
        allowed = "a picture file in a folder that is there"
        raise UserError(
            f"--output: found {arguments.output} ({error}), allowed: {allowed}"
        ) from error
    sys.stdout.write(f"{arguments.output}\n")
    return 0


def evaluate(arguments: argparse.Namespace) -> int:
    """Score somebody's samples."""
    from guidebench import api

    try:
        arguments.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        path = f"{arguments.out} ({error.strerror})"
        raise UserError(f"--out: found {path}, allowed: a folder that can be made") from error
    found = api.evaluate(
        arguments.samples,
        arguments.reference,
        target=arguments.target,
        extractors=arguments.extractor,
        metrics=arguments.metrics,
        labels=arguments.labels,
        training=arguments.training,
        blocks=arguments.blocks,
        weights=arguments.weights,
        sha256=arguments.sha256,
        judge=arguments.judge,
    )
    found.write(arguments.out)
    sys.stdout.write(f"{found}\npage: {arguments.out / 'page.html'}\n")
    return 0


def digest(arguments: argparse.Namespace) -> int:
    """Print the digest of the results."""
    config = load(arguments.config, arguments.set)
    layout = Layout(arguments.results, config.name)
    # report.html shows times: what it is drawn from counts, not the page
    if stale := freshness.stale(config, layout):
        job, reason = next(iter(stale.items()))
        raise UserError(
            f"{layout.root}: {len(stale)} results are missing or stale "
            f"({job.stage} {job.name}: {reason}); run again"
        )
    manifests = [manifest(layout, job) for job in jobs(config) if job.stage != "report"]
    sys.stdout.write(results_digest(manifests, layout.root) + "\n")
    return 0


def check_results(arguments: argparse.Namespace) -> int:
    """Check every file of the experiment; one line each for what is stale, missing or damaged."""
    from guidebench.pipeline.jobs.check import problems

    config = load(arguments.config, arguments.set)
    layout = Layout(arguments.results, config.name)
    every = list(jobs(config))
    lines = list(problems(config, layout, every))
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    if not lines:
        sys.stdout.write(f"{config.name}: the results of {len(every)} jobs are fresh and whole\n")
    return bool(lines)


def collect_garbage(arguments: argparse.Namespace) -> int:
    """Remove states of unfinished trainings, and cells that the config does not name."""
    from guidebench.pipeline.jobs.garbage import remove
    from guidebench.pipeline.run.runner import only_one

    config = load(arguments.config, arguments.set)
    layout = Layout(arguments.results, config.name)
    layout.root.mkdir(parents=True, exist_ok=True)
    with only_one(layout.root):
        count, size = remove(config, layout)
    sys.stdout.write(f"removed {count} files, {size / 2**20:.1f} MiB\n")
    return 0


def adopt(arguments: argparse.Namespace) -> int:
    """Let a stage's present results stand for its new code, and record that in adopted.json."""
    from guidebench.pipeline.jobs import adopt as adopting

    config = load(arguments.config, arguments.set)
    layout = Layout(arguments.results, config.name)
    names = adopting.adopt(config, layout, arguments.stage, arguments.reason)
    sys.stdout.write(
        f"{adopting.ADOPTED}: {arguments.stage} stands for the new {', '.join(names)}\n"
    )
    return 0
