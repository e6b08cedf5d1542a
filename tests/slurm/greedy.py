"""Data sets whose preparation is greedy: it needs more time or memory than it is first given."""

import os
import time
from pathlib import Path

import numpy as np

from guidebench.data.dataset import DataSet


def small(options, seed):
    """Sixty-four grey images, after `megabytes` of memory and, the first time, an endless wait."""
    held = np.ones((options["megabytes"], 2**20), np.uint8)  # written, so that it counts
    time.sleep(4)
    waited = Path(f"waited-{options['megabytes']}")
    if options["late"] and not waited.exists():
        waited.write_text(os.environ["SLURM_JOB_ID"])
        time.sleep(3600)
    images = np.full((64, 1, 8, 8), 127 + held[0, 0], np.uint8)
    return DataSet(images, np.arange(64) % 2, ["a", "b"], {})
