"""What there is to do: jobs, their inputs and slices of the config, and what of it is fresh."""
