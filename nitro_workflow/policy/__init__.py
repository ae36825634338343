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

from typing import TYPE_CHECKING

from nitro_workflow.lazy import lazy_names
from nitro_workflow.policy import author

if TYPE_CHECKING:
    from nitro_workflow.policy.decide import (
        AuthorizationDetails,
        Deciding,
        Decision,
        Grant,
        Policies,
        Request,
        RequestContext,
        check_arns,
        evaluate,
        parse_authorization,
        parse_grants,
        parse_measurements,
        parse_requests,
        pcr_values,
        requests_from_cloudtrail,
        with_document,
    )
    from nitro_workflow.policy.language import (
        FEEDS,
        KINDS,
        Condition,
        PcrKey,
        Policy,
        PolicyKind,
        PolicySource,
        Principal,
        PrincipalKind,
        Statement,
        find_policies,
        parse_key,
        parse_policy,
        parse_policy_leniently,
        read_json,
    )
    from nitro_workflow.policy.reach import (
        KEY_ARN,
        Analysis,
        DecryptHistory,
        ImageAnswer,
        PolicyFinding,
        Way,
        Witness,
        analyse,
        ask_image,
        look_back,
        notes,
        render_analysis,
        render_history,
        render_image,
    )
    from nitro_workflow.policy.reasons import (
        Cause,
        Explanation,
        StatementCheck,
        StatementOutcome,
        explain,
        render_explanation,
    )

_HOMES = {
    "parse_authorization": "decide",
    "AuthorizationDetails": "decide",
    "render_history": "reach",
    "look_back": "reach",
    "DecryptHistory": "reach",
    "render_image": "reach",
    "find_policies": "language",
    "PolicySource": "language",
    "ask_image": "reach",
    "ImageAnswer": "reach",
    "Analysis": "reach",
    "Cause": "reasons",
    "Condition": "language",
    "Deciding": "decide",
    "Decision": "decide",
    "Explanation": "reasons",
    "FEEDS": "language",
    "Grant": "decide",
    "KEY_ARN": "reach",
    "KINDS": "language",
    "PcrKey": "language",
    "Policies": "decide",
    "Policy": "language",
    "PolicyFinding": "reach",
    "PolicyKind": "language",
    "Principal": "language",
    "PrincipalKind": "language",
    "Request": "decide",
    "RequestContext": "decide",
    "Statement": "language",
    "StatementCheck": "reasons",
    "StatementOutcome": "reasons",
    "Way": "reach",
    "Witness": "reach",
    "analyse": "reach",
    "check_arns": "decide",
    "evaluate": "decide",
    "explain": "reasons",
    "notes": "reach",
    "parse_grants": "decide",
    "parse_key": "language",
    "parse_measurements": "decide",
    "parse_policy": "language",
    "parse_policy_leniently": "language",
    "parse_requests": "decide",
    "pcr_values": "decide",
    "read_json": "language",
    "render_analysis": "reach",
    "render_explanation": "reasons",
    "requests_from_cloudtrail": "decide",
    "with_document": "decide",
}

__all__ = [
    "FEEDS",
    "KEY_ARN",
    "KINDS",
    "Analysis",
    "AuthorizationDetails",
    "Cause",
    "Condition",
    "Deciding",
    "Decision",
    "DecryptHistory",
    "Explanation",
    "Grant",
    "ImageAnswer",
    "PcrKey",
    "Policies",
    "Policy",
    "PolicyFinding",
    "PolicyKind",
    "PolicySource",
    "Principal",
    "PrincipalKind",
    "Request",
    "RequestContext",
    "Statement",
    "StatementCheck",
    "StatementOutcome",
    "Way",
    "Witness",
    "analyse",
    "ask_image",
    "author",
    "check_arns",
    "evaluate",
    "explain",
    "find_policies",
    "look_back",
    "notes",
    "parse_authorization",
    "parse_grants",
    "parse_key",
    "parse_measurements",
    "parse_policy",
    "parse_policy_leniently",
    "parse_requests",
    "pcr_values",
    "read_json",
    "render_analysis",
    "render_explanation",
    "render_history",
    "render_image",
    "requests_from_cloudtrail",
    "with_document",
]


__getattr__ = lazy_names(__name__, _HOMES)
