"""CPU seconds of a Fréchet distance: ours against torch-fidelity's, and scipy.linalg.sqrtm's.

Usage: .venv/bin/python benchmarks/frechet.py
"""

import time

import numpy as np
import pairs
import scipy.linalg
import torch
from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric

from guidebench.metrics.frechet import Fitted, moments

BLOCKS = 16
LARGE = 2048


def whole(features: np.ndarray) -> Fitted:
    """The Gaussian of all features."""
    return Fitted(features, np.zeros(len(features), int), 1)


def measured(size: int, repetitions: int) -> None:
    """One line for features of that size; the reference's moments are cached on both sides."""
    chance = np.random.default_rng(0)
    real, fake = (chance.normal(size=(2 * size, size)) + shift for shift in (0, 0.1))
    reference, theirs = whole(real), fid_features_to_statistics(torch.from_numpy(real))
    key = "frechet_inception_distance"
    values = {}

    def ours() -> None:
        values["ours"] = reference.distance(moments(fake))

    def fidelity() -> None:
        statistics = fid_features_to_statistics(torch.from_numpy(fake))
        values["theirs"] = fid_statistics_to_metric(statistics, theirs, verbose=False)[key]

    found = pairs.cpu_seconds({"ours": ours, "theirs": fidelity}, repetitions)
    started = time.process_time()
    blocks = Fitted(fake, np.arange(len(fake)) % BLOCKS, BLOCKS)
    reference.distances([blocks.whole, *blocks.without])
    jackknife = time.process_time() - started
    print(
        f"d = {size}: ours {np.median(found['ours']) * 1e3:.1f} ms, ours / torch-fidelity "
        f"{pairs.ratio(found['ours'], found['theirs']):.2f}, relative difference "
        f"{abs(values['ours'] / values['theirs'] - 1):.1e}; with {BLOCKS} jackknife blocks "
        f"{jackknife * 1e3:.0f} ms"
    )


def term(size: int) -> None:
    """A distance from two covariances, whose root is what takes the time; scipy's once."""
    chance = np.random.default_rng(0)
    fitted = whole(chance.normal(size=(2 * size, size)))
    one, other = fitted.whole, moments(chance.normal(size=(2 * size, size)))
    started = time.process_time()
    ours = fitted.distance(other)
    middle = time.process_time()
    root = scipy.linalg.sqrtm(one.covariance @ other.covariance)
    traces = np.trace(one.covariance) + np.trace(other.covariance)
    theirs = float(((one.mean - other.mean) ** 2).sum() + traces - 2 * np.trace(root).real)
    ended = time.process_time()
    gain = (ended - middle) / (middle - started)
    print(f"d = {size}: relative difference {abs(ours / theirs - 1):.1e}")
    pairs.row(f"Fréchet term at d = {size}, scipy.linalg.sqrtm / ours", f"{gain:.1f}", "≥ 4")


def main() -> None:
    """Median ratios over paired repetitions, on one thread."""
    torch.set_num_threads(1)
    for size, repetitions in ((64, 15), (256, 7), (1024, 3)):
        measured(size, repetitions)
    term(LARGE)


if __name__ == "__main__":
    main()
