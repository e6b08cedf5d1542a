"""What every room may use: seeds, plug-ins, units, and choices that checks and science share."""
