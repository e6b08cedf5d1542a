"""What a number can depend on that every stage gets: seeds, the schedule, the target."""

from __future__ import annotations

from typing import TYPE_CHECKING

from guidebench.base.choices import EACH, classes, target_name
from guidebench.base.seeds import derive
from guidebench.pipeline.jobs.execution import Execution

if TYPE_CHECKING:
    from guidebench.diffusion.schedule import Schedule


class Stage(Execution):
    """One execution of a stage."""

    @property
    def target(self) -> int | None:
        """Class number to generate; None without labels, or when each class is, in turn."""
        if self.options.target in (None, EACH):
            return None
        return classes(self.options.data).index(target_name(self.options))

    def seed(self, *names: object) -> int:
        """A seed that depends on the experiment's seed, the data set and the names."""
        return derive(self.config.seed, self.job.dataset, *names)

    def schedule(self) -> Schedule:
        """The data set's forward process."""
        from guidebench.diffusion.schedules import build

        return build(self.options.schedule, self.device)
