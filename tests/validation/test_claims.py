"""The claims S1 to S9 by their quick experiments: small boxes and few replicates, which decide nothing for good."""

import pytest

from marrowsim.experiments import CLAIMS, knockout
from marrowsim.experiments.report import with_interval

pytestmark = pytest.mark.slow
TOO_FEW = {"S6": {"EPCs add vessels"}}
"""Rules about effects that the replicates of the quick form are too few to show."""


@pytest.mark.parametrize("name", CLAIMS)
def test_claim(name, record_property):
    outcome = knockout(name, bounded=True)
    for item in outcome.judgements:
        found = item.effect
        estimate = with_interval(found.estimate, found.low, found.high)
        record_property(f"Claim {name}, {outcome.verdict}", f"{item.rule.name} | {estimate}")
    failed = [item.rule.name for item in outcome.judgements if item.holds is False or item.falsifies]
    assert outcome.verdict != "falsified"
    assert set(failed) <= TOO_FEW.get(name, set())
