"""A data set of your own: `data: {source: "my_data:shades", options: {count: 96}, ...}`."""

import numpy as np

from guidebench.data.dataset import DataSet

CLASSES = ["dark", "bright"]  # the same names, in the same order, as `data.classes` in the config


# options: `data.options`; files and folders that are named there count with their content.
# seed: of this data set; draw all that is random from it, then the same config gives the same bytes
def shades(options, seed):
    count = options["count"]  # at least `data.train` + `data.validation`; what is more is left out
    # uint8 [N, 1 or 3, size, size], with `data.size`
    images = np.random.default_rng(seed).integers(0, 128, (count, 1, 8, 8), np.uint8)
    labels = np.arange(count) % 2  # integers [N], numbers of the classes; without classes: all -1
    images += (128 * labels)[:, None, None, None].astype(np.uint8)
    return DataSet(images, labels, CLASSES)  # in any order: it is shuffled before it is split
