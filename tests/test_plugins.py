"""The methods of docs/extending: validated like ours, and run."""

import shutil
import sys
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from conftest import REPOSITORY

from guidebench import data, workload
from guidebench.base import choices
from guidebench.base.plugins import call
from guidebench.base.seeds import normal
from guidebench.diffusion.by_name import sampler_of
from guidebench.diffusion.samplers import SAMPLERS, Prediction, own_options
from guidebench.diffusion.schedules import DDPMLinear
from guidebench.guidance.built import GuidedCell, build_guide
from guidebench.guidance.gradients import ClassifierGradient
from guidebench.guidance.guides import Unguided
from guidebench.guidance.networks import BoundDenoiser
from guidebench.guidance.own import Denoise, Own, TargetClassifier
from guidebench.guidance.sampling import Sampler
from guidebench.models.classifier import Classifier
from guidebench.models.denoiser import Denoiser, build, save
from guidebench.pipeline.errors import UserError
from guidebench.pipeline.experiment.config import Config
from guidebench.pipeline.experiment.reading import load
from guidebench.pipeline.experiment.sections import Sampling, Setup
from guidebench.pipeline.jobs import listing, slices
from guidebench.pipeline.jobs.listing import jobs
from guidebench.pipeline.records import code

EXTENDING = REPOSITORY / "docs/extending"
FILES = ["data", "classifier", "guide", "stabilizer", "sampler", "metric"]


@pytest.fixture
def config(tmp_path, monkeypatch):
    """The files of docs/extending in a folder of their own, and their experiment."""
    shutil.copytree(EXTENDING, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    for name in FILES:
        monkeypatch.delitem(sys.modules, f"my_{name}", raising=False)
    code.forget()
    return load("own.yaml")


@pytest.fixture
def networks(config, tmp_path):
    """(denoiser, classifier, schedule) as the experiment asks for them."""
    options = config.datasets["shades"]
    torch.manual_seed(0)
    classifier = Classifier(options.classifiers["clean"].architecture, 2, 8).eval()
    classifier.requires_grad_(False)
    schedule = DDPMLinear(20, rescale=True)
    save(build(options.denoiser, 8, 1, 2), tmp_path / "d", schedule.betas.tolist(), "v")
    return Denoiser(tmp_path / "d", torch.device("cpu")), classifier, schedule


SEEDS, LABELS = torch.arange(4), torch.tensor([1, 0, 1, 1])


def test_the_methods_run(config, networks) -> None:
    options = config.datasets["shades"]
    train, validation = data.load(options.data, 0)
    assert (len(train.images), len(validation.images)) == (64, 32)
    denoiser, classifier, schedule = networks
    assert isinstance(classifier.body[0], torch.nn.Conv2d)
    sampler = Sampler(denoiser, schedule, options.sampling, (1, 8, 8))
    images = {}
    for name, setup in options.setups.items():
        for scale in setup.scales:
            found = sampler(setup, scale, classifier, SEEDS, LABELS)
            images[name, scale] = found.images.mean()
    assert len(images) == 6 == len(set(images.values()))


# an own guide, and the built-in one of which it draws the images
PAIRS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "raw": (
        {"guidance": "my_guide:ByClassifier", "classifier": "clean", "options": {"see": "raw"}},
        {"guidance": "classifier", "classifier": "clean"},
    ),
    "x0": (
        {"guidance": "my_guide:ByClassifier", "classifier": "clean"},
        {"guidance": "classifier", "classifier": "clean", "input": "x0"},
    ),
    "cfg": ({"guidance": "my_guide:ByLabel"}, {"guidance": "cfg"}),
}


@pytest.mark.parametrize("clip_gradient", ["straight_through", "zero", None])
@pytest.mark.parametrize("kind", PAIRS)
def test_the_guides_are_the_built_in_ones(kind, clip_gradient, networks) -> None:
    """Each row to rounding (in float64), at a scale that moves it by a million times that."""
    denoiser, classifier, schedule = networks
    denoiser.model.double()
    classifier.double()
    # a shifted mean needs a sampler that has one
    for sampler in ("ancestral", "ddim" if kind == "cfg" else "euler_maruyama"):
        ends = []
        for setup, scale in zip((*PAIRS[kind], PAIRS[kind][1]), (3.0, 3.0, 0.0), strict=True):
            section = Setup.model_validate({**setup, "scales": [scale]})
            bound = BoundDenoiser(denoiser, schedule, LABELS)
            cell = GuidedCell(section, scale, bound, classifier, 10, clip_gradient, True)
            x = SAMPLERS[sampler](
                build_guide(cell),
                normal(SEEDS, 0, (1, 8, 8)).double(),
                schedule,
                schedule.grid(10),
                lambda step: normal(SEEDS, step + 1, (1, 8, 8)).double(),
                **own_options(sampler, Sampling()),
            )
            ends.append(x)
        mine, built_in, without = ends
        torch.testing.assert_close(mine, built_in, rtol=0, atol=1e-9)
        assert float((built_in - without).abs().amax((1, 2, 3)).min()) > 5e-3


