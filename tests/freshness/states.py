"""An experiment as people treat it: edited, run, killed, damaged, copied, and run again."""

import ast
import errno
import importlib
import os
import re
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from digits import write_digits
from tiny import Died, apart, configured, experiment, run_job

from guidebench.pipeline import recording
from guidebench.pipeline.errors import UserError
from guidebench.pipeline.jobs import sharing
from guidebench.pipeline.jobs.check import problems
from guidebench.pipeline.jobs.layout import Job, Layout
from guidebench.pipeline.jobs.listing import inputs, jobs, manifest
from guidebench.pipeline.records import code
from guidebench.pipeline.records.artifacts import results_digest

# keys of the data set that are edited, with what they are set to
EDITS: dict[tuple[str, ...], list[Any]] = {
    ("sampling", "steps"): [2, 3],
    ("setups", "clean/raw", "scales"): [[1], [1, 10]],
    ("target",): ["3", "5"],
    ("classifiers", "clean", "learning_rate"): [0.002, 0.001],
    ("denoiser", "checkpoint_every"): [1, 2],
}
# function and what is changed in it: (module, function, old text, new text)
CODE: dict[str, tuple[str, str, str, str]] = {
    "ema": ("guidance.stabilizers", "EMA.__call__", "self.beta * mean", "0.5 * self.beta * mean"),
    "heun": ("diffusion.samplers", "heun", "corrected.eps) / 2", "corrected.eps) / 3"),
    "frechet": ("metrics.frechet", "Fitted.distance", "- 2 * cross", "- 3 * cross"),
    "unused": ("diffusion.samplers", "ddim", "eta > 0", "eta > 1"),
}
OURS = ("logs", "events")  # what nobody reads
LIMIT = 25


class Outcome(NamedTuple):
    """What a run foresaw, planned when others' results were taken, ran, and could not do."""

    foreseen: list[Job]
    planned: list[Job]
    ran: list[Job]
    failed: list[str]


def values(root: Path) -> dict[str, Any]:
    """The digits of `tiny` alone."""
    whole = experiment(root)
    digits = whole["datasets"]["digits"]
    guided = {"guidance": "classifier", "classifier": "clean", "injection": "score"}
    setups = {
        "unguided": {},
        "clean/raw": guided | {"scales": [1]},
        "clean/raw+ema": guided | {"scales": [1], "stabilizer": {"name": "ema"}},
    }
    small = {
        "denoiser": digits["denoiser"] | {"condition_dropout": None},
        "data": digits["data"] | {"train": 60, "validation": 60},
        # of two scales, an edit, one drops out
        "sampling": digits["sampling"] | {"finalists": {"scales": 1, "evaluation": 12}},
    }
    return whole | {"worlds": {}, "datasets": {"digits": digits | small | {"setups": setups}}}


@contextmanager
def drawn_quickly() -> Iterator[None]:
    """Every figure is a small file that says from which tables it is: drawing takes seconds."""
    from guidebench.report.figures import drawing, embedding, films, sheets

    def draw(tables: Any, dataset: str, folder: Path) -> list[Path]:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / "figure.svg"
        path.write_text(tables.results[tables.results.metric == "cfd_judge"].to_csv(index=False))
        return [path]

    kept = drawing.draw, drawing.draw_costs, sheets.draw, films.draw, embedding.draw
    drawing.draw = draw
    drawing.draw_costs = lambda tables, folder: []  # type: ignore[assignment]
    sheets.draw = films.draw = embedding.draw = lambda *_: []  # type: ignore[assignment]
    try:
        yield
    finally:
        (  # type: ignore[assignment]
            drawing.draw,
            drawing.draw_costs,
            sheets.draw,
            films.draw,
            embedding.draw,
        ) = kept


def edit_code(names: frozenset[str]) -> None:
    """Change functions of this process as if their files had been edited before it began."""
    for name in sorted(names):
        module, function, old, new = CODE[name]
        module = f"guidebench.{module}"
        source = recording.sources[module]
        assert old in source
        recording.sources[module] = source.replace(old, new)
        loaded = importlib.import_module(module)
        space: dict[str, Any] = {"__name__": module, "__ran__": recording.ran.add}
        tree = recording.noting(ast.parse(recording.sources[module]), module)
        exec(compile(tree, str(loaded.__file__), "exec", dont_inherit=True), space)
        owner, _, method = function.rpartition(".")
        here: Any = getattr(loaded, owner) if owner else loaded
        there: Any = space[owner] if owner else space
        changed = getattr(there, method) if owner else space[method]
        getattr(here, method).__code__ = changed.__code__
    code.forget()


@contextmanager
def trouble(at: int, kill: bool) -> Iterator[None]:
    """At the `at`-th file that is put in its place the process is killed, or the disk is full."""
    replace, count = os.replace, 0

    def counted(*arguments: Any) -> None:
        nonlocal count
        count += 1
        if count == at:
            if kill:
                os.kill(os.getpid(), signal.SIGKILL)
            raise OSError(errno.ENOSPC, "No space left on device")
        replace(*arguments)

    os.replace = counted  # type: ignore[assignment]
    try:
        yield
    finally:
        os.replace = replace  # type: ignore[assignment]


