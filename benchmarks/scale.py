"""How long Snakemake takes over thousands of jobs: 9 data sets x 201 cells x 51,200 samples.

`python benchmarks/scale.py [--factor N]` writes the experiment of docs/scale.md into a temporary
folder, N times as large, and times validation, the DAG, one job's own start and the forecast: in
seconds of the clock, and of all processors, whose ratios count where others use the machine, too.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

REPOSITORY = Path(__file__).parents[1]
NAMES = ("sportballs", "faces", "digits")


def experiment(factor: int) -> dict:
    """3 data sets x 3 seeds, 10 setups x 20 scales and unguided; `factor` times the seed blocks."""
    scales = [round(1.5**exponent, 3) for exponent in range(20)]
    guided = {"guidance": "classifier", "classifier": "clean", "input": "x0", "scales": scales}
    setups = {"unguided": {}} | {
        f"clean/x0+ema{beta:.2f}": guided | {"stabilizer": {"name": "ema", "beta": round(beta, 2)}}
        for beta in (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
    }
    classifiers = {"clean": {}, "judge": {"architecture": "small_resnet", "half": "second"}}
    data = {"source": "sportballs", "size": 64, "train": 100_000, "validation": 60_000}
    sampling = {
        "steps": 400,
        "selection": 1024,
        "evaluation": 50_176 * factor,
        "block": 512,
        "micro_batch": 128,
    }
    channels = {"channels": [64, 128, 192, 256], "layers_per_block": 2, "steps": 100_000}
    one = {
        "data": data,
        "target": "baseball",
        "denoiser": channels,
        "classifiers": classifiers,
        "sampling": sampling,
        "setups": setups,
    }
    # another name is another seed: images, trainings and noise are derived from it
    return {"name": "scale", "datasets": {f"{n}-{seed}": one for n in NAMES for seed in range(3)}}


def main() -> None:
    """Write, time, print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--factor", type=int, default=1)
    factor = parser.parse_args().factor
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "scale.yaml"
        yaml.Dumper.ignore_aliases = lambda *_: True  # type: ignore[assignment]
        path.write_text(yaml.dump(experiment(factor), sort_keys=False))

        def timed(what: str, *command: str) -> tuple[str, float]:
            started, before = time.perf_counter(), os.times()
            done = subprocess.run(
                [sys.executable, "-m", *command],
                cwd=REPOSITORY,
                text=True,
                capture_output=True,
                check=True,
            )
            seconds, after = time.perf_counter() - started, os.times()
            busy = sum(after[2:4]) - sum(before[2:4])  # of children, which have ended
            print(f"{what:42}{seconds:8.1f} s{busy:8.1f} s")
            return done.stdout + done.stderr, busy

        dry = ("snakemake", "--configfile", str(path), "--cores", "1", "--dry-run", "--nolock")
        _, nothing = timed("snakemake --version", "snakemake", "--version")
        timed("guidebench validate", "guidebench", "validate", "--config", str(path))
        text, seconds = timed("the DAG of everything", *dry, "--quiet", "rules")
        jobs = int(re.findall(r"^total\s+(\d+)", text, re.MULTILINE)[0])
        timed(
            "one job's own start",
            *dry,
            # as a SLURM job starts Snakemake: what is stale was found out before
            "--mode",
            "remote",
            "--target-jobs",
            "prepare:dataset=digits-0",
            "--allowed-rules",
            "prepare",
        )
        text, _ = timed(
            "guidebench plan",
            "guidebench",
            "plan",
            "--config",
            str(path),
            "--images-per-second",
            "50000",
            "--workers",
            "64",
        )
        print(
            f"{jobs} jobs; the DAG takes {seconds / nothing:.1f} times snakemake --version\n{text}"
        )


if __name__ == "__main__":
    main()
