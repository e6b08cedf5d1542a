"""Whatever people do to an experiment: a run that finishes has the numbers of a fresh folder."""

import importlib
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)
from states import CODE, EDITS, Experiment, damage, edit_code
from tiny import apart, warm

STEPS = 8
SEED = int(os.environ.get("GUIDEBENCH_SEED", "2026"))


class People(RuleBasedStateMachine):
    """Edits, runs, kills, failures, deletions, damage, copies, and an experiment beside it."""

    @initialize()
    def begin(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="states-"))
        self.experiment = Experiment(self.folder)
        self.whole = True  # nothing was damaged since the last finished run

    def teardown(self) -> None:
        shutil.rmtree(self.folder)

    @rule(path=st.sampled_from(sorted(EDITS)), number=st.integers(0, 1))
    def edit(self, path: tuple[str, ...], number: int) -> None:
        self.experiment.set(path, EDITS[path][number])

    @rule(names=st.frozensets(st.sampled_from(sorted(CODE)), max_size=2))
    def edit_code(self, names: frozenset[str]) -> None:
        self.experiment.code = names

    @rule(number=st.integers(0, 1))
    def replace_data(self, number: int) -> None:
        self.experiment.replace_data(number)

    @rule()
    def copy_the_folder(self) -> None:
        self.experiment.copy_folder()

    @rule()
    def touch(self) -> None:
        for path in self.experiment.files():
            os.utime(path)

    @rule(at=st.integers(1, 90))
    def run_and_kill(self, at: int) -> None:
        self.experiment.run(at=at, kill=True)

    @rule(at=st.integers(1, 90))
    def run_and_fail(self, at: int) -> None:
        self.experiment.run(at=at)

    @precondition(lambda self: self.experiment.files())
    @rule(data=st.data())
    def delete(self, data: Any) -> None:
        data.draw(st.sampled_from(self.experiment.files()), label="deleted").unlink()

    @precondition(lambda self: self.experiment.files())
    @rule(
        data=st.data(),
        kind=st.sampled_from(["flip", "cut", "empty", "foreign"]),
        place=st.integers(0, 2**20),
    )
    def damage(self, data: Any, kind: str, place: int) -> None:
        damage(data.draw(st.sampled_from(self.experiment.files()), label="damaged"), kind, place)
        self.whole = False

    @rule()
    def run_another(self) -> None:
        """Beside it: it takes over what is done, and may be taken from."""
        outcome = self.experiment.finish(name="other")
        assert outcome.ran == outcome.planned

    @rule()
    def run(self) -> None:
        experiment = self.experiment
        outcome = experiment.finish()
        assert outcome.ran == outcome.planned
        assert outcome.foreseen == outcome.planned or not self.whole
        assert experiment.digest() == experiment.reference()
        published = any(job.stage == "report" for job in outcome.ran)
        if published or self.whole:
            assert experiment.problems() == []
            self.whole = True
        again = experiment.run()
        assert again is not None
        assert again.planned == []


def _check(examples: int) -> None:
    warm()
    machine = settings(
        max_examples=examples,
        stateful_step_count=STEPS,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        print_blob=True,
    )
    try:
        run_state_machine_as_test(seed(SEED)(People), settings=machine)
    except BaseException as error:
        error.add_note(f"sequences drawn with GUIDEBENCH_SEED={SEED}")
        raise


@pytest.mark.parametrize("name", CODE)
def test_every_edit_of_code_changes_the_function_that_it_names(name: str) -> None:
    module, function, _, _ = CODE[name]
    *owner, method = function.split(".")

    def loaded() -> tuple:
        place = importlib.import_module(f"guidebench.{module}")
        found = getattr(getattr(place, *owner) if owner else place, method).__code__
        return found.co_code, found.co_consts

    def edited() -> tuple:
        edit_code(frozenset([name]))
        return loaded()

    before = loaded()
    assert apart(edited) != before
    assert loaded() == before


@pytest.mark.timeout(3600)
def test_ten_sequences() -> None:
    _check(10)


@pytest.mark.slow
@pytest.mark.timeout(6 * 3600)
def test_two_hundred_sequences() -> None:
    _check(200)
