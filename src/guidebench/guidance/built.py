"""The guide of one cell of the config."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from guidebench.base.plugins import call
from guidebench.diffusion.samplers import Predict
from guidebench.diffusion.schedule import Schedule
from guidebench.guidance.compat import HalfPrecision, RawLogit
from guidebench.guidance.gradients import ClassifierGradient, GuidingClassifier, Network
from guidebench.guidance.guides import ClassifierFree, ClassifierGuided, Strength, Unguided
from guidebench.guidance.networks import BoundDenoiser
from guidebench.guidance.own import Denoise, Own, TargetClassifier
from guidebench.guidance.stabilizers import Stabilize, build
from guidebench.pipeline.recording import Methods

if TYPE_CHECKING:
    from guidebench.pipeline.experiment import sections


def clip_gradient(sampling: sections.Sampling, setup: sections.Setup | None = None) -> str | None:
    """The gradient of x0_pred's clip to [-1, 1] where it saturates; None without a clip.

    `setup`: whose own words on the clip go before the sampling's.
    """
    clips, gradient = (None, None) if setup is None else (setup.clip, setup.clip_gradient)
    return (
        (gradient or sampling.clip_gradient)
        if (sampling.clip if clips is None else clips)
        else None
    )


class GuidedCell(NamedTuple):
    """What a guide is built from: one cell of the config, with its networks."""

    setup: sections.Setup
    scale: float | None
    networks: BoundDenoiser
    classifier: GuidingClassifier | None
    steps: int
    clip_gradient: str | None  # None: x0_pred is not clipped
    recompute_eps: bool
    carried: Stabilize | None = None  # paper_compat: with the state of the micro-batch before

    def settings(self, conditional: bool) -> tuple[Network, str, Schedule, bool, bool]:
        """The arguments of `Unguided`; a conditional network has its labels bound."""
        networks = self.networks
        return (
            networks.conditional if conditional else networks.unconditional,
            networks.denoiser.prediction,
            networks.schedule,
            self.clip_gradient is not None,
            self.recompute_eps,
        )

    def scaled(self) -> Callable[[Any], float]:
        """The guidance scale at t."""
        assert self.scale is not None
        scale = self.scale
        strength = Strength(self.networks.schedule, self.setup.interval, self.setup.ramp)
        return lambda t: scale * strength(t)


def unguided(cell: GuidedCell) -> Unguided:
    """The denoiser alone."""
    return Unguided(*cell.settings(cell.setup.conditional))


def classifier_free(cell: GuidedCell) -> ClassifierFree:
    """Classifier-free guidance, with the scale as its weight w."""
    return ClassifierFree(cell.networks.both, cell.scaled(), *cell.settings(True))


def classifier_guided(cell: GuidedCell) -> ClassifierGuided:
    """Classifier guidance, stabilised."""
    setup, networks = cell.setup, cell.networks
    plain = unguided(cell)
    assert cell.classifier is not None
    assert networks.target is not None
    raw = "raw_logit" in setup.paper_compat
    if "half_precision" in setup.paper_compat:
        plain.network = HalfPrecision(plain.network)
    evaluate = ClassifierGradient(
        plain.network,
        plain.prediction,
        networks.schedule,
        RawLogit(cell.classifier) if raw else cell.classifier,
        setup.input,
        cell.clip_gradient,
        setup.temperature,
        setup.hold,
    )
    stabilize = cell.carried
    if stabilize is None:
        stabilize = build(setup.stabilizer, networks.schedule.timesteps, cell.steps)
    return ClassifierGuided(
        evaluate, networks.target, cell.scaled(), stabilize, setup.injection, plain
    )


def own(cell: GuidedCell) -> Own:
    """A guide of the user's, made of keyword arguments (docs/extending.md)."""
    name, networks = cell.setup.guidance, cell.networks
    target, schedule = networks.target, networks.schedule
    assert target is not None
    classifier = None
    if cell.classifier is not None:
        classifier = TargetClassifier(cell.classifier, target, schedule)
    guide = call(
        name,
        denoise=Denoise(networks, cell.clip_gradient),
        classifier=classifier,
        target=target,
        scale=cell.scale,
        schedule=schedule,
        **cell.setup.options,
    )
    return Own(name, guide, unguided(cell))


GUIDES: Methods[Callable[[GuidedCell], Predict]] = Methods(
    none=unguided, cfg=classifier_free, classifier=classifier_guided
)


def build_guide(cell: GuidedCell) -> Predict:
    """A fresh guide for one trajectory: stabiliser states start at zero, if none is carried."""
    kind = cell.setup.guidance
    return own(cell) if ":" in kind else GUIDES[kind](cell)
