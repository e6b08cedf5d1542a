"""What an answer costs: which setup has the best cFD, and the interval of its lead.

Beside the protocol of papers at the same width of that interval: all T steps, every cell on seeds
of its own, and all of them at full n. Reads a finished run; without one it says so.
Usage: .venv/bin/python benchmarks/answer.py [--config config.yaml]
"""

import argparse

import numpy as np

import guidebench
from guidebench import workload
from guidebench.api import Experiment
from guidebench.base.jackknife import standard_error
from guidebench.pipeline.errors import UserError
from guidebench.report.chosen import selected, winner
from guidebench.report.tables import EVALUATION, Tables

ROWS, REPEATS = 32, 3
PASSES = ("denoiser_evaluations", "backward_passes")


def step_ratio(experiment: Experiment, full: Experiment, dataset: str) -> float:
    """Seconds of the first setup's micro-batch in all T steps, over those in the experiment's."""
    name, setup = next(iter(experiment.config.datasets[dataset].setups.items()))
    scale = setup.scales[0] if setup.scales else None
    took = [
        min(sum(one.sample(dataset, name, scale, ROWS).seconds) for _ in range(REPEATS))
        for one in (full, experiment)
    ]
    return took[0] / took[1]


def pairing(tables: Tables, dataset: str) -> float:
    """How many times the images the interval of the winner's lead would take without shared seeds.

    The variance that seeds make, alone over paired; the median over the other setups, but for those
    whose images are the winner's. UserError where there is no winner, or no other setup.
    """
    metric = tables.distance(dataset, "cfd")
    won, ratios = winner(tables, dataset), []
    for cell in selected(tables, dataset, metric):
        if won and cell != won[0]:
            both = [tables.left_out(dataset, one, metric) for one in (won[0], cell)]
            alone = sum(standard_error(one.to_numpy()) ** 2 for one in both)
            if paired := standard_error((both[0] - both[1]).to_numpy()) ** 2:
                ratios.append(alone / paired)
    if not ratios:
        raise UserError(f"{dataset}: found no winner among guided setups, allowed: two that differ")
    return float(np.median(ratios))


def passes(tables: Tables, dataset: str, n: int | None = None) -> float:
    """Passes through the denoiser of the run; with n: of every cell on n seeds, and no others."""
    rows = tables.results[tables.results.dataset == dataset].set_index(["setup", "scale", "split"])
    each = sum(rows.value[rows.metric == name] for name in PASSES)
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
        what = f"sampling until {dataset} has a best setup: ours / all T steps, no pairs, full grid"
        full = [f"datasets.{dataset}.sampling.steps={options.schedule.timesteps}"]
        try:
            tables = experiment.tables
            steps = step_ratio(experiment, guidebench.load(path, full), dataset)
            pairs = pairing(tables, dataset)
        except UserError as error:
            print(f"{error}\n| {what} | not measured | ≤ 0.25 |")
            continue
        n = workload.evaluated(experiment.config, dataset)[-1]
        grid = passes(tables, dataset, n.start + n.count) / passes(tables, dataset)
        print(f"{dataset}: steps {steps:.1f} times, pairs {pairs:.2f}, scales that stop {grid:.2f}")
        print(f"| {what} | {1 / (steps * pairs * grid):.3f} | ≤ 0.25 |")


if __name__ == "__main__":
    main()
