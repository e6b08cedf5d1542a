"""What the checks call read is read, and nothing else: a key changes the images or is refused."""

from itertools import pairwise
from pathlib import Path
from typing import get_args

import pytest
import torch

from guidebench.base.choices import SAMPLERS
from guidebench.diffusion import samplers
from guidebench.diffusion.schedules import DDPMLinear
from guidebench.guidance.sampling import Sampler
from guidebench.models.classifier import Classifier
from guidebench.models.denoiser import Denoiser, build, save
from guidebench.pipeline.experiment import sections, unread_keys
from guidebench.pipeline.experiment.sections import Sampling, Setup, Stabilizer, Steps

OPTIONS = sections.Denoiser(channels=[8, 16], norm_groups=4, condition_dropout=0.2)
SCHEDULE = DDPMLinear(20, rescale=True)
OWN = f"{__name__}:Own"
OTHER = {  # another value of each key than its default
    "options": {"shade": 0.5},
    "classifier": "clean",
    "input": "x0",
    "injection": "score",
    "stabilizer": Stabilizer(name="ema"),
    "temperature": 0.1,
    "interval": (0.0, 0.5),
    "ramp": "rising",
    "conditional": True,
    "hold": "eps",
    "beta": 0.5,
    "beta1": 0.5,
    "beta2": 0.5,
    "eps": 1.0,
    "max_norm": 1e-6,
    "per_step": "literal",
    "variance": 1.0,
    "eta": 1.0,
    "limit": 0.5,
    "recompute_eps": False,
    "clip_gradient": "zero",
    "paper_compat": ["raw_logit"],
}
SEEN = {"hold": "x0_frozen", "clip_gradient": "x0"}  # the input where a key acts


class Own:
    """Draws towards a shade."""

    def __init__(self, denoise, classifier, target, scale, schedule, shade=1.0) -> None:
        self.shade, self.schedule = shade, schedule

    def __call__(self, x, t, step, *, corrector=False):
        x0 = self.shade * torch.ones_like(x)
        alpha, sigma = self.schedule.alpha(t).to(x.dtype), self.schedule.sigma(t).to(x.dtype)
        return samplers.Prediction((x - alpha * x0) / sigma, x0)


class Damped:
    """A user's stabilizer."""

    def __init__(self, exponent, factor=1.0) -> None:
        self.factor = factor / exponent

    def __call__(self, gradient):
        return self.factor * gradient


def flat(predict, x, schedule, grid, noise, callback, shade=1.0):
    """A user's sampler: Euler's steps down to a shade."""
    for step, (s, r) in enumerate(pairwise(grid)):
        prediction = predict(x, s, step)
        callback(step, s, x, prediction)
        x = schedule.alpha(r) * shade * prediction.x0 + schedule.sigma(r) * prediction.eps
    return x


@pytest.fixture(scope="module")
def sampler(tmp_path_factory: pytest.TempPathFactory):
    """(setup, sampling) -> images."""
    folder: Path = tmp_path_factory.mktemp("denoiser")
    torch.manual_seed(0)
    save(build(OPTIONS, 8, 3, 3), folder, SCHEDULE.betas.tolist(), "v")
    denoiser = Denoiser(folder, torch.device("cpu"))
    # without this the label changes less than a level of 256
    denoiser.model.class_embedding.weight.data *= 30
    classifier = Classifier("small_cnn", 3, 8).eval().requires_grad_(False)

    def images(setup: Setup, sampling: Sampling) -> bytes:
        scale = {"none": None, "cfg": 3.0}.get(setup.guidance, 300.0)
        found = Sampler(denoiser, SCHEDULE, sampling, (3, 8, 8))(
            setup, scale, classifier, torch.arange(2), torch.tensor([1, 2])
        )
        return found.images.tobytes()

    return images


SAMPLING = Sampling(steps=6, micro_batch=2)


@pytest.mark.parametrize("guidance", ["none", "cfg", "classifier", OWN])
@pytest.mark.parametrize(
    "key", sorted({*unread_keys.BY_GUIDANCE, *unread_keys.BY_INPUT} - {"classifier"})
)
def test_of_a_setup(key: str, guidance: str, sampler) -> None:
    """`classifier`, which nothing can be sampled without, is left out."""
    readers = unread_keys.BY_GUIDANCE.get(key, ("classifier",))
    name = unread_keys.OWN if ":" in guidance else guidance
    base = Setup(guidance=guidance, classifier="clean", input=SEEN.get(key, "raw"))
    changed = base.model_copy(update={key: OTHER[key]})
    # that cfg's denoiser always gets its label is documented
    acts = name in readers and (guidance, key) != ("cfg", "conditional")
    assert (sampler(base, SAMPLING) != sampler(changed, SAMPLING)) == acts


