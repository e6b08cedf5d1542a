"""Cells that share their unguided first steps are, and cost, what they are and cost alone."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from guidebench.base import choices
from guidebench.diffusion.schedules import DDPMLinear
from guidebench.guidance.built import GuidedCell
from guidebench.guidance.networks import BoundDenoiser
from guidebench.guidance.sampling import Sampler
from guidebench.models.classifier import Classifier
from guidebench.models.denoiser import Denoiser, build, save
from guidebench.pipeline import recording
from guidebench.pipeline.experiment import sections
from guidebench.pipeline.experiment.sections import Sampling, Setup, Stabilizer

SCHEDULE = DDPMLinear(16, rescale=True)
SAMPLING = Sampling(steps=8, micro_batch=4)
# two micro-batches, the second padded
SEEDS, LABELS = torch.arange(6), torch.tensor([0, 1, 2, 0, 1, 2])
ROWS = 8
HALF = {"interval": (0.0, 0.5)}
RAW = {"guidance": "classifier", "injection": "score", "stabilizer": Stabilizer(name="ema")}
X0 = RAW | {"input": "x0"}
CELLS: list[tuple[Setup, float | None]] = [
    (Setup(), None),
    (Setup(guidance="cfg", **HALF), 1.0),
    (Setup(guidance="cfg", **HALF), 3.0),
    (Setup(guidance="cfg", interval=(0.2, 0.8)), 2.0),
    (Setup(guidance="cfg"), 0.0),
    (Setup(guidance="cfg"), 2.0),
    (Setup(conditional=True), None),
    (Setup(**X0, **HALF), 30.0),
    (Setup(**X0, interval=(0.0, 0.7)), 30.0),
    (Setup(**X0, **HALF, conditional=True, ramp="rising"), 30.0),
    (Setup(**X0, ramp="rising"), 30.0),
    (Setup(**RAW, **HALF, clip=False), 30.0),
    (Setup(**X0, **HALF, steps=5), 30.0),
    # it falls between two times of the grid: no step is guided
    (Setup(**X0, interval=(0.51, 0.52)), 30.0),
    (Setup(**X0, **HALF, paper_compat=["half_precision"]), 30.0),
    (Setup(**X0, **HALF, paper_compat=["carried_state"]), 30.0),
]


@pytest.fixture(scope="module")
def denoiser(tmp_path_factory: pytest.TempPathFactory) -> Denoiser:
    folder: Path = tmp_path_factory.mktemp("denoiser")
    options = sections.Denoiser(channels=[8], norm_groups=4, condition_dropout=0.2)
    torch.manual_seed(0)
    save(build(options, 8, 3, 3), folder, SCHEDULE.betas.tolist(), "v")
    return Denoiser(folder, torch.device("cpu"))


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    torch.manual_seed(1)
    return Classifier("small_cnn", 3, 8).eval().requires_grad_(False)


@pytest.fixture
def evaluated(denoiser: Denoiser) -> Iterable[list[int]]:
    """Rows that the network itself saw, whatever is counted."""
    seen: list[int] = []
    hook = denoiser.model.register_forward_pre_hook(lambda _, inputs: seen.append(len(inputs[0])))
    yield seen
    hook.remove()


def _sampler(denoiser: Denoiser, name: str, cells: Any = ()) -> Sampler:
    sampling = SAMPLING.model_copy(update={"sampler": name})
    return Sampler(denoiser, SCHEDULE, sampling, (3, 8, 8), [setup for setup, _ in cells])


def _sampled(sampler: Sampler, cell: Any, classifier: Classifier | None) -> tuple[Any, set[str]]:
    """A cell's bytes, and its rows; beside these the functions that ran."""
    before = sampler.denoiser.rows, sampler.denoiser.backward_rows
    with recording.apart() as ran:
        found = sampler(cell[0], cell[1], classifier, SEEDS, LABELS, 2)
    counts = sampler.denoiser.rows - before[0], sampler.denoiser.backward_rows - before[1]
    return (*(part.tobytes() for part in (found.images, found.diverged, found.film)), *counts), ran


