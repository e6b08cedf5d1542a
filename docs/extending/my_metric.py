"""A metric of your own: `metrics: {own: {nearest: {name: "my_metric:nearest"}}}`.

`nearest`, its name in the tables, is yours to choose; it is listed, drawn and explained like ours.
"""

import numpy as np
from scipy.spatial.distance import cdist


# samples [n, ...], reference [m, ...]: what `of` says, the judge's features [n, d] (`judge`, the
#     default), Inception-v3's (`inception`), or the images, uint8 [n, C, H, W] (`images`). n is not
#     always the same: images that diverged are left out, and for the error each block of seeds
# reference: real images that the judge was not trained on, with `reference: target` those of the
#     target class alone. Held-out real images are scored as samples, too: the floor
# all else: `options`
# Answers one number; what is not finite counts as not measured.
def nearest(samples, reference, neighbours=1):
    distances = np.sort(cdist(samples, reference), axis=1)
    return distances[:, neighbours - 1].mean()


nearest.title = "distance to the nearest real image"  # of the axis and the figure
nearest.caption = (  # below the figure
    "Mean distance of a sample to the nearest real image in the judge's features: small where "
    "samples look real, or were learnt by heart."
)
nearest.smaller_is_better = True
nearest.biased = False  # true: has a bias of order 1/n, which the jackknife then takes off
