"""`python -m guidebench` is the command line."""

from guidebench.pipeline.cli import main

main()
