"""One module per stage, named like its rule and its sub-command, with run(stage)."""
