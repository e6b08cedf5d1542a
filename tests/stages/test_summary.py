"""What summary.json says of an experiment."""

from __future__ import annotations

import json

from guidebench.pipeline.experiment.sections import Attack, Classifier, Denoiser, Sampling, Setup
from guidebench.pipeline.experiment.world_section import World
from guidebench.stages.summary import (
    _clip_gradient,
    _temperatures,
    _trained,
    _training,
    _variant,
)


def test_a_setups_variant_is_what_claims_do_not_ask_for() -> None:
    plain = {"guidance": "classifier", "classifier": "clean", "input": "x0", "scales": [1]}
    own = {
        "conditional": True,
        "steps": 30,
        "interval": [0.1, 0.6],
        "ramp": "rising",
        "temperature": 2.0,
        "injection": "score",
    }
    ema = {"stabilizer": {"name": "ema", "beta": 0.99}}
    literal = {"stabilizer": {"name": "ema", "per_step": "literal"}}
    for keys, expected in (
        ({}, {}),
        (ema, {}),
        ({"steps": 20, "temperature": 1.0, "interval": [0, 1], "clip": True}, {}),
        ({"clip": False}, {"clip": False}),
        (own | literal, own | {"per_step": "literal"}),
        ({"clip_gradient": "zero"}, {}),
        ({"clip_gradient": "straight_through"}, {"clip_gradient": "straight_through"}),
        ({"paper_compat": ["raw_logit"]}, {"paper_compat": ["raw_logit"]}),
    ):
        setup = Setup.model_validate_json(json.dumps(plain | keys))
        assert _variant(setup, Sampling(steps=20, clip_gradient="zero")) == expected


def test_a_setups_clip_gradient_is_the_one_that_acts() -> None:
    x0 = {"guidance": "classifier", "classifier": "clean", "input": "x0", "scales": [1]}
    straight = {"clip_gradient": "straight_through"}
    for setup, sampling, expected in (
        (x0, {}, "straight_through"),
        (x0, {"clip_gradient": "zero"}, "zero"),
        (x0 | straight, {"clip_gradient": "zero"}, "straight_through"),
        (x0 | {"clip_gradient": "zero"}, {}, "zero"),
        (x0 | {"input": "x0_frozen"}, {"clip_gradient": "zero"}, "zero"),
        (x0, {"clip": False, "clip_gradient": "zero"}, None),
        (x0 | {"clip": False}, {"clip_gradient": "zero"}, None),
        (x0 | {"clip": True}, {"clip": False, "clip_gradient": "zero"}, "zero"),
        (x0 | {"input": "raw"}, {"clip_gradient": "zero"}, None),
        ({}, {"clip_gradient": "zero"}, None),
        ({"guidance": "cfg", "scales": [1]}, {"clip_gradient": "zero"}, None),
        ({"guidance": "mine:Guide", "scales": [1]}, {"clip_gradient": "zero"}, "zero"),
    ):
        own = Setup.model_validate_json(json.dumps(setup))
        assert _clip_gradient(own, Sampling(**sampling)) == expected


def test_temperatures_are_compared_where_they_differ_and_act() -> None:
    guided = {"guidance": "classifier", "classifier": "clean", "injection": "score", "scales": [1]}
    setups = {
        "a": {},
        "b": {"temperature": 2.0},
        "hot": guided | {"temperature": 2.0},
        "plain": guided,
        "again": guided | {"scales": [2]},
        "cfg": {"guidance": "cfg", "scales": [1]},
    }
    component = {"mean": [0.0], "label": 0}
    values = {"components": [component], "samplers": {"s": {}}, "setups": setups}
    world = World.model_validate_json(json.dumps(values))
    assert _temperatures(world) == [{"hot": 2.0, "plain": 1.0, "again": 1.0}]
    setups.pop("hot")
    assert _temperatures(World.model_validate_json(json.dumps(values))) == []


def test_a_classifiers_kind_is_what_it_was_trained_on() -> None:
    attack = Attack(radius=1.0)
    assert _trained(Classifier()) == "clean"
    assert _trained(Classifier(noise_trained=True)) == "noise_trained"
    assert _trained(Classifier(adversarial=attack)) == "adversarial"
    robust = Classifier(architecture="resnet18", checkpoint="robust.pth", adversarial=attack)
    assert _trained(robust) == "adversarial"


def test_epochs_are_of_the_images_that_the_denoiser_sees() -> None:
    plain = Denoiser(steps=300, batch_size=64)
    assert _training(plain, 4000, 800) == {"epochs": 4.8}
    more = Denoiser(steps=300, batch_size=64, paper_compat=["validation_images"])
    assert _training(more, 4000, 800) == {"epochs": 4.0}
    assert _training(Denoiser(checkpoint="models/one"), 4000, 800) == {"denoiser_trained": False}
