"""BoundDenoiser: diffusers' UNet2DModel as the denoiser, torchvision's classifiers, the judge."""
