"""Sampling a cell: divergence is noticed, guides are fresh, cost is counted."""

from pathlib import Path

import numpy as np
import pytest
import torch

from guidebench.base.seeds import normal
from guidebench.data.store import to_uint8
from guidebench.diffusion.samplers import SAMPLERS, ancestral
from guidebench.diffusion.schedules import DDPMLinear
from guidebench.guidance.networks import BoundDenoiser
from guidebench.guidance.sampling import Sampler
from guidebench.models.classifier import Classifier
from guidebench.models.denoiser import Denoiser, build, save
from guidebench.pipeline.experiment import sections
from guidebench.pipeline.experiment.sections import Sampling, Setup, Stabilizer

OPTIONS = sections.Denoiser(channels=[8, 16], norm_groups=4, condition_dropout=0.2)
SAMPLING = Sampling(steps=5, micro_batch=4)
NONE = Setup()
CFG = Setup(guidance="cfg")
GUIDED = Setup(guidance="classifier", input="x0", stabilizer=Stabilizer(name="ema"))
SCHEDULE = DDPMLinear(20, rescale=True)
SEEDS, LABELS = torch.arange(6), torch.ones(6, dtype=torch.long)


@pytest.fixture(scope="module")
def denoiser(tmp_path_factory: pytest.TempPathFactory) -> Denoiser:
    folder: Path = tmp_path_factory.mktemp("denoiser")
    torch.manual_seed(0)
    save(build(OPTIONS, 8, 3, 3), folder, SCHEDULE.betas.tolist(), "v")
    return Denoiser(folder, torch.device("cpu"))


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    torch.manual_seed(1)
    return Classifier("small_cnn", 3, 8).eval().requires_grad_(False)


def _sampler(denoiser: Denoiser, **changes: object) -> Sampler:
    return Sampler(denoiser, SCHEDULE, SAMPLING.model_copy(update=changes), (3, 8, 8))


@pytest.mark.parametrize(
    ("setup", "scale", "rows", "backward"),
    [
        (NONE, None, 1, 0),
        (CFG, 2.0, 2, 0),
        (GUIDED, 3.0, 1, 1),
        (GUIDED.model_copy(update={"input": "raw"}), 3.0, 1, 0),
        (GUIDED.model_copy(update={"input": "x0_frozen"}), 3.0, 1, 0),
    ],
)
def test_shapes_and_denoiser_passes(setup, scale, rows, backward, denoiser, classifier) -> None:
    before, backward_before = denoiser.rows, denoiser.backward_rows
    samples = _sampler(denoiser)(setup, scale, classifier, SEEDS, LABELS)
    assert samples.images.shape == (6, 3, 8, 8)
    assert samples.images.dtype == np.uint8
    assert samples.diverged.shape == (6,)
    assert len(samples.seconds) == 2
    # two micro-batches of 4 rows (the second padded), 5 steps
    assert denoiser.rows - before == 2 * 4 * 5 * rows
    # through the denoiser: a classifier that sees x_t, or a held estimate, has no way back there
    assert denoiser.backward_rows - backward_before == 2 * 4 * 5 * backward


def test_samples_start_from_standard_normal_noise(denoiser, monkeypatch) -> None:
    """Stream 0 of each seed, as it is: the MNIST notebook clips it to [-1, 1]."""
    seen: list[torch.Tensor] = []

    def recording(predict, x, *arguments, **options):
        seen.append(x.clone())
        return ancestral(predict, x, *arguments, **options)

    monkeypatch.setitem(SAMPLERS, "ancestral", recording)
    seeds = torch.arange(64)
    _sampler(denoiser, micro_batch=64)(NONE, None, None, seeds, torch.zeros(64).long())
    assert torch.equal(seen[0], normal(seeds, 0, (3, 8, 8)))
    assert float(seen[0].var()) == pytest.approx(1, abs=0.06)
    assert float(seen[0].abs().max()) > 3


def test_stabilizer_state_does_not_leak_into_the_next_micro_batch(denoiser, classifier) -> None:
    sampler = _sampler(denoiser)
    twice = sampler(
        GUIDED, 30.0, classifier, torch.cat((SEEDS[:4], SEEDS[:4])), torch.ones(8).long()
    ).images
    assert np.array_equal(twice[:4], twice[4:])


def test_cfg_is_guided_by_its_weight(denoiser) -> None:
    sampler = _sampler(denoiser)
    images = [sampler(CFG, weight, None, SEEDS, LABELS).images for weight in (0.0, 3.0)]
    assert not np.array_equal(*images)
    # w = 0 asks for the target's label, unguided for the null token
    assert not np.array_equal(images[0], sampler(NONE, None, None, SEEDS, LABELS).images)


def test_huge_scale_is_seen_as_diverged(denoiser, classifier) -> None:
    sampler = _sampler(denoiser, clip=False)
    calm = sampler(NONE, None, None, SEEDS, LABELS)
    wild = sampler(GUIDED, 1e8, classifier, SEEDS, LABELS)
    assert not calm.diverged.any()
    assert wild.diverged.all()


def test_nan_is_diverged_and_never_an_exception(denoiser, monkeypatch) -> None:
    sampler = _sampler(denoiser)
    monkeypatch.setattr(BoundDenoiser, "unconditional", lambda self, x, t: x * float("nan"))
    samples = sampler(NONE, None, None, SEEDS, LABELS)
    assert samples.diverged.all()
    assert samples.images.shape == (6, 3, 8, 8)


