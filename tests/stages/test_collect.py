"""What stage `collect` says of an experiment."""

from __future__ import annotations

import json

from guidebench.pipeline.experiment.world_section import World
from guidebench.stages.collect import _temperatures


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