def test_a_guides_classifier_answers_each_row_for_its_own_target(config, networks) -> None:
    """`log_softmax(...)[:, target]` is [N, N] and its sum N times too strong."""
    _, classifier, schedule = networks
    seen = TargetClassifier(classifier, LABELS, schedule)
    x = normal(SEEDS, 0, (1, 8, 8))
    logits, rows = seen.logits(x), seen.log_prob(x)
    assert logits.shape == (4, 2)  # of a network with one output
    assert classifier(x).shape == (4, 1)
    expected = logits.log_softmax(1).gather(1, LABELS[:, None])[:, 0]
    torch.testing.assert_close(rows, expected)
    alone = ClassifierGradient(None, "v", schedule, classifier, "raw", None)
    assert torch.equal(alone.logits(x, x, 7)[:, 0], seen.logits(x, 7)[:, 1])


class Answer:
    """A guide that answers what it is told to."""

    def __init__(self, answer, **handed) -> None:
        self.answer, self.handed = answer, handed

    def __call__(self, x, t, step, **said):
        self.said = said
        return self.answer(x)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda x: x, "answered Tensor, allowed: a Prediction"),
        (lambda x: None, "answered NoneType, allowed: a Prediction"),
        (lambda x: Prediction(None, x), "answered eps of shape NoneType, allowed: that of x"),
        (lambda x: Prediction(x, None), "answered x0 of shape NoneType, allowed: that of x"),
        (lambda x: Prediction(x, x, 0.5), "answered shift of shape float, allowed: that of x"),
        (
            lambda x: Prediction(x, x[:1]),
            r"answered x0 of shape \(1, 1, 8, 8\), allowed: .*\(4, 1, 8",
        ),
        (lambda x: Prediction(x, x, x.sum((1, 2, 3))), r"answered shift of shape \(4,\)"),
        (
            lambda x: Prediction(x, x, x.double()),
            r"answered shift of torch.float64, allowed: that of x, torch.float32",
        ),
        (lambda x: Prediction(x.long(), x), "answered eps of torch.int64"),
        (lambda x: Prediction(x.mul_(2), x), "changed x in its place"),
    ],
)
def test_a_wrong_answer_is_one_line(answer, said, networks) -> None:
    denoiser, _, schedule = networks
    guide = Own("my_methods:Answer", Answer(answer), Unguided(denoiser, "v", schedule, True))
    with pytest.raises(UserError, match=f"my_methods:Answer: {said}"):
        guide(normal(SEEDS, 0, (1, 8, 8)), 7, 0)


@pytest.mark.parametrize("clips", [True, False])
def test_an_eps_and_an_x0_belong_together(clips, networks) -> None:
    """But for a clip of x0, which `denoise` may have made already, and for rounding."""
    denoiser, _, schedule = networks
    x, plain = 2 * normal(SEEDS, 0, (1, 8, 8)), Unguided(denoiser, "v", schedule, clips)
    for t in (0, 5, 10):
        alpha, sigma = schedule.alpha(t).float(), schedule.sigma(t).float()
        eps = 0.9 * x
        x0 = (x - sigma * eps) / alpha
        clipped = x0.clamp(-1, 1)
        fine = [(eps, x0), (eps + 1e-6, x0)]
        if clips:
            fine += [(eps, clipped), ((x - alpha * clipped) / sigma, clipped)]
        for pair in fine:
            guide = Own("a:B", Answer(lambda x: Prediction(*pair)), plain)  # noqa: B023
            assert guide(x, t, 0).x0.isfinite().all()
        wrong = Own("a:B", Answer(lambda x: Prediction(eps, 0 * x)), plain)  # noqa: B023
        with pytest.raises(UserError, match=r"a:B: answered an x0 that is .* away from its eps's"):
            wrong(x, t, 0)


def test_what_a_guide_draws_from_the_global_generator_is_one_line(networks) -> None:
    denoiser, _, schedule = networks
    x = normal(SEEDS, 0, (1, 8, 8))
    drawing = Answer(lambda x: Prediction(torch.randn_like(x), x))
    guide = Own("a:B", drawing, Unguided(denoiser, "v", schedule, False))
    with pytest.raises(UserError, match="a:B: used torch's global random generator, whose numbers"):
        guide(x, 7, 0)


