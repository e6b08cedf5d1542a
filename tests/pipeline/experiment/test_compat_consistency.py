"""Switches of `paper_compat` that two keys together make idle; one key's are in `unread_cases`."""

import pytest

from guidebench.pipeline.experiment import consistency

S = ("datasets", "sportballs")
RAW, X0 = (*S, "setups", "clean/raw"), (*S, "setups", "clean/x0")
FACES = {(*S, "data"): {"source": "celeba", "root": "faces", "size": 16}}
MALE = {(*S, "target"): {"Male": False}}


def said(config) -> list[str]:
    """The lines about a switch, without the data set's name."""
    lines = [line.removeprefix(".".join(S) + ".") for line in consistency.mistakes(config)]
    return [line for line in lines if "paper_compat" in line or "clip_gradient" in line]


def test_two_classes_have_no_raw_logit_of_the_target(edited):
    switch = {(*RAW, "paper_compat"): ["raw_logit"]}
    assert said(edited(FACES | MALE | switch)) == [
        "setups.clean/raw.paper_compat: found raw_logit, allowed: it only with more classes than "
        "two: of two, there is one logit"
    ]
    assert said(edited(switch)) == []


def test_a_setups_gradient_of_a_clip_needs_one(edited):
    own, without = {(*X0, "clip_gradient"): "zero"}, {(*S, "sampling", "clip"): False}
    assert said(edited(own)) == said(edited(without)) == []
    assert said(edited(own | without)) == [
        "setups.clean/x0.clip_gradient: found zero, allowed: null, unless its clip is true"
    ]


@pytest.mark.parametrize("switch", ["same_time", "shared_state"])
def test_a_switch_of_x0_pred_needs_a_classifier_that_sees_it(switch, edited):
    edits = {(*S, "sensitivity", "paper_compat"): [switch]}
    assert said(edited(edits)) == []
    noisy = {(*S, "classifiers", "clean", "noise_trained"): True}
    assert said(edited(edits | noisy)) == [
        f"sensitivity.paper_compat: found {switch}, allowed: it only with a classifier that guides "
        "and is not noise-trained"
    ]


def test_where_every_t_is_reported_t_0_is(edited):
    edits = {(*S, "sensitivity", "paper_compat"): ["clean_at_zero"]}
    assert len(said(edited(edits))) == 1
    assert said(edited(edits | {(*S, "sensitivity", "steps"): 100})) == []
