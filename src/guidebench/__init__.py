"""guidebench: a reproducible benchmark of guided diffusion sampling."""

from guidebench.pipeline import recording

recording.install()
