"""A claim's verdict is wrong in at most 5 % of experiments whose truth lies at its limit."""

import pytest
from simulated_claims import SCENARIOS, TRIALS, Scenario, rates

ALLOWED = 0.05
NOISE = 2 * (ALLOWED * (1 - ALLOWED) / TRIALS) ** 0.5  # two standard errors of 400 experiments


@pytest.mark.slow
@pytest.mark.parametrize("scenario", SCENARIOS, ids=[f"{s.claim}-{s.truth}" for s in SCENARIOS])
def test_a_wrong_verdict_is_rare(scenario: Scenario) -> None:
    found = rates(scenario)
    assert found
    assert max(found.values()) <= ALLOWED + NOISE, found