@pytest.mark.parametrize("key", sorted(unread_keys.BY_INPUT))
@pytest.mark.parametrize("kind", ["raw", "x0", "x0_frozen"])
def test_of_an_input(kind: str, key: str, sampler) -> None:
    base = Setup(guidance="classifier", classifier="clean", input=kind)
    changed = base.model_copy(update={key: OTHER[key]})
    acts = kind in unread_keys.BY_INPUT[key]
    assert (sampler(base, SAMPLING) != sampler(changed, SAMPLING)) == acts


@pytest.mark.parametrize("key", sorted(unread_keys.BY_STABILIZER))
def test_of_a_stabilizer(key: str, sampler) -> None:
    own = f"{__name__}:Damped"
    for name in ("none", "ema", "adam", "nesterov", "rmsprop", "norm_clip", own):
        plain = Stabilizer(name=name)
        other = {"factor": 0.1} if key == "options" else OTHER[key]
        pair = [
            sampler(Setup(guidance="classifier", classifier="clean", stabilizer=section), SAMPLING)
            for section in (plain, plain.model_copy(update={key: other}))
        ]
        acts = (unread_keys.OWN if name == own else name) in unread_keys.BY_STABILIZER[key]
        assert (pair[0] != pair[1]) == acts, name


@pytest.mark.parametrize("key", sorted(unread_keys.BY_SAMPLER_OF_IMAGES))
def test_of_a_sampler(key: str, sampler) -> None:
    own = f"{__name__}:flat"
    for name in [*SAMPLERS, own]:
        plain = SAMPLING.model_copy(update={"sampler": name})
        changed = plain.model_copy(update={key: OTHER[key]})
        named = unread_keys.OWN if name == own else name
        acts = named in unread_keys.BY_SAMPLER_OF_IMAGES[key]
        assert (sampler(Setup(), plain) != sampler(Setup(), changed)) == acts, name


def test_the_gradient_of_a_clip_needs_one(sampler) -> None:
    setup = Setup(guidance="classifier", classifier="clean", input="x0")
    for clip in (True, False):
        plain = SAMPLING.model_copy(update={"clip": clip})
        changed = plain.model_copy(update={"clip_gradient": "zero"})
        acts = str(clip).lower() in unread_keys.BY_CLIP["clip_gradient"]
        assert (sampler(setup, plain) != sampler(setup, changed)) == acts


def test_a_setups_own_clip_is_what_counts(sampler) -> None:
    """Whatever the guidance, and whatever `sampling.clip` says."""
    for guidance in ("none", "cfg", "classifier"):
        plain = Setup(guidance=guidance, classifier="clean")
        free = SAMPLING.model_copy(update={"clip": False})
        for clip, asked in ((True, SAMPLING), (False, free)):
            own = plain.model_copy(update={"clip": clip})
            assert sampler(own, SAMPLING) == sampler(own, free) == sampler(plain, asked)
        assert sampler(plain, SAMPLING) != sampler(plain, free)


def test_no_key_is_forgotten() -> None:
    """Every key of these sections has its readers in a table, or is read by all."""
    always = {"guidance", "sampler", "steps", "vary", "clip", "scales"}
    assert set(Setup.model_fields) == always | {*unread_keys.BY_GUIDANCE, *unread_keys.BY_INPUT}
    assert set(Stabilizer.model_fields) == {"name", *unread_keys.BY_STABILIZER}
    assert set(Steps.model_fields) == {"sampler", "steps", *unread_keys.BY_SAMPLER}


def test_a_sampler_has_a_record_a_function_and_a_place_in_the_config() -> None:
    in_config = get_args(get_args(Steps.model_fields["sampler"].annotation)[0])
    assert set(SAMPLERS) == set(samplers.SAMPLERS) == set(in_config)


def test_the_config_describes_which_sampler_uses_what() -> None:
    fields = Sampling.model_fields
    for name, record in SAMPLERS.items():
        for key in record.options:
            assert str(fields[key].description).startswith(f"{name}: "), key
        named = name in str(fields["recompute_eps"].description)
        assert named == ("eps" in record.uses), name
