"""What the summary of an experiment tells of its data sets, worlds and setups."""

from typing import Any

from guidebench.base.cells import Cell
from guidebench.report.variants import plainest_first

UNGUIDED = "unguided"
# keys of a setup that change its samples without guidance, too
SAMPLED = ("sampler", "steps", "clip")


class Told:
    """Look-ups in `summary`, which stage `collect` writes beside its tables."""

    summary: dict[str, Any]

    @property
    def datasets(self) -> list[str]:
        """Names of the data sets, in the config's order."""
        return list(self.summary["datasets"])

    @property
    def worlds(self) -> list[str]:
        """Names of the worlds (Gaussian mixtures), in the config's order."""
        return list(self.summary.get("worlds", {}))

    def facts(self, dataset: str) -> dict[str, Any]:
        """The summary's entry of one data set."""
        facts: dict[str, Any] = self.summary["datasets"][dataset]
        return facts

    def guided(self, dataset: str, kind: str | None = None) -> list[str]:
        """Guided setups, all or of one kind (`classifier`, `cfg`), in the config's order."""
        setups = self.facts(dataset)["setups"].items()
        return [
            name
            for name, setup in setups
            if setup["kind"] != "unguided" and kind in (None, setup["kind"])
        ]

    def unguided(self, dataset: str, like: str | None = None) -> Cell:
        """The plainest setup without guidance whose denoiser gets no label either.

        Of several that which is sampled most as the setup `like` is (None: as `sampling` says).
        """
        setups = self.facts(dataset)["setups"].items()
        names = plainest_first(
            {name: s for name, s in setups if s["kind"] == "unguided" and not s["asked"]}
        )
        return Cell(min(names, key=lambda name: self._apart(dataset, name, like), default=UNGUIDED))

    def against(self, dataset: str, setup: str) -> str:
        """The name of `unguided` for a setup; `(sampled otherwise)` where none is sampled as it."""
        plain = self.unguided(dataset, setup).setup
        return f"{plain} (sampled otherwise)" if self._apart(dataset, plain, setup) else plain

    def _apart(self, dataset: str, first: str, second: str | None) -> int:
        """In how many keys of SAMPLED two setups differ."""
        setups = self.facts(dataset)["setups"]
        variants = [setups[name]["variant"] if name in setups else {} for name in (first, second)]
        return sum(variants[0].get(key) != variants[1].get(key) for key in SAMPLED)

    def without_guidance(self, dataset: str) -> list[Cell]:
        """That one, then all other setups without guidance."""
        setups, plain = self.facts(dataset)["setups"].items(), self.unguided(dataset)
        names = [name for name, setup in setups if setup["kind"] == "unguided"]
        return [plain, *(Cell(name) for name in names if name != plain.setup)]
