"""`python -m guidebench` is the command line."""

from guidebench.pipeline.forkserver import main

main()
