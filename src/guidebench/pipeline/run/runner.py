"""The pipeline as a person runs it: Snakemake, the tracker beside it, progress to follow."""

import fcntl
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import yaml

from guidebench.pipeline.errors import UserError
from guidebench.pipeline.experiment.config import Config
from guidebench.pipeline.jobs.layout import Layout
from guidebench.pipeline.jobs.parallel import visible_gpus
from guidebench.pipeline.plan.schedule import WRITE_EVENTS
from guidebench.pipeline.records.events import read
from guidebench.pipeline.records.failures import explain, last_words
from guidebench.pipeline.run import killed_runs, slurm
from guidebench.pipeline.run.killed_runs import MARK
from guidebench.pipeline.run.progress import Progress
from guidebench.pipeline.tracking.following import SECONDS_PER_FILE

POLL_SECONDS = 0.3
PROFILE = "SNAKEMAKE_PROFILE"  # read by Snakemake
CHECKOUT = Path(__file__).parents[4]  # where this package is installed from
TRACKER_SECONDS = 60.0


def workflow() -> Path:
    """The folder with the workflow: this one, else the checkout; UserError where there is none."""
    for folder in (Path(), CHECKOUT):
        if (folder / "Snakefile").is_file() and (
            folder / "workflow/rules/ground_truth.smk"
        ).is_file():
            return folder
    raise UserError(
        f"{Path.cwd()}: found no Snakefile of guidebench here or in {CHECKOUT}, "
        "allowed: the folder of its repository"
    )


class Run(NamedTuple):
    """What `guidebench run` was asked for."""

    config: Config
    config_path: str
    settings: list[str]
    cores: int
    results: Path
    snakemake_args: list[str]
    profile: str | None = None

    @property
    def layout(self) -> Layout:
        """The experiment's paths."""
        return Layout(self.results, self.config.name)

    @property
    def folder(self) -> Path:
        """The experiment's folder."""
        return self.layout.root

    @property
    def log(self) -> Path:
        """The file for everything that Snakemake prints."""
        return self.folder / "logs" / "pipeline.log"

    @property
    def events(self) -> Path:
        """The file that Snakemake's logger plugin writes events to."""
        return self.log.with_suffix(".jsonl")

    @property
    def profiles(self) -> Path:
        """The folder of the profiles that have a name."""
        return workflow() / "workflow/profiles"

    @property
    def profile_file(self) -> Path:
        """The profile's settings: of a folder, or of a name in workflow/profiles."""
        folder = Path(self.profile or "local")
        return (folder if folder.is_dir() else self.profiles / folder) / "config.yaml"

    def on_slurm(self) -> bool:
        """Whether the profile hands the jobs to SLURM; UserError when it is missing or wrong."""
        return self.executor() == "slurm"

    def here(self) -> bool:
        """Whether the jobs run on this machine, as far as can be said without Snakemake."""
        elsewhere = any(word.startswith(("--exec", "-e", "--prof")) for word in self.snakemake_args)
        return self.executor() == "local" and not elsewhere and not os.environ.get(PROFILE)

    def executor(self) -> str:
        """Who runs the jobs, as the profile says; UserError when it is missing or wrong."""
        if self.profile is None:
            return "local"
        try:
            profile = yaml.safe_load(self.profile_file.read_text()) or {}
            executor: str = profile.get("executor") or "local"
            if executor == "slurm":
                slurm.check(profile, self.profile_file)
            return executor
        except (FileNotFoundError, NotADirectoryError) as error:
            names = sorted(path.parent.name for path in self.profiles.glob("*/config.yaml"))
            raise UserError(
                f"--profile: found {self.profile}, allowed: {', '.join(names)}, or a folder with a "
                "config.yaml"
            ) from error
        except (yaml.YAMLError, AttributeError) as error:
            text = " ".join(str(error).split())
            raise UserError(f"{self.profile_file}: not a profile in YAML ({text})") from error

    def command(self) -> list[str]:
        """Snakemake's command line, without its lock: a killed run would leave that behind."""
        command = [sys.executable, "-m", "guidebench", "snakemake", "--nolock"]
        command += ["--configfile", self.config_path, "--snakefile", str(workflow() / "Snakefile")]
        if self.settings:
            command += ["--config", f"set={json.dumps(self.settings)}"]
        if self.profile:
            command += ["--profile", str(self.profile_file.parent)]
        else:
            command += ["--cores", str(self.cores)]
            if gpus := len(visible_gpus()):
                command += ["--resources", f"gpu={gpus}"]
            # last: --resources takes all words up to the next option, a target of the user's, too
            command += ["--keep-going"]
        if self.on_slurm():
            command += ["--slurm-jobname-prefix", slurm.prefix(self.folder)]
        return [*command, *self.snakemake_args]


