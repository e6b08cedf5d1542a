# Reads and validates the experiment, builds wildcard constraints and each rule's params.
import json
import os
import sys
from functools import cache
from pathlib import Path
from shlex import quote

from snakemake.logging import logger
from snakemake.settings.enums import RerunTrigger
from snakemake.utils import min_version
from snakemake_interface_logger_plugins.common import LogEvent

from guidebench import workload
from guidebench.workload import REAL
from guidebench.pipeline import forkserver
from guidebench.pipeline.errors import UserError
from guidebench.pipeline.experiment.reading import load
from guidebench.pipeline.jobs import cost_model, demands, listing, sharing, slices
from guidebench.pipeline.jobs.layout import Job, Layout
from guidebench.pipeline.plan import schedule, trial
from guidebench.pipeline.run import previews
from guidebench.pipeline.run.killed_runs import MARK

min_version("9.0")

# rules call `guidebench`: found beside the Python that runs Snakemake, activated or not
os.environ["PATH"] = os.pathsep.join(
    [str(Path(sys.executable).parent), os.environ["PATH"]]
)


def refuse(said):
    """End with these lines alone: of an exception Snakemake would tell the place in this file."""
    logger.error(said, extra={"event": LogEvent.ERROR, "exception": UserError.__name__})
    sys.exit(1)


CONFIG_FILE = str(workflow.configfiles[0]) if workflow.configfiles else "config.yaml"
if len(workflow.configfiles) > 1:
    refuse(
        f"--configfile: found {len(workflow.configfiles)} files, allowed: one; "
        "a file that begins with `base: OTHER.yaml` lays its keys over the other's"
    )
# `--config key=value` and, for keys below the top, `--config 'set=["key.path=value"]'`
OVERRIDES = dict(workflow.config_settings.config)
BELOW = OVERRIDES.pop("set", [])
for key in {"name", "description"} & set(OVERRIDES):
    if not isinstance(OVERRIDES[key], str):
        refuse(
            f"--config {key}: found {OVERRIDES[key]} (Snakemake takes it for a number), allowed: "
            f'text, as --config \'set=["{key}=\\"TEXT\\""]\''
        )
SETTINGS = [
    *([BELOW] if isinstance(BELOW, str) else BELOW),
    *(f"{key}={json.dumps(value)}" for key, value in OVERRIDES.items()),
]
RESULTS = Path("results")
try:
    EXPERIMENT = load(CONFIG_FILE, SETTINGS)
    if workflow.is_main_process:
        demands.check(EXPERIMENT, CONFIG_FILE, RESULTS)
except UserError as error:
    refuse(str(error))

CLI = " ".join(
    [
        f"--config {quote(CONFIG_FILE)}",
        *(f"--set {quote(setting)}" for setting in SETTINGS),
    ]
)
LAYOUT = Layout(RESULTS, EXPERIMENT.name)
ROOT = str(LAYOUT.root)
DATASETS = list(EXPERIMENT.datasets)
WORLDS = list(EXPERIMENT.worlds)
THREADS = EXPERIMENT.threads


wildcard_constraints:
    dataset="|".join([*DATASETS, *WORLDS]),
    classifier="|".join(
        {c for d in EXPERIMENT.datasets.values() for c in d.classifiers} or {"-"}
    ),
    # no names: Snakemake searches the pattern for each file, and there may be thousands
    block="|".join(
        {REAL}
        | {rf"{b.split}-\d+" for d in DATASETS for b in workload.blocks(EXPERIMENT, d)}
    ),


# What is stale is decided in one place (docs/freshness.md), and Snakemake runs just that: its own
# records do not travel with a copied folder, and do not see code, files from outside or damage.
# The processes that it starts for single jobs (SLURM) were told what to run.
FOUND = sharing.Survey({}, {}, {})
try:
    if workflow.is_main_process:
        FOUND = sharing.survey(EXPERIMENT, LAYOUT)
        demands.check_prepared(EXPERIMENT, CONFIG_FILE, LAYOUT, FOUND)
        # it may start torch: not where nothing is to do, nor after `guidebench run`, which did it
        if FOUND.stale and MARK not in os.environ:
            trial.check(EXPERIMENT, CONFIG_FILE)
except UserError as error:
    refuse(str(error))

if FOUND.stale or FOUND.taken:
    if any(argument.startswith("--report") for argument in sys.argv):
        refuse("--report: some results are missing or stale; run again first")


def by_hand():
    """Whether somebody forces jobs; known when Snakemake asks for input."""
    settings = workflow.dag_settings
    return settings.forceall or settings.forcerun or settings.forcetargets


@cache
def decided():
    """What is stale and what is taken from other experiments, as soon as it is known: in a run it
    lies in this one's folder then, else a manifest there stands for the one that would.
    """
    found = FOUND
    if by_hand():
        asked = dict.fromkeys(found.taken, "asked for")
        found = sharing.Survey(found.stale | asked, {}, {})
    dry = not workflow.execution_settings or workflow.dryrun or workflow.touch
    if found.taken and not dry:
        found = sharing.take_over(EXPERIMENT, LAYOUT)
    for line in sharing.told(found.taken):
        logger.info(line, extra={"event": "taken"})
    if found.taken and not dry:
        found = found._replace(taken={})
    if workflow.is_main_process:
        plan = schedule.announced(EXPERIMENT, LAYOUT, found.stale, PRIORITIES)
        logger.info("", extra=plan)
    return found


def manifests(jobs):
    """Their manifests. The time of one that stands is nobody's business (`ancient`), unless
    somebody forces jobs by hand.
    """
    found = decided()
    return [
        output(job) if by_hand() or job in found.stale else ancient(output(job))
        for job in jobs
    ]


@cache
def output(job):
    """The manifest of a job, where it lies or will: each is asked for many times."""
    return str(listing.manifest(decided().place(LAYOUT, job), job))


def reads(stage):
    """The manifests that a job of the stage reads.

    Snakemake asks for each job's input while it makes up its mind which jobs have to run: that is
    the moment to tell it which ones do.
    """

    def asked(wildcards):
        job = Job(stage, **wildcards)
        # its records of interrupted jobs decide nothing: a manifest that is there is whole
        workflow.dag_settings.rerun_triggers = {RerunTrigger.MTIME}
        workflow.dag.ignore_incomplete = True
        if workflow.execution_settings:
            workflow.execution_settings.keep_incomplete = True
        if job in decided().stale:
            workflow.dag.forcefiles.add(output(job))
        return manifests(listing.inputs(EXPERIMENT, job))

    return asked


def why(stage):
    """Why a job of the stage runs, for Snakemake's own report."""
    return lambda wildcards: decided().stale.get(Job(stage, **wildcards), "asked for")


PRIORITIES = schedule.priorities(EXPERIMENT) if workflow.is_main_process else {}


def rank(stage):
    """The priority of a job of the stage."""
    return lambda wildcards: PRIORITIES.get(Job(stage, **wildcards), 0)


# where a job's network runs; jobs without one ask for no GPU
GPU = 0 if EXPERIMENT.device == "cpu" else 1


def doubled(amount):
    """A resource that doubles with each attempt (`retries`, in a cluster's profile)."""
    return lambda wildcards, attempt: amount * 2 ** (attempt - 1)


def denoiser(wildcards):
    """How a data set's denoiser is trained."""
    return EXPERIMENT.datasets[wildcards.dataset].denoiser
