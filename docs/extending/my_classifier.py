"""A classifier of your own: `classifiers: {clean: {architecture: "my_classifier:tiny"}}`."""

from torch import nn


# A module that maps images [N, 3, size, size] in [-1, 1] (gray ones are repeated) to [N, outputs]:
# outputs is `hidden` of the config, the width of the features on which the judge measures. After it
# come SiLU and one linear layer to the classes, which are guidebench's. A class works as well, and
# it is trained, saved and loaded like the built-in ones. A module with the attribute
# `takes_time = True` is called with a second argument, the time [N] in [0, 1] (0: clean).
def tiny(outputs):
    return nn.Sequential(
        nn.Conv2d(3, 16, 5, 2),
        nn.SiLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(16, outputs),
    )
