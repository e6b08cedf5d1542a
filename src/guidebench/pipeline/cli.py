"""The command line: one sub-command per stage, and the commands around them."""

import argparse
import logging
import os
import runpy
import sys
from collections.abc import Callable
from pathlib import Path

from guidebench.pipeline import commands
from guidebench.pipeline.errors import UserError
from guidebench.pipeline.jobs.stages import STAGES

SNAKEMAKE = "snakemake"  # before its own options: how `run` and `plan` start it


def parser() -> argparse.ArgumentParser:
    """All sub-commands with their options."""
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--config", default="config.yaml", help="experiment file (config.yaml)")
    common.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY.PATH=VALUE",
        help="override one key; may be repeated",
    )
    place = argparse.ArgumentParser(add_help=False)
    place.add_argument("--results", type=Path, help="folder (results)")
    top = argparse.ArgumentParser(
        prog="guidebench", description="A reproducible benchmark of guided diffusion sampling."
    )
    subparsers = top.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def add(name: str, text: str, action: Callable[[argparse.Namespace], int]) -> None:
        # the Snakefile writes to results/; an evaluation is of no experiment
        without = {"run": [common], "plan": [common], "strip": [common], "evaluate": []}
        parents = without.get(name, [common, place])
        command = subparsers.add_parser(name, help=text, description=text, parents=parents)
        command.set_defaults(action=action, results=Path("results"))
        for option in STAGES[name].wildcards if name in STAGES else ():
            command.add_argument(f"--{option}", required=True)
        if name == "run":
            command.add_argument("--cores", type=int, default=os.cpu_count() or 1)
            command.add_argument("--profile", help="of workflow/profiles, or a folder: slurm, gpus")
            command.add_argument(
                "snakemake", nargs="*", help="more options for snakemake, after --"
            )
        if name == "validate":
            command.add_argument("--print-name", action="store_true", help="print the name alone")
        if name == "plan":
            command.add_argument(
                "--workers",
                type=int,
                help="jobs that run at the same time (this machine's GPUs, or cores / threads)",
            )
            command.add_argument(
                "--images-per-second",
                action="append",
                default=[],
                metavar="[DATA=]R",
                help="instead of a probe: denoiser "
                "evaluations per second of a worker on the target",
            )
        if name in ("track", "preview"):
            command.add_argument("--watch", type=int, help="follow until this process ends")
        if name in ("ui", "server"):
            command.add_argument("--port", type=int, default=5000)
        if name == "server":
            command.add_argument(
                "--host", default="127.0.0.1", help="0.0.0.0: other machines, no password"
            )
        if name == "strip":
            command.add_argument("picture", type=Path, help="a file that Pillow reads")
            command.add_argument("--dataset", help="whose process (the first)")
            command.add_argument("--output", type=Path, default=Path("strip.png"))
        if name == "evaluate":
            _evaluation(command)
        if name == "adopt":
            command.add_argument("--stage", required=True, choices=STAGES)
            command.add_argument("--reason", required=True, help="why the old result still stands")

    for name, record in STAGES.items():
        add(name, record.text, commands.stage)
    add("run", "run the whole pipeline, with progress and tracking", commands.run_pipeline)
    add("plan", "say what would run and why, and what it costs, before it does", commands.plan)
    add("validate", "check the experiment file and say what it would compute", commands.validate)
    add("preview", "write what is finished of a run as a page, before its report", commands.preview)
    add("track", "follow the event files into the MLflow store", commands.track)
    add("ui", "open the MLflow pages on localhost", commands.ui)
    add("server", "serve an MLflow store to many machines", commands.server)
    add("strip", "draw a picture of yours noised along a data set's process", commands.strip)
    add("evaluate", "score somebody's samples against somebody's images", commands.evaluate)
    add("digest", "print one hash of the results, without times", commands.digest)
    add("check", "check every result: there, fresh, and whole", commands.check_results)
    add(
        "gc",
        "remove resume states and cells that the config cannot reach",
        commands.collect_garbage,
    )
    add("adopt", "let a stage's present results stand for its new code", commands.adopt)
    return top


def _evaluation(command: argparse.ArgumentParser) -> None:
    """The options of `evaluate`."""
    held = "a folder of pictures, a .zip, an .npz, a .parquet, a cell or a prepared data set"
    command.add_argument("samples", type=Path, help=held)
    command.add_argument(
        "--reference", type=Path, required=True, help=f"{held}, or an .npz of mu and sigma"
    )
    command.add_argument("--target", metavar="CLASS", help="of both sides, this class alone")
    command.add_argument(
        "--extractor",
        nargs="+",
        default=["efficientnet_lite0"],
        metavar="NAME",
        help="efficientnet_lite0, pixels, inception, judge (efficientnet_lite0)",
    )
    command.add_argument(
        "--metrics", nargs="+", metavar="NAME", help="of docs/metrics.md (all that there can be)"
    )
    command.add_argument(
        "--labels", type=Path, metavar="CSV", help="a table of the samples' file names and classes"
    )
    command.add_argument(
        "--training", action="store_true", help="the reference taught the model: look for copies"
    )
    command.add_argument("--blocks", type=int, default=16, help="jackknife blocks (16)")
    command.add_argument("--weights", type=Path, help="Inception's, for --extractor inception")
    command.add_argument("--sha256", help="of these weights")
    command.add_argument("--judge", type=Path, help="a classifier's folder, for --extractor judge")
    command.add_argument("--out", type=Path, default=Path("evaluation"), help="folder (evaluation)")


def main() -> None:
    """Entry point: a UserError is printed without a traceback, exit code 2."""
    if sys.argv[1:2] == [SNAKEMAKE]:
        sys.argv = sys.argv[1:]
        runpy.run_module(SNAKEMAKE, run_name="__main__", alter_sys=True)
    arguments = parser().parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    try:
        code = arguments.action(arguments)
    except UserError as error:
        sys.stderr.write(f"{error}\n")
        code = 2
    sys.exit(code)
