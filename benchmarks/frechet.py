"""Seconds of a Fréchet distance from features: ours against torch-fidelity's.

Usage: .venv/bin/python benchmarks/frechet.py
"""

import statistics
import time

import numpy as np
import torch
from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric

from guidebench.metrics.frechet import Reference, moments

BLOCKS = 16


def main() -> None:
    """Median ratios over paired repetitions; the reference's moments are cached on both sides."""
    torch.set_num_threads(1)
    chance = np.random.default_rng(0)
    for size, repetitions in ((64, 15), (256, 7), (1024, 3)):
        real, fake = (chance.normal(size=(2 * size, size)) + shift for shift in (0, 0.1))
        reference = Reference(moments(real))
        statistics_real = fid_features_to_statistics(torch.from_numpy(real))
        ratios, times = [], []
        for _ in range(repetitions):
            started = time.perf_counter()
            ours = reference.distance(moments(fake))
            middle = time.perf_counter()
            statistics_fake = fid_features_to_statistics(torch.from_numpy(fake))
            theirs = fid_statistics_to_metric(statistics_fake, statistics_real, verbose=False)
            ended = time.perf_counter()
            ratios.append((middle - started) / (ended - middle))
            times.append(middle - started)
        error = abs(ours / theirs["frechet_inception_distance"] - 1)
        started = time.perf_counter()
        reference.jackknife(fake, BLOCKS)
        jackknife = time.perf_counter() - started
        print(
            f"d = {size}: ours {statistics.median(times) * 1e3:.1f} ms, ours / torch-fidelity "
            f"{statistics.median(ratios):.2f}, relative difference {error:.1e}; "
            f"with {BLOCKS} jackknife blocks {jackknife * 1e3:.0f} ms"
        )


if __name__ == "__main__":
    main()
