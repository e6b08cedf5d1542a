# Reads and validates the experiment, builds wildcard constraints and each rule's params.
import os
import sys
from pathlib import Path
from shlex import quote

from snakemake.exceptions import WorkflowError
from snakemake.utils import min_version

from guidebench import grid, specs
from guidebench.artifacts import digest_of
from guidebench.closure import code_digest
from guidebench.errors import UserError
from guidebench.grid import REAL, Job, Layout
from guidebench.validate import load

min_version("9.0")

# rules call `guidebench`: found beside the Python that runs Snakemake, activated or not
os.environ["PATH"] = os.pathsep.join(
    [str(Path(sys.executable).parent), os.environ["PATH"]]
)

CONFIG_FILE = str(workflow.configfiles[0]) if workflow.configfiles else "config.yaml"
# `--config key=value` and, for keys below the top, `--config 'set=["key.path=value"]'`
OVERRIDES = dict(workflow.config_settings.config)
SETTINGS = [*OVERRIDES.pop("set", []), *(f"{k}={v}" for k, v in OVERRIDES.items())]
try:
    EXPERIMENT = load(CONFIG_FILE, SETTINGS)
except UserError as error:
    raise WorkflowError(str(error)) from None

CLI = " ".join(
    [
        f"--config {quote(CONFIG_FILE)}",
        *(f"--set {quote(setting)}" for setting in SETTINGS),
    ]
)
LAYOUT = Layout(Path("results"), EXPERIMENT.name)
ROOT = str(LAYOUT.root)
DATASETS = list(EXPERIMENT.datasets)
WORLDS = list(EXPERIMENT.worlds)
THREADS = EXPERIMENT.threads


wildcard_constraints:
    dataset="|".join([*DATASETS, *WORLDS]),
    classifier="|".join(
        {c for d in EXPERIMENT.datasets.values() for c in d.classifiers} or {"-"}
    ),
    block="|".join(
        {REAL} | {b.name for d in DATASETS for b in grid.blocks(EXPERIMENT, d)}
    ),


def spec(stage):
    """Digest of the job's slice of the config, as params: what changes it re-runs the job."""
    return lambda wildcards: digest_of(specs.spec(EXPERIMENT, Job(stage, **wildcards)))


# where a job's network runs; jobs without one ask for no GPU
GPU = 0 if EXPERIMENT.device == "cpu" else 1


def doubled(amount):
    """A resource that doubles with each attempt (`retries`, in a cluster's profile)."""
    return lambda wildcards, attempt: amount * 2 ** (attempt - 1)


def denoiser(wildcards):
    """How a data set's denoiser is trained."""
    return EXPERIMENT.datasets[wildcards.dataset].denoiser


def classifiers(dataset, names):
    """Manifests of the named classifiers of a data set."""
    return [str(LAYOUT.classifier(dataset, name) / "manifest.json") for name in names]


def blocks(folder):
    """Manifests of a data set's scored seed blocks in samples or features."""
    return lambda wildcards: [
        f"{ROOT}/{wildcards.dataset}/{folder}/manifests/{block.name}.json"
        for block in grid.scored(EXPERIMENT, wildcards.dataset)
    ]
