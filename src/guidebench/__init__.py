"""guidebench: a reproducible benchmark of guided diffusion sampling."""
