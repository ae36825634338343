"""Key policies: decide like IAM, explain every decision, and say who can ever decrypt.

>>> from nitro_workflow.policy import Policies, Principal, Request, RequestContext
>>> from nitro_workflow.policy import evaluate, explain, parse_policy
>>> key_policy = parse_policy({
...     "Version": "2012-10-17",
...     "Statement": {
...         "Sid": "Inside", "Effect": "Allow", "Action": "kms:Decrypt", "Resource": "*",
...         "Principal": {"AWS": "arn:aws:iam::111122223333:role/Parent"},
...         "Condition": {"StringEqualsIgnoreCase": {"kms:RecipientAttestation:PCR0": "ab" * 48}},
...     },
... }, name="key policy")
>>> request = Request(
...     Principal.parse("arn:aws:sts::111122223333:assumed-role/Parent/i-0abc"),
...     "kms:Decrypt",
...     "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab",
... )
>>> evaluate(request, Policies(key_policy)).effect
'implicitDeny'
>>> explain(request, Policies(key_policy)).cause.code
'no_document'
"""

from __future__ import annotations

from nitro_workflow.policy import author
from nitro_workflow.policy.decide.evaluate import (
    Deciding,
    Decision,
    Policies,
    evaluate,
)
from nitro_workflow.policy.decide.kms_grants import Grant
from nitro_workflow.policy.decide.request import Request, RequestContext, pcr_values
from nitro_workflow.policy.language.conditions import Condition
from nitro_workflow.policy.language.grammar import parse_policy, parse_policy_leniently
from nitro_workflow.policy.language.policy_document import Policy, PolicyKind, Statement
from nitro_workflow.policy.language.principals import Principal, PrincipalKind
from nitro_workflow.policy.reach.analysis import Analysis, analyse
from nitro_workflow.policy.reach.oddities import notes
from nitro_workflow.policy.reasons.cause import Cause
from nitro_workflow.policy.reasons.explanation import Explanation, explain
from nitro_workflow.policy.reasons.outcomes import Check, StatementOutcome

__all__ = [
    "Analysis",
    "Cause",
    "Check",
    "Condition",
    "Deciding",
    "Decision",
    "Explanation",
    "Grant",
    "Policies",
    "Policy",
    "PolicyKind",
    "Principal",
    "PrincipalKind",
    "Request",
    "RequestContext",
    "Statement",
    "StatementOutcome",
    "analyse",
    "author",
    "evaluate",
    "explain",
    "notes",
    "parse_policy",
    "parse_policy_leniently",
    "pcr_values",
]