class Experiment:
    """One folder with an experiment, its config, its code and its data."""

    references: dict[str, str] = {}

    def __init__(self, root: Path) -> None:
        self.root, self.copies = root, 0
        self.digits = 0
        self.code: frozenset[str] = frozenset()
        self.results = root / "results"
        write_digits(root / "data", self.digits)
        self.values = values(root / "data")
        self.history: list[str] = []

    @property
    def dataset(self) -> dict[str, Any]:
        return self.values["datasets"]["digits"]

    def set(self, path: tuple[str, ...], value: Any) -> None:
        place = self.dataset
        for key in path[:-1]:
            place[key] = dict(place[key])
            place = place[key]
        place[path[-1]] = value

    def replace_data(self, seed: int) -> None:
        """Other files of the same names, sizes and times of change."""
        times = {path: path.stat() for path in (self.root / "data").rglob("*-ubyte")}
        write_digits(self.root / "data", seed)
        for path, stat in times.items():
            os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
        self.digits = seed

    def copy_folder(self) -> None:
        """Go on with a copy of the results."""
        self.copies += 1
        copy = self.root / f"copy{self.copies}"
        if self.results.exists():
            shutil.copytree(self.results, copy)
        self.results = copy

    def files(self) -> list[Path]:
        """Every file of the experiments that somebody may delete or damage."""
        return sorted(
            path
            for path in self.results.glob("*/**/*")
            if path.is_file() and path.relative_to(self.results).parts[1] not in OURS
        )

    def _do(
        self,
        work: Callable[[Any, Layout], Any],
        results: Path | None = None,
        name: str = "tiny",
    ) -> Any:
        def there() -> Any:
            edit_code(self.code)
            folder = results or self.results
            folder.mkdir(parents=True, exist_ok=True)
            config = configured(self.values | {"name": name}, self.root / "experiment.json")
            with drawn_quickly():
                return work(config, Layout(folder, name))

        return apart(there)

    def run(
        self,
        results: Path | None = None,
        at: int = 0,
        kill: bool = False,
        name: str = "tiny",
    ) -> Outcome | None:
        """Run what is stale, as Snakemake does with --keep-going; None when it was killed."""

        def work(config: Any, layout: Layout) -> Outcome:
            foreseen = list(sharing.survey(config, layout).stale)
            ran, failed, lost = [], [], set()
            with trouble(at, kill):
                planned = list(sharing.take_over(config, layout).stale)
                for job in planned:
                    if lost & set(inputs(config, job)):
                        lost.add(job)
                        continue
                    ran.append(job)
                    try:
                        run_job(config, job, layout)
                    except UserError as error:
                        lost.add(job)
                        failed.append(str(error))
            return Outcome(foreseen, planned, ran, failed)

        try:
            outcome: Outcome = self._do(work, results, name)
        except Died:
            assert kill
            return None
        return outcome

    def finish(self, results: Path | None = None, name: str = "tiny") -> Outcome:
        """Run until nothing fails, deleting what the messages say should be deleted."""
        for _ in range(LIMIT):
            outcome = self.run(results, name=name)
            assert outcome is not None
            if not outcome.failed:
                return outcome
            for line in outcome.failed:
                remedies = re.findall(r"delete (\S+) and run again", line)
                assert remedies or "run again" in line, line
                for path in remedies:
                    Path(path).unlink(missing_ok=True)
        raise AssertionError(f"still failing after {LIMIT} runs: {outcome.failed}")

    def digest(self, results: Path | None = None) -> str:
        def work(config: Any, layout: Layout) -> str:
            every = [manifest(layout, job) for job in jobs(config) if job.stage != "report"]
            return results_digest(every, layout.root)

        digest: str = self._do(work, results)
        return digest

    def problems(self) -> list[str]:
        """What `guidebench check` says."""
        lines: list[str] = self._do(
            lambda config, layout: list(problems(config, layout, jobs(config)))
        )
        return lines

    def reference(self) -> str:
        """The digest of a fresh folder with the same config, code and data."""
        settings = {path: self._get(path) for path in EDITS if path[-1] != "checkpoint_every"}
        key = repr(
            (sorted(map(str, settings.items())), self.digits, sorted(self.code - {"unused"}))
        )
        if key not in self.references:
            folder = self.root / "reference"
            self.finish(folder)
            self.references[key] = self.digest(folder)
            shutil.rmtree(folder)
        return self.references[key]

    def _get(self, path: tuple[str, ...]) -> Any:
        place: Any = self.dataset
        for key in path:
            place = place.get(key, EDITS[path][0]) if isinstance(place, dict) else place
        return place


def damage(path: Path, kind: str, place: int) -> None:
    """Flip a bit of a file, cut it in half, empty it, or write something else into it."""
    content = bytearray(path.read_bytes())
    if kind == "flip" and content:
        content[place % len(content)] ^= 1 << (place % 8)
    elif kind == "cut":
        content = content[: len(content) // 2]
    elif kind == "empty":
        content = bytearray()
    elif kind == "foreign":
        content = bytearray(np.random.default_rng(place).bytes(len(content)))
    path.write_bytes(content)
