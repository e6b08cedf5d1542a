"""A trajectory whose rows are not finite any more ends, and its bytes are a constant."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from guidebench.diffusion.schedules import DDPMLinear
from guidebench.diffusion.time_grid import times
from guidebench.guidance.networks import BoundDenoiser
from guidebench.guidance.sampling import Sampler, Samples
from guidebench.models.classifier import Classifier
from guidebench.models.denoiser import Denoiser, build, save
from guidebench.pipeline.experiment import sections
from guidebench.pipeline.experiment.sections import Sampling, Setup, Stabilizer

SCHEDULE = DDPMLinear(40, rescale=True)
STEPS, BATCH, BREAKS = 20, 4, 5  # the denoiser breaks at step 5
SEEDS, LABELS = torch.arange(6), torch.ones(6, dtype=torch.long)


@pytest.fixture(scope="module")
def denoiser(tmp_path_factory: pytest.TempPathFactory) -> Denoiser:
    folder: Path = tmp_path_factory.mktemp("denoiser")
    torch.manual_seed(0)
    save(build(sections.Denoiser(channels=[8], norm_groups=4), 8, 3, 3), folder, [0.1] * 40, "v")
    return Denoiser(folder, torch.device("cpu"))


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """From a step on, one pixel of what the denoiser says of some rows is no number."""
    right = BoundDenoiser.unconditional

    def breaks(rows: list[int], step: int = BREAKS, name: str = "ancestral") -> None:
        first = times(name, SCHEDULE, STEPS)[step]

        def network(self, x, t):
            output = right(self, x, t).clone()
            if t <= first:
                output[rows, :, 0, 0] = float("nan")
            return output

        monkeypatch.setattr(BoundDenoiser, "unconditional", network)

    return breaks


def _sample(denoiser: Denoiser, name: str = "ancestral", setup: Setup | None = None) -> Samples:
    sampling = Sampling(steps=STEPS, micro_batch=BATCH, sampler=name, clip=False)
    sampler, scale = Sampler(denoiser, SCHEDULE, sampling, (3, 8, 8)), 3.0 if setup else None
    torch.manual_seed(0)
    classifier = Classifier("small_cnn", 3, 8).eval().requires_grad_(False)
    return sampler(setup or Setup(), scale, classifier, SEEDS, LABELS, 2)


@pytest.mark.parametrize("name", ["ancestral", "euler_maruyama", "ddim", "heun", "dpmpp_2m"])
def test_what_comes_after_the_last_finite_row_is_not_evaluated(name, denoiser, broken) -> None:
    broken([0, 1, 2, 3], BREAKS, name)
    before = denoiser.rows
    samples = _sample(denoiser, name)
    # broken at step 5, asked for before step 8; heun evaluates twice
    assert denoiser.rows - before == 2 * BATCH * 8 * (2 if name == "heun" else 1)
    assert samples.diverged.all()
    assert not samples.images.any()
    # 12 of 20 steps, and the end; the first states are as they were
    assert samples.film.shape == (2, 13, 2, 3, 8, 8)
    assert samples.film[:, :3].any(axis=(2, 3, 4, 5)).all()
    assert not samples.film[:, 4:].any()


def test_a_finite_row_keeps_its_micro_batch(denoiser, broken) -> None:
    """It is the image that it is beside finite rows; the others' bytes are those of all lost."""
    whole = _sample(denoiser)
    broken([0, 1, 2, 3])
    lost = _sample(denoiser)
    broken([0, 2, 3])
    before = denoiser.rows
    mixed = _sample(denoiser)
    assert denoiser.rows - before == 2 * BATCH * STEPS  # row 5, the last one, fills the second
    assert mixed.diverged.tolist() == [True, False, True, True, True, False]
    for row in (0, 2, 3, 4):
        assert np.array_equal(mixed.images[row], lost.images[row])
    assert np.array_equal(mixed.film[0], lost.film[0])
    for row in (1, 5):
        assert np.array_equal(mixed.images[row], whole.images[row])
    assert np.array_equal(mixed.film[1], whole.film[1])


def test_an_image_without_one_of_its_pixels_is_black(denoiser, broken) -> None:
    """As one that was lost before: its other pixels are those of no step that counts."""
    broken([0], STEPS - 1)
    samples = _sample(denoiser)
    assert samples.diverged.tolist() == [True, False, False, False, True, False]
    assert not samples.images[[0, 4]].any()
    assert not samples.film[0, -1].any()


def test_a_carried_state_gets_all_of_its_gradients(denoiser, broken) -> None:
    broken([0, 1, 2, 3])
    carried = Setup(
        guidance="classifier", stabilizer=Stabilizer(name="ema"), paper_compat=["carried_state"]
    )
    before = denoiser.rows
    _sample(denoiser, setup=carried)
    assert denoiser.rows - before == 2 * BATCH * STEPS
