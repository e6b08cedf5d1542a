"""What an answer costs: which setup has the best cFD, and the interval of its lead.

Beside the protocol of papers at the same width of that interval: all T steps, every cell on seeds
of its own, and all of them at full n. Reads a finished run; without one it says so.
Usage: .venv/bin/python benchmarks/answer.py [--config config.yaml]
"""

import argparse

import numpy as np

import guidebench
from guidebench.api import Experiment
from guidebench.base.jackknife import standard_error
from guidebench.pipeline.errors import UserError
from guidebench.report.chosen import selected, winner
from guidebench.report.tables import EVALUATION, Tables

ROWS, REPEATS = 32, 3


def step_ratio(experiment: Experiment, full: Experiment, dataset: str) -> float:
    """Seconds of a micro-batch without guidance in all T steps, over those in the experiment's."""
    setups = experiment.config.datasets[dataset].setups
    plain = next(name for name, setup in setups.items() if setup.guidance == "none")
    took = [
        min(sum(one.sample(dataset, plain, count=ROWS).seconds) for _ in range(REPEATS))
        for one in (full, experiment)
    ]
    return took[0] / took[1]


def pairing(tables: Tables, dataset: str) -> float:
    """How many times the images the interval of the winner's lead would take without shared seeds.

    The variance that seeds make, alone over paired; the median over the other setups.
    """
    metric = tables.distance(dataset, "cfd")
    won = winner(tables, dataset)
    assert won is not None
    ratios = []
    for cell in selected(tables, dataset, metric):
        if cell != won[0]:
            both = [tables.left_out(dataset, one, metric) for one in (won[0], cell)]
            alone = sum(standard_error(one.to_numpy()) ** 2 for one in both)
            ratios.append(alone / standard_error((both[0] - both[1]).to_numpy()) ** 2)
    return float(np.median(ratios))


def seconds(tables: Tables, dataset: str, n: int | None = None) -> float:
    """Seconds of sampling of the run; with n: of every cell on n seeds, and no others."""
    rows = tables.results[tables.results.dataset == dataset].set_index(["setup", "scale", "split"])
    each = rows.value[rows.metric == "seconds"]
    if n is not None:
        return n * float(each[each.index.get_level_values("split") == EVALUATION].sum())
    return float((each * rows.n[rows.metric == "diverged"].reindex(each.index)).sum())


def main() -> None:
    """A row for each data set, and what its parts bring."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--config", default="config.yaml")
    path = parser.parse_args().config
    experiment = guidebench.load(path)
    for dataset, options in experiment.config.datasets.items():
        what = f"cost of the best setup's name on {dataset}, ours / all steps, no pairs, full grid"
        full = [f"datasets.{dataset}.sampling.steps={options.schedule.timesteps}"]
        try:
            tables = experiment.tables
            steps = step_ratio(experiment, guidebench.load(path, full), dataset)
        except UserError as error:
            print(f"{error}\n| {what} | not measured: no run | ≤ 0.25 |")
            continue
        pairs, finalists = pairing(tables, dataset), options.sampling.finalists
        n = finalists.evaluation if finalists else options.sampling.evaluation
        grid = seconds(tables, dataset, n) / seconds(tables, dataset)
        print(f"{dataset}: steps {steps:.1f} times, pairs {pairs:.2f}, scales that stop {grid:.2f}")
        print(f"| {what} | {1 / (steps * pairs * grid):.3f} | ≤ 0.25 |")


if __name__ == "__main__":
    main()
