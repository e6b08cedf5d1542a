"""Scores of sets of images: they see uint8 images, labels and features, never a sampler."""
