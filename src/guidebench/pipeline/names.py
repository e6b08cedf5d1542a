"""Names in an experiment file become folders: which ones are allowed."""

from __future__ import annotations

import re
from collections.abc import Iterator

from guidebench.pipeline.config import Config

Mistake = tuple[str, object, str]  # key path, what was found, what is allowed

# what else lies in results/, in results/<name>/, and beside the setups' folders
RESULTS = {"index.html", "mlflow.db", "mlserver.db", "mlartifacts", "readme.md"}
FOLDERS = {"tables", "pictures", "figures", "findings", "plots", "report", "events", "logs",
           "benchmarks"}  # fmt: skip
BESIDE_SETUPS = {"floor", "real", "manifests"}
PLAIN = "letters, digits, _ and -"


def names(config: Config) -> Iterator[Mistake]:
    """Names that would leave their folder, or meet another one in it."""
    if config.name.lower() in RESULTS:
        yield "name", config.name, "no name of a file in results/"
    for name in config.worlds:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", name) or name.lower() in FOLDERS:
            known = ", ".join(sorted(FOLDERS))
            yield f"worlds.{name}", f"the name {name!r}", f"{PLAIN}; none of {known}"
        if name in config.datasets:
            yield f"worlds.{name}", f"the name {name!r}", "no name of a data set"
    for name, dataset in config.datasets.items():
        path = f"datasets.{name}"
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", name) or name.lower() in FOLDERS:
            yield path, f"the name {name!r}", f"{PLAIN}; none of {', '.join(sorted(FOLDERS))}"
        for classifier in dataset.classifiers:
            if not re.fullmatch(r"[A-Za-z0-9_-]+", classifier) or classifier == "guide":
                allowed = f"{PLAIN}; not guide, which is a role"
                yield f"{path}.classifiers.{classifier}", f"the name {classifier!r}", allowed
        for setup in dataset.setups:
            yield from _setup(f"{path}.setups.{setup}", setup, list(dataset.setups))


def _setup(key: str, name: str, others: list[str]) -> Iterator[Mistake]:
    pattern = r"[A-Za-z0-9_]+(/[A-Za-z0-9][A-Za-z0-9_.+-]*)?"
    if not re.fullmatch(pattern, name) or name.partition("/")[0] in BESIDE_SETUPS:
        taken = ", ".join(sorted(BESIDE_SETUPS))
        yield key, f"the name {name!r}", f"names like clean or clean/x0+ema0.9, none of {taken}"
    if any(other.startswith(f"{name}/") for other in others):
        yield key, f"setups below {name}/", "no name that is another's folder"
