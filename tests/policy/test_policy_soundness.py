"""The analysis against brute force: requests by the hundred, put to the evaluator alone.

The default run tries a thousand policies. `POLICY_EXAMPLES=100000 pytest` of this file tries more;
the closing note and benchmarks/policy.py report a long run.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from policy_brute_force import KEY, grants, key_policies, requests, set_of

from nitro_workflow.policy import analyse, evaluate

EXAMPLES = int(os.environ.get("POLICY_EXAMPLES", "1000"))
common = settings(
    max_examples=EXAMPLES // 2, deadline=None, derandomize="POLICY_EXAMPLES" not in os.environ,
    suppress_health_check=[HealthCheck.too_slow], database=None,
)  # fmt: skip


def try_everything(policy, listed, seed):
    """Compare the three answers with what the evaluator says of some hundred requests."""
    analysis = analyse(policy, grants=listed, key_arn=KEY)
    made_up = any("is filled in" in text for text in analysis.assumes)
    for question, witnesses in analysis.witnesses.items():
        for witness in witnesses:
            asked = witness.policies if made_up else set_of(policy, listed)
            assert evaluate(witness.request, asked).allowed, question
            assert witness.request.context.attested == (question != "without_attestation")
    for finding in analysis.findings:
        assert finding.witness.holds, finding.code
    closed = {question for question, answer in analysis.answers.items() if answer == "none"}
    policies = set_of(policy, listed)
    for question, request in requests(seed, 2):
        if question in closed:
            assert not evaluate(request, policies).allowed, (question, request)
    return analysis


@common
@given(key_policies(inside=False), grants, st.integers(0, 2**32))
def test_none_is_never_false(policy, listed, seed):
    try_everything(policy, listed, seed)


@common
@given(key_policies(inside=True), grants, st.integers(0, 2**32))
def test_inside_the_fragment_there_is_always_an_answer(policy, listed, seed):
    analysis = try_everything(policy, listed, seed)
    assert analysis.unknown == ()
