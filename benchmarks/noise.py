"""CPU seconds of noise for one step: ours, one Philox call over all rows, against NumPy's per row.

Usage: .venv/bin/python benchmarks/noise.py
"""

import time
from functools import partial

import numpy as np
import torch

from guidebench.base.seeds import normal

SHAPE = (3, 32, 32)
REPETITIONS = 15


def per_row(seeds: list[int], stream: int) -> torch.Tensor:
    """The usual way: one NumPy Philox generator per row and step."""
    rows = [
        np.random.Generator(np.random.Philox(key=seed, counter=[0, 0, 0, stream])).standard_normal(
            SHAPE, dtype=np.float32
        )
        for seed in seeds
    ]
    return torch.from_numpy(np.stack(rows))


def main() -> None:
    """Median ratio over paired repetitions, with the order swapped in every other one."""
    torch.set_num_threads(1)
    for count in (32, 256):
        seeds = torch.arange(count)
        calls = {
            "ours": partial(normal, seeds, shape=SHAPE),
            "numpy": partial(per_row, seeds.tolist()),
        }
        ratios, ours = [], []
        for repetition in range(REPETITIONS + 1):
            seconds = {}
            for name in sorted(calls, reverse=bool(repetition % 2)):
                started = time.process_time()
                calls[name](stream=repetition)
                seconds[name] = time.process_time() - started
            if repetition:
                ratios.append(seconds["ours"] / seconds["numpy"])
                ours.append(seconds["ours"])
        print(
            f"{count} rows of {SHAPE}: ours {np.median(ours) * 1e3:.2f} ms, "
            f"ours / numpy per row {np.median(ratios):.2f} "
            f"({min(ratios):.2f} to {max(ratios):.2f})"
        )


if __name__ == "__main__":
    main()