@pytest.mark.parametrize("name", choices.SAMPLERS)
def test_every_cell_is_what_it_is_alone(name, denoiser, classifier, evaluated) -> None:
    """Whichever cells came before it: all in either order, or few of them."""
    alone = [_sampled(_sampler(denoiser, name), cell, classifier) for cell in CELLS]
    whole = sum(evaluated)
    several = list(range(len(CELLS)))
    for order in (several, several[::-1], [2, 0, 7]):
        evaluated.clear()
        sampler = _sampler(denoiser, name, CELLS)
        for index in order:
            found, ran = _sampled(sampler, CELLS[index], classifier)
            assert found == alone[index][0], CELLS[index]
            assert alone[index][1] <= ran, CELLS[index]
        if len(order) == len(CELLS):
            assert (sum(evaluated) == whole) == choices.SAMPLERS[name].remembers


def _half(kind: str, **keys: Any) -> Setup:
    return Setup(**{"guidance": kind, **HALF, **keys})


@pytest.mark.parametrize("first", [True, False])
def test_a_prefix_is_evaluated_once(first, denoiser, evaluated) -> None:
    """Of 8 steps at t/T = 1, 7/8, .. the last four are in [0, 0.5]: cfg evaluates twice there."""
    plain, cfg = (Setup(conditional=True), None), [(_half("cfg"), 1.0 + n) for n in range(5)]
    cells = [plain, *cfg] if first else [*cfg, plain]
    sampler = _sampler(denoiser, "ancestral", cells)
    seconds = [sampler(*cell, None, SEEDS, LABELS).seconds for cell in cells]
    assert sum(evaluated) == ROWS * (4 + 4 + 5 * 4 * 2)
    # what was computed for another counts for each: half of unguided's own time, at least
    parts = [part.seconds for part in sampler.prefixes.found.values()]
    assert len(parts) == 2
    for cell in seconds:
        assert all(one > part for one, part in zip(cell, parts, strict=True))


@pytest.mark.parametrize(("name", "end"), [("ddim", 4), ("heun", 3)])
def test_a_step_whose_corrector_is_guided_is_none_of_a_prefix(name, end, denoiser) -> None:
    """Evaluated at 10/16, Heun's is corrected at 8/16."""
    setup = _half("cfg")
    prefixes = _sampler(denoiser, name, [(setup, 2.0)]).prefixes
    networks = BoundDenoiser(denoiser, SCHEDULE, LABELS)
    cell = GuidedCell(setup, 2.0, networks, None, 8, None, False)
    assert prefixes.ends(cell, SCHEDULE.grid(8)) == [end]


def test_a_cell_stands_on_the_functions_of_its_prefix(denoiser) -> None:
    """Which ran for another cell."""
    cells = [(Setup(conditional=True), None), (_half("cfg"), 1.0), (_half("cfg"), 2.0)]
    for order in (cells, cells[::-1]):
        sampler = _sampler(denoiser, "ancestral", cells)
        for cell in order:
            _, ran = _sampled(sampler, cell, None)
            # in the guided steps cfg asks for both at once
            assert "guidance.networks:BoundDenoiser.conditional" in ran
            assert "guidance.guides:Unguided.__call__" in ran


def test_methods_of_the_users_own_share_nothing(denoiser, evaluated) -> None:
    own = "guidebench.diffusion.samplers:ddim"
    cells = [(_half("cfg", sampler=own), 1.0), (_half("cfg", sampler=own), 2.0)]
    sampler = _sampler(denoiser, "ancestral", cells)
    for cell in cells:
        sampler(*cell, None, SEEDS, LABELS)
    assert sum(evaluated) == ROWS * 2 * (4 + 4 * 2)
    guided = Setup.model_construct(guidance="my_guide:Guide", paper_compat=[], sampler=None)
    assert choices.unguided(guided, SAMPLING) is None


def test_other_rows_share_nothing(denoiser) -> None:
    """Nor do other classes, or films of more rows."""
    cell = (_half("cfg"), 2.0)
    sampler = _sampler(denoiser, "ancestral", [cell])
    for seeds, labels, films in (
        (SEEDS, LABELS, 2),
        (SEEDS + 1, LABELS, 2),
        (SEEDS, LABELS.flip(0), 2),
        (SEEDS, LABELS, 3),
    ):
        found = sampler(*cell, None, seeds, labels, films)
        alone = _sampler(denoiser, "ancestral")(*cell, None, seeds, labels, films)
        assert np.array_equal(found.images, alone.images)
        assert np.array_equal(found.film, alone.film)
