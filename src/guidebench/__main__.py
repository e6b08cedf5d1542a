"""`python -m guidebench` is the command line."""

from guidebench.cli import main

main()
