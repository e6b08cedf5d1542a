"""Names in an experiment file become folders: which ones are allowed."""

import re
from collections.abc import Iterable, Iterator

from guidebench.pipeline.experiment.config import Config

Mistake = tuple[str, object, str]  # key path, what was found, what is allowed


def below(section: str, mistakes: Iterable[Mistake]) -> Iterator[Mistake]:
    """Mistakes in a section, with its path before their keys."""
    for key, value, allowed in mistakes:
        yield f"{section}.{key}", value, allowed


def in_words(mistakes: Iterable[Mistake]) -> list[str]:
    """A line for each mistake."""
    return [f"{key}: found {value}, allowed: {allowed}" for key, value, allowed in mistakes]


# what else lies in results/, in results/<name>/, and beside the setups' folders
RESULTS = {"index.html", "mlflow.db", "mlserver.db", "mlartifacts", "readme.md"}
FOLDERS = {"tables", "pictures", "figures", "findings", "plots", "report", "events", "logs"}
BESIDE_SETUPS = {"floor", "real", "manifests"}
# metrics of ours: a user's own has another name in the tables
MEASURED = {
    *("fd_judge", "cfd_judge", "fid", "cfid"),
    *("sw_judge", "csw_judge", "sw_inception", "csw_inception"),
    *("is_judge", "diversity_judge", "precision_judge", "recall_judge", "diverged"),
    *("seconds", "peak_memory", "load", "denoiser_evaluations", "backward_passes"),
}
PLAIN = "letters, digits, _ and -"


# the longest file name has two of them, a stage, a hash and a process number in 255 bytes
LONGEST = 80


def names(config: Config) -> Iterator[Mistake]:
    """Names that would leave their folder, meet another one in it, or be too long for a file."""
    if config.name.lower() in RESULTS:
        yield "name", config.name, "no name of a file in results/"
    yield from _length("name", config.name)
    yield from _distinct("", [*config.datasets, *config.worlds])
    for name in config.metrics.own:
        yield from _plain(f"metrics.own.{name}", name)
        if name in MEASURED or name.startswith("accuracy_"):
            allowed = f"none of {', '.join(sorted(MEASURED))}, nor one that begins with accuracy_"
            yield f"metrics.own.{name}", f"the name {name!r}", allowed
    for name, world in config.worlds.items():
        key = f"worlds.{name}"
        yield from _top(key, name)
        if name in config.datasets:
            yield key, f"the name {name!r}", "no name of a data set"
        for setup in world.setups:
            yield from _setup(f"{key}.setups.{setup}", setup, [])
        for sampler in world.samplers:
            yield from _plain(f"{key}.samplers.{sampler}", sampler)
    for name, dataset in config.datasets.items():
        key = f"datasets.{name}"
        yield from _top(key, name)
        for section in ("classifiers", "setups"):
            yield from _distinct(f"{key}.{section}.", list(getattr(dataset, section)))
        for classifier in dataset.classifiers:
            yield from _plain(f"{key}.classifiers.{classifier}", classifier)
            if classifier == "guide":
                allowed = f"{PLAIN}; not guide, which is a role"
                yield f"{key}.classifiers.guide", "the name 'guide'", allowed
        for setup in dataset.setups:
            yield from _setup(f"{key}.setups.{setup}", setup, list(dataset.setups))
        for stabilizer, options in dataset.sensitivity.stabilizers.items():
            path = f"{key}.sensitivity.stabilizers.{stabilizer}"
            yield from _plain(path, stabilizer, r"[A-Za-z0-9_.+-]+", "letters, digits and _.+-")
            if stabilizer == "none" != options.name:
                yield path, "the name 'none'", "another: none is the gradient as it is"


def _top(key: str, name: str) -> Iterator[Mistake]:
    """A data set or a world: a folder beside those of the whole experiment."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", name) or name.lower() in FOLDERS:
        yield key, f"the name {name!r}", f"{PLAIN}; none of {', '.join(sorted(FOLDERS))}"
    yield from _length(key, name)


def _plain(
    key: str, name: str, pattern: str = r"[A-Za-z0-9_-]+", allowed: str = PLAIN
) -> Iterator[Mistake]:
    if not re.fullmatch(pattern, name):
        yield key, f"the name {name!r}", allowed
    yield from _length(key, name)


def _setup(key: str, name: str, others: list[str]) -> Iterator[Mistake]:
    pattern = r"[A-Za-z0-9_]+(/[A-Za-z0-9][A-Za-z0-9_.+-]*)?"
    if not re.fullmatch(pattern, name) or name.partition("/")[0] in BESIDE_SETUPS:
        taken = ", ".join(sorted(BESIDE_SETUPS))
        yield key, f"the name {name!r}", f"names like clean or clean/x0+ema0.9, none of {taken}"
    if any(other.startswith(f"{name}/") for other in others):
        yield key, f"setups below {name}/", "no name that is another's folder"
    yield from _length(key, name)


def _distinct(path: str, names: list[str]) -> Iterator[Mistake]:
    """Names whose folders are one where letters have no case (macOS, Windows)."""
    seen: dict[str, str] = {}
    for name in names:
        other = seen.setdefault(name.lower(), name)
        if other != name:
            allowed = f"one that differs from {other!r} in more than case"
            yield f"{path}{name}", f"the name {name!r}", allowed


def _length(key: str, name: str) -> Iterator[Mistake]:
    if len(name) > LONGEST:
        yield key, f"a name of {len(name)} letters", f"at most {LONGEST}"
