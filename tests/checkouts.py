"""Working copies of the workflow in folders of their own."""

import json
import os
import re
import shutil
import subprocess
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import yaml
from patience import patience
from processes import ended, module

REPOSITORY = Path(__file__).parents[1]
SMOKE = "workflow/config/smoke.yaml"
# beside other workers of pytest-xdist, a share of the machine
CORES = min(2, max(1, (os.cpu_count() or 1) // int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", 1))))


@dataclass
class Checkout:
    """A working copy without results, environment or history."""

    root: Path

    @property
    def environment(self) -> dict[str, str]:
        # the copy's package, not the installed one
        return os.environ | {"PYTHONPATH": str(self.root / "src")}

    def command(self, *arguments: str, timeout: float = 500) -> subprocess.CompletedProcess[str]:
        # a pipeline that is too late goes with its jobs, which its own end would leave behind
        with ended():
            place = {"cwd": self.root, "env": self.environment}
            return module(*arguments, **place, timeout=patience(timeout))

    def guidebench(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self.command("guidebench", *arguments)

    def snakemake(self, *arguments: str, config: str = SMOKE) -> subprocess.CompletedProcess[str]:
        options = ("--configfile", config, "--cores", str(CORES), "--nolock")
        return self.guidebench("snakemake", *options, *arguments)

    def run(self, *arguments: str, config: str = SMOKE) -> str:
        done = self.snakemake(*arguments, config=config)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    def planned(self, config: str = SMOKE) -> dict[str, int]:
        """Rule -> number of jobs that Snakemake would run."""
        text = self.run("--dry-run", "--quiet", "rules", config=config)
        return {
            name: int(count)
            for name, count in re.findall(r"^([a-z_]+)\s+(\d+)$", text, re.MULTILINE)
            if name not in ("all", "total")
        }

    def stale(self, config: str = SMOKE) -> dict[str, int]:
        """Stage -> number of jobs that are stale, by the rule that Snakemake asks."""
        done = self.guidebench("check", "--config", config)
        assert done.returncode in (0, 1), done.stderr
        return Counter(re.findall(r"^(\w+) \S+: stale \(", done.stdout, re.MULTILINE))

    def digest(self, config: str = SMOKE) -> str:
        done = self.guidebench("digest", "--config", config)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def only(self, dataset: str) -> None:
        """One data set of the smoke experiment, and no world."""
        datasets = yaml.safe_load((self.root / SMOKE).read_text())["datasets"]
        self.configure("datasets", {dataset: datasets[dataset]})
        self.configure("worlds", {})

    def configure(self, key: str, value: object) -> None:
        """Change one key of the smoke experiment, by its path a/b/c."""
        path = self.root / SMOKE
        # through JSON: sections that an anchor shares become separate ones
        top = values = json.loads(json.dumps(yaml.safe_load(path.read_text())))
        # a setup's own slash is written |
        *parents, last = (part.replace("|", "/") for part in key.split("/"))
        for parent in parents:
            values = values[parent]
        values[last] = value
        path.write_text(yaml.dump(top, Dumper=_NoAliases, sort_keys=False))

    def edit(self, path: str, old: str, new: str) -> None:
        text = (self.root / path).read_text()
        assert old in text, f"{path} no longer holds {old!r}"
        (self.root / path).write_text(text.replace(old, new, 1))


class _NoAliases(yaml.SafeDumper):
    def ignore_aliases(self, data: object) -> bool:
        return True


def checkout(root: Path) -> Checkout:
    for name in ("Snakefile", "config.yaml", "pyproject.toml"):
        shutil.copy(REPOSITORY / name, root / name)
    for name in ("workflow", "src"):
        skipped = shutil.ignore_patterns("__pycache__", "*.egg-info", ".snakemake")
        shutil.copytree(REPOSITORY / name, root / name, ignore=skipped)
    return Checkout(root)
