"""What is finished of an unfinished experiment, as a page that nobody takes for the report."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from guidebench import workload
from guidebench.pipeline.experiment.config import Config
from guidebench.pipeline.jobs import freshness, listing, slices
from guidebench.pipeline.jobs.layout import Job, Layout
from guidebench.pipeline.jobs.listing import jobs, manifest
from guidebench.pipeline.jobs.stages import FOLLOWING
from guidebench.pipeline.records.artifacts import atomic, environment
from guidebench.pipeline.records.events import read
from guidebench.pipeline.records.finished_cells import where
from guidebench.report.columns import joined
from guidebench.report.figures import drawing, sheets, theme
from guidebench.report.pages import preview
from guidebench.report.tables import Tables
from guidebench.stages.collect import classifier, history, losses, trained
from guidebench.stages.pictures import SHOWN, of_data
from guidebench.stages.preview_scores import SCORES, scorable, scores
from guidebench.stages.sensitivity import FILE
from guidebench.stages.summary import facts, parameters, summary


class Preview:
    """Writes preview.html as often as it is asked to, and makes nothing twice that is the same."""

    def __init__(self, config: Config, layout: Layout, folder: Path) -> None:
        self.config, self.layout, self.folder = config, layout, folder  # for pictures
        self.done: set[Job] = set()
        self.kept: dict[tuple[object, ...], Any] = {}
        self.drawn: dict[Path, object] = {}

    def write(self) -> bool:
        """Write it; whether there was anything to show, and the report is not about to come."""
        config, layout, began = self.config, self.layout, time.time()
        stale = freshness.stale(config, layout)
        self.done = {job for job in jobs(config) if job not in stale}
        prepared = [name for name in config.datasets if Job("prepare", name) in self.done]
        if not prepared or all(job.stage in FOLLOWING for job in stale):
            return False
        tables, scored = self._tables(prepared)
        for dataset in prepared:
            self._draw(tables, dataset)
        page = preview.render(
            tables, self.folder, self._counts(), scored, earlier=layout.report.is_file()
        )
        report = manifest(layout, Job("report"))
        if report.is_file() and report.stat().st_mtime >= began:
            return False  # published meanwhile
        with atomic(layout.preview) as temporary:
            temporary.write_text(page)
        return True

    def _counts(self) -> dict[str, preview.Count]:
        stages: dict[str, list[Job]] = {}
        for job in jobs(self.config):
            stages.setdefault(job.stage, []).append(job)
        return {
            stage: preview.Count(
                len(self.done.intersection(every)),
                len(every),
                [job.name for job in every if job not in self.done],
            )
            for stage, every in stages.items()
        }

    def _tables(self, datasets: Sequence[str]) -> tuple[Tables, dict[str, preview.Scored]]:
        """The report's tables with the rows that there are, and what their numbers are of."""
        config, layout = self.config, self.layout
        done = [job for job in jobs(config) if job in self.done]
        frames: dict[str, list[pd.DataFrame]] = {name: [] for name in SCORES}
        scored, told = {}, {}
        for dataset in datasets:
            with_denoiser = Job("train_denoiser", dataset) in self.done
            count = parameters(layout, dataset) if with_denoiser else None
            told[dataset] = dict(
                self._once(facts, config, layout, dataset, count, of=(dataset, count))
            )
            if blocks := scorable(config, dataset, self.done):
                found, scored[dataset] = self._once(
                    scores, config, layout, dataset, blocks, of=(dataset, *blocks)
                )
                told[dataset] |= dict.fromkeys(("n", "n_chosen"), scored[dataset].n)
                for name in SCORES:
                    frames[name].append(found[name])
        frames["classifiers"] = [
            pd.DataFrame([classifier(config, layout, job)])
            for job in done
            if job.stage == "train_classifier"
        ]
        frames["history"] = [
            history(layout, job) if job in self.done else self._running(job)
            for job in trained(config)
        ]
        frames["sensitivity"] = [
            pd.read_parquet(listing.folder(layout, job) / FILE)
            for job in done
            if job.stage == "sensitivity"
        ]
        rows = {name: joined(name, parts) for name, parts in frames.items()}
        about = summary(config, told) | {"worlds": {}} | environment()
        return Tables(**rows, costs=pd.DataFrame(), summary=about), scored

    def _once(self, make: Any, *arguments: Any, of: tuple[object, ...]) -> Any:
        """What `make` gives, made once as long as what it is made `of` stays the same."""
        key = (make.__name__, *of)
        if key not in self.kept:
            self.kept[key] = make(*arguments)
        return self.kept[key]

    def _running(self, job: Job) -> pd.DataFrame:
        """The losses that an unfinished training of the same slice of the config told so far."""
        events, _ = read(self.layout.events(job.stage, job.name))
        spec, steps, same = listing.spec(self.config, job), {}, False
        for event in events:
            if event["event"] == "start":
                same = event["params"] == spec
            elif event["event"] == "metric" and same and "loss" in event["values"]:
                steps[event["step"]] = event["values"]["loss"]
        return losses(pd.DataFrame({"step": list(steps), "loss": list(steps.values())}), job)

    def _draw(self, tables: Tables, dataset: str) -> None:
        """Draw what is new of a data set: a figure with other rows, sheets with more samples."""
        folder = self.folder / dataset
        with theme.settings():
            for name, plot in drawing.plots(tables, dataset).items():
                rows = plot.rows(tables, dataset).to_csv()
                if self.drawn.get(folder / name) != rows:
                    theme.save(plot.draw(tables, dataset), folder, name)
                    self.drawn[folder / name] = rows
        pictures = self._once(of_data, self.config, self.layout, dataset, of=(dataset,))
        block, samples = self._samples(dataset)
        best = [tables.best(dataset, setup) for setup in tables.guided(dataset)]
        if self.drawn.get(folder) != (of := [block, *samples, *best]):
            sheets.draw(pictures | samples, tables, dataset, folder)
            self.drawn[folder] = of

    def _samples(self, dataset: str) -> tuple[str, dict[str, np.ndarray]]:
        """The first samples of the cells that stand in one seed block, which has most of them.

        Also of those that a sampling job will take over from another experiment.
        """
        config, layout, done = self.config, self.layout, self.done
        sources = {"denoiser": Job("train_denoiser", dataset)} | {
            name: Job("train_classifier", dataset, name)
            for name in workload.used_guides(config, dataset)
        }
        models = {
            name: freshness.content(manifest(layout, job))
            for name, job in sources.items()
            if job in done
        }
        most: tuple[str, dict[str, np.ndarray]] = ("", {})
        first = [block for block in workload.scored(config, dataset) if block.number == 0]
        for block in reversed(first if "denoiser" in models else []):  # evaluation first
            images = {}
            for cell in workload.cells(config, dataset):
                path = layout.samples(dataset) / cell.path / f"{block.name}.npz"
                guide = config.datasets[dataset].setups[cell.setup].classifier
                if guide is None or guide in models:
                    key = slices.cell_key(config, dataset, cell, block, models)
                    if (place := where(path, key, layout.root)) is not None:
                        with np.load(place) as file:
                            images[f"sample:{cell.key}"] = file["images"][:SHOWN]
            if len(images) > len(most[1]):
                most = block.name, images
        return most