def test_film_starts_in_noise_and_ends_in_the_images(denoiser) -> None:
    sampler = _sampler(denoiser, steps=15)
    samples = sampler(NONE, None, None, SEEDS, LABELS, 3)
    film = samples.film
    assert film.shape == (3, 13, 2, 3, 8, 8)  # 12 of 15 steps, and the end
    assert film.dtype == np.uint8
    for kind in (0, 1):
        assert np.array_equal(film[:, -1, kind], samples.images[:3])
    start = torch.stack([normal(SEEDS[:3], 0, (3, 8, 8))])[0]
    assert np.array_equal(film[:, 0, 0], to_uint8(start))
    assert np.array_equal(samples.images, sampler(NONE, None, None, SEEDS, LABELS).images)


def test_ddim_options_reach_the_sampler(denoiser) -> None:
    images = [
        _sampler(denoiser, sampler="ddim", eta=eta)(NONE, None, None, SEEDS, LABELS).images
        for eta in (0.0, 1.0, 0.0)
    ]
    assert np.array_equal(images[0], images[2])
    assert not np.array_equal(images[0], images[1])


def test_each_row_has_its_own_target(denoiser, classifier) -> None:
    """Images of mixed classes are those that one class at a time gives, also in a padded batch."""
    sampler = _sampler(denoiser)
    labels = torch.tensor([2, 0, 1, 1, 0, 2])
    for setup, scale in ((CFG, 2.0), (GUIDED, 30.0), (Setup(conditional=True), None)):
        mixed = sampler(setup, scale, classifier, SEEDS, labels).images
        for label in range(3):
            alone = sampler(setup, scale, classifier, SEEDS, torch.full((6,), label)).images
            assert np.array_equal(mixed[labels == label], alone[labels == label])
            assert not np.array_equal(mixed, alone)


@pytest.mark.parametrize("name", ["ddim", "heun", "dpmpp_2m"])
def test_a_setup_may_have_a_sampler_of_its_own(name, denoiser, classifier) -> None:
    """With the options of `sampling`."""
    guided = GUIDED.model_copy(update={"injection": "score"})
    for setup, scale in ((NONE, None), (guided, 3.0)):
        own = setup.model_copy(update={"sampler": name})
        found = _sampler(denoiser, eta=0.5)(own, scale, classifier, SEEDS, LABELS).images
        whole = _sampler(denoiser, eta=0.5, sampler=name)
        assert np.array_equal(found, whole(setup, scale, classifier, SEEDS, LABELS).images)
        plain = _sampler(denoiser)(setup, scale, classifier, SEEDS, LABELS).images
        assert not np.array_equal(found, plain)


@pytest.mark.parametrize("kind", ["raw", "x0", "x0_frozen"])
def test_gradient_checkpointing_draws_the_same_images(kind, tmp_path, classifier) -> None:
    """Bit for bit, counted alike, with attention and a label, too."""
    torch.manual_seed(0)
    options = OPTIONS.model_copy(update={"attention": [False, True], "head_dim": 4})
    save(build(options, 8, 3, 3), tmp_path, SCHEDULE.betas.tolist(), "v")
    setup = GUIDED.model_copy(update={"input": kind, "conditional": True})
    found = []
    for again in (False, True):
        network = Denoiser(tmp_path, torch.device("cpu"), again)
        assert network.model.is_gradient_checkpointing == again
        samples = _sampler(network)(setup, 300.0, classifier, SEEDS, LABELS)
        found.append((samples.images.tobytes(), network.rows, network.backward_rows))
    assert found[0] == found[1]


def test_a_setup_may_have_steps_of_its_own(denoiser) -> None:
    sampler = _sampler(denoiser)
    before = denoiser.rows
    own = sampler(Setup(steps=9), None, None, SEEDS, LABELS).images
    assert denoiser.rows - before == 2 * 4 * 9
    assert np.array_equal(own, _sampler(denoiser, steps=9)(NONE, None, None, SEEDS, LABELS).images)
    # a picture grid has steps of its own, whatever the setup has
    grid = sampler(Setup(steps=3), None, None, SEEDS, LABELS, steps=9).images
    assert np.array_equal(own, grid)


KINDS = {
    "none": (NONE, None),
    "cfg": (CFG, 2.0),
    **{kind: (GUIDED.model_copy(update={"input": kind}), 30.0) for kind in ("raw", "x0_frozen")},
    "x0": (GUIDED, 30.0),
}


@pytest.mark.parametrize("kind", KINDS)
def test_bf16_draws_nearly_the_same_images(kind, tmp_path, denoiser, classifier) -> None:
    """Of equal seeds: a pixel is off by less than one of 255 on average, whatever the guidance."""
    save(denoiser.model, tmp_path, SCHEDULE.betas.tolist(), "v")
    images = {}
    for precision in ("float32", "tf32", "bf16"):
        sampling = SAMPLING.model_copy(update={"precision": precision})
        sampler = Sampler.opened(tmp_path, torch.device("cpu"), SCHEDULE, sampling, (3, 8, 8))
        images[precision] = sampler(*KINDS[kind], classifier, SEEDS, LABELS).images
    plain = _sampler(denoiser)(*KINDS[kind], classifier, SEEDS, LABELS).images
    assert np.array_equal(images["float32"], plain)
    # a GPU's matter: a CPU has no TF32
    assert np.array_equal(images["tf32"], plain)
    error = np.abs(images["bf16"].astype(float) - plain)
    assert 0 < error.mean() < 1
