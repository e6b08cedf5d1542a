"""Working copies with the slurm profile, made to poll often and to fit the small nodes."""

from pathlib import Path

import yaml
from checkouts import Checkout, checkout

from guidebench.pipeline.jobs.stages import STAGES

QUICK = {
    "jobs": 4,
    "latency-wait": 10,
    "slurm-init-seconds-before-status-checks": 2,
    "seconds-between-status-checks": 2,
}


def working_copy(root: Path, megabytes: int, minutes: int, **others: str) -> Checkout:
    """A checkout with a profile `quick`: ours, with resources for every attempt."""
    root.mkdir()
    copy = checkout(root)
    profile = yaml.safe_load((root / "workflow/profiles/slurm/config.yaml").read_text())
    asked = {"mem_mb": f"{megabytes} * attempt", "runtime": f"{minutes} * attempt"} | others
    profile |= QUICK | {"set-resources": dict.fromkeys(STAGES, asked)}
    folder = root / "workflow/profiles/quick"
    folder.mkdir()
    (folder / "config.yaml").write_text(yaml.safe_dump(profile))
    return copy