def test_an_eps_that_is_no_number_is_no_image(networks) -> None:
    """Where x0 is clipped, eps is made from x0, and its NaN would be seen by nobody."""
    denoiser, _, schedule = networks
    x = normal(SEEDS, 0, (1, 8, 8))
    eps = x.clone()
    x0 = (x - schedule.sigma(7) * eps) / schedule.alpha(7)
    eps[1, 0, 3, 3] = torch.nan
    guide = Own(
        "a:B", Answer(lambda x: Prediction(eps, x0)), Unguided(denoiser, "v", schedule, True, True)
    )
    found = guide(x, 7, 0)
    assert not found.x0[1, 0, 3, 3].isfinite()
    assert found.x0[[0, 2, 3]].isfinite().all()


@pytest.mark.parametrize("label", [-1, 99, torch.tensor([0, 1, 2, 99])])
def test_a_label_that_the_denoiser_does_not_know_is_one_line(label, networks) -> None:
    denoiser, _, schedule = networks
    denoise = Denoise(BoundDenoiser(denoiser, schedule, LABELS), None)
    with pytest.raises(
        UserError, match=r"a guide's label: found .*, allowed: 0 to \d+, and \d+ for"
    ):
        denoise(normal(SEEDS, 0, (1, 8, 8)), 7, label=label)


def test_an_answer_is_clipped_like_ours_and_keeps_no_graph(networks) -> None:
    denoiser, _, schedule = networks
    x = 3 * normal(SEEDS, 0, (1, 8, 8))
    alpha, sigma = schedule.alpha(7), schedule.sigma(7)
    inner = Answer(
        lambda x: Prediction((x.clone().requires_grad_() - alpha * 2 * x) / sigma, 2 * x, 2 * x)
    )
    found = Own("a:B", inner, Unguided(denoiser, "v", schedule, True, True))(x, 7, 0)
    assert inner.said == {}
    assert not any(value.requires_grad for value in found)
    assert torch.equal(found.x0, (2 * x).clamp(-1, 1))
    torch.testing.assert_close(schedule.alpha(7) * found.x0 + schedule.sigma(7) * found.eps, x)
    assert torch.equal(found.shift, 2 * x)
    Own("a:B", inner, Unguided(denoiser, "v", schedule, True))(x, 7, 0, corrector=True)
    assert inner.said == {"corrector": True}


def test_a_label_cannot_stand_where_another_argument_does(networks) -> None:
    denoiser, _, schedule = networks
    denoise = Denoise(BoundDenoiser(denoiser, schedule, LABELS), None)
    x = normal(SEEDS, 0, (1, 8, 8))
    for wrong in ((LABELS,), (0, LABELS)):
        with pytest.raises(TypeError, match="positional"):
            denoise(x, 7, *wrong)
        with pytest.raises(TypeError, match="positional"):
            Unguided(denoiser, "v", schedule, True)(x, 7, 0, *wrong)
    assert not torch.allclose(denoise(x, 7, label=LABELS).eps, denoise(x, 7).eps)
    one = denoise(x, 7, label=1).eps
    torch.testing.assert_close(one[LABELS == 1], denoise(x, 7, label=LABELS).eps[LABELS == 1])
    unlabelled = SimpleNamespace(prediction="v", conditional=False)
    with pytest.raises(UserError, match="condition_dropout: found null, allowed: a number"):
        Denoise(BoundDenoiser(unlabelled, schedule, LABELS), None)(x, 7, label=LABELS)


@pytest.mark.parametrize(
    ("setup", "said"),
    [
        (
            {"guidance": "my_guide:ByClassifier", "options": {"sees": "x0"}, "scales": [1]},
            r"my_guide:ByClassifier: got an unexpected keyword argument 'sees'",
        ),
        (
            {
                "guidance": "classifier",
                "classifier": "clean",
                "scales": [1],
                "stabilizer": {"name": "my_stabilizer:Sign", "options": {"gamma": 1}},
            },
            r"my_stabilizer:Sign: got an unexpected keyword argument 'gamma'",
        ),
    ],
)
def test_wrong_options_of_a_method_are_one_line(config, setup, said) -> None:
    """Only its own code knows them: they are refused when it is made."""
    schedule = DDPMLinear(20, rescale=True)
    section = Setup.model_validate(setup)
    denoiser = SimpleNamespace(prediction="v")
    networks = BoundDenoiser(denoiser, schedule, torch.ones(1, dtype=torch.long))
    with pytest.raises(UserError, match=said):
        build_guide(GuidedCell(section, 1.0, networks, object(), 4, None, True))


