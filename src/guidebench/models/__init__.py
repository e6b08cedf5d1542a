"""Denoisers: diffusers' UNet2DModel, on patches, and a ShuffleNet's; classifiers, the judge."""
