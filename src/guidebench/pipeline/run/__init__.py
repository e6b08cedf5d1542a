"""The pipeline as a person runs it: Snakemake, progress, SLURM."""