# the jobs that an edit of a file makes stale by itself: what follows reads what they wrote
STALE = {
    "data": {"prepare"},
    "classifier": {"train_classifier clean", "sensitivity clean", "sample", "features"},
    "guide": {"sample"},
    "stabilizer": {"sample"},
    "sampler": {"sample"},
    "metric": {"metrics", "collect"},
}


def _specs(config: Config) -> dict[tuple[str, ...], Any]:
    """The slice of every job, and of every cell."""
    (block, *_) = workload.blocks(config, "shades")
    specs = {
        (f"{job.stage} {job.classifier}".strip(), job.block): listing.spec(config, job)
        for job in jobs(config)
    }
    return specs | {
        ("cell", cell.path): slices.cell_spec(config, "shades", cell, block)
        for cell in workload.cells(config, "shades")
    }


@pytest.mark.parametrize("kind", FILES)
def test_an_edit_makes_stale_what_uses_the_file(kind, config, tmp_path) -> None:
    before = _specs(config)
    file = tmp_path / f"my_{kind}.py"
    file.write_text(file.read_text() + "\n# why\n")
    code.forget()
    assert _specs(load("own.yaml")) == before
    file.write_text(file.read_text() + "\nMORE = 1\n")
    code.forget()
    after = _specs(load("own.yaml"))
    changed = {key for key in before if after[key] != before[key]}
    assert {stage for stage, _ in changed if stage != "cell"} == STALE[kind]
    cells = {path for stage, path in changed if stage == "cell"}
    every = {path for stage, path in before if stage == "cell"}
    by_clean = {path for path in every if path.startswith(("clean/", "mine/x0"))}
    assert cells == {
        "classifier": by_clean,
        "guide": {path for path in every if path.startswith("mine/")},
        "stabilizer": {path for path in every if path.startswith("clean/")},
        "sampler": every,
    }.get(kind, set())


def test_what_a_users_method_alone_reads_is_no_part_of_other_slices(smoke, edited) -> None:
    """Results from before there were own samplers and metrics stand."""
    config = edited({})
    for job in jobs(config):
        if job.stage == "metrics":
            assert "own" not in listing.spec(config, job)["metrics"]
        if job.stage == "sample":
            for cell in listing.spec(config, job)["cells"]:
                assert "options" not in cell["sampling"]


@pytest.mark.parametrize("injection", ["mean", "score"])
def test_the_sampler_is_ancestral(injection, config, networks) -> None:
    """At temperature 1, with and without a mean that is shifted."""
    denoiser, classifier, schedule = networks
    setup = Setup(guidance="classifier", classifier="clean", injection=injection)
    images = []
    for name, temperature in (("ancestral", 0), ("my_sampler:tempered", 1), (None, 0.5)):
        own = {"sampler": name or "my_sampler:tempered", "options": {"temperature": temperature}}
        sampling = config.datasets["shades"].sampling.model_copy(update=own)
        sampler = Sampler(denoiser, schedule, sampling, (1, 8, 8))
        found = sampler(setup, 30.0, classifier, SEEDS, LABELS)
        images.append(found.images.astype(int))
    ours, mine, cooler = images
    assert abs(ours - mine).max() <= 1  # a rounding of 255
    assert abs(ours - cooler).max() > 10


def test_a_call_is_held_against_the_signature_where_there_is_one() -> None:
    assert call("builtins:max", 1, 2) == 2  # it has none
    with pytest.raises(UserError, match=r"json:dumps: .*'obj'; found indent"):
        call("json:dumps", indent=1)
    with pytest.raises(UserError, match=r"json:__name__: .* is not a callable object"):
        call("json:__name__")


def test_what_is_known_of_a_sampler(config) -> None:
    assert choices.sampler("heun") == choices.SAMPLERS["heun"]
    mine = choices.sampler("my_sampler:tempered")
    assert mine == choices.Sampler(("eps", "x0"), evaluations=1, has_mean=True, remembers=True)


def test_a_guides_shift_is_refused_where_a_users_sampler_has_no_mean(config, monkeypatch) -> None:
    import my_sampler

    monkeypatch.setattr(my_sampler.tempered, "has_mean", False)
    x = normal(SEEDS, 0, (1, 8, 8))
    with pytest.raises(UserError, match="sampler: its step has no mean"):
        sampler_of("my_sampler:tempered")(
            lambda x, t, step, corrector=False: Prediction(x, x, x),
            x,
            DDPMLinear(20, rescale=True),
            [5, -1],
            lambda step: x,
        )