@contextmanager
def only_one(folder: Path) -> Iterator[None]:
    """Lock the experiment as long as this process lives; UserError while another run has it."""
    with open(folder / ".run.lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UserError(
                f"{folder.name}: another run of it is active; wait for it, or "
                "end it with Ctrl-C there"
            ) from error
        except OSError as error:
            raise UserError(
                f"{lock.name}: cannot be locked ({error.strerror}); mount this file "
                "system with locks (Lustre: flock)"
            ) from error
        yield


def run(request: Run) -> int:
    """Run the pipeline; returns Snakemake's exit code, 130 when interrupted.

    Trouble with the MLflow store never changes the exit code.
    """
    on_slurm = request.on_slurm()
    request.log.parent.mkdir(parents=True, exist_ok=True)
    with only_one(request.folder), open(request.log, "w") as log:
        # jobs outlive a killed Snakemake, and would write the same files as those of this run
        if count := killed_runs.end(request.folder, on_slurm):
            sys.stdout.write(f"cancelled {count} SLURM jobs that an earlier run left\n")
        mark = {MARK: str(request.folder.resolve())}
        request.events.unlink(missing_ok=True)
        command = [*request.command(), *WRITE_EVENTS, str(request.events)]
        process = subprocess.Popen(
            command, stdout=log, stderr=subprocess.STDOUT, env=os.environ | mark
        )
        # in a session of its own, where no Ctrl-C of the terminal stops its last sync
        follow = [sys.executable, "-m", "guidebench.pipeline.tracking.mlflow_store"]
        tracker = subprocess.Popen(
            [*follow, str(request.results), str(process.pid)], start_new_session=True
        )
        progress = Progress(request.events)
        watch = slurm.Watch(request.folder) if on_slurm else None
        lost: list[str] = []
        try:
            while process.poll() is None:
                progress.update()
                if watch:
                    watch.look()
                with suppress(subprocess.TimeoutExpired):
                    process.wait(max(POLL_SECONDS, SECONDS_PER_FILE * len(progress.states)))
            code = process.returncode
        except KeyboardInterrupt:
            sys.stderr.write("\ninterrupted: ending the running jobs; run again to continue\n")
            code = 130
        except UserError as error:
            code, lost = 1, [str(error)]
        if code:
            # Snakemake cancels its jobs, but not those that it was just submitting or asking for
            try:
                killed_runs.end(request.folder, on_slurm)
            except UserError as error:
                sys.stderr.write(f"{error}\n")
            process.wait()
        progress.finish(code)
        with suppress(subprocess.TimeoutExpired):
            tracker.wait(TRACKER_SECONDS)
        if tracker.poll() is None:
            tracker.kill()
    if code not in (0, 130):
        events, _ = read(request.events)
        lines = [*explain(events, progress.errors()), *lost]
        lines = lines or last_words(events, request.log.read_text())
        lines.append(f"logs: {request.log.parent}")
        sys.stderr.write("".join(f"{line}\n" for line in lines))
    return code
