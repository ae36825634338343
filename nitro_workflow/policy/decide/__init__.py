"""The decision: one request, a set of policies and grants, and what AWS would answer.

>>> from nitro_workflow.policy.decide import Policies, Request, evaluate
>>> from nitro_workflow.policy.language import Principal
>>> caller = Principal.parse("arn:aws:iam::111122223333:user/alice")
>>> evaluate(Request(caller, "s3:GetObject", "arn:aws:s3:::b/x"), Policies()).lacking
('identity',)
"""

from __future__ import annotations

from nitro_workflow.policy.decide.authorization_details import (
    AuthorizationDetails,
    parse_authorization,
)
from nitro_workflow.policy.decide.denial_words import denial_text
from nitro_workflow.policy.decide.evaluate import (
    Deciding,
    Decision,
    Effect,
    Policies,
    Situation,
    evaluate,
    lacking_allows,
)
from nitro_workflow.policy.decide.kms_grants import Grant
from nitro_workflow.policy.decide.recorded_requests import (
    cloudtrail_records,
    record_requests,
    requests_from_cloudtrail,
)
from nitro_workflow.policy.decide.request import (
    ATTESTATION_PREFIX,
    Request,
    RequestContext,
    pcr_values,
)
from nitro_workflow.policy.decide.request_files import (
    check_arns,
    parse_grants,
    parse_measurements,
    parse_requests,
    with_document,
)
from nitro_workflow.policy.decide.services import always_allows, never_allows

__all__ = [
    "ATTESTATION_PREFIX",
    "AuthorizationDetails",
    "Deciding",
    "Decision",
    "Effect",
    "Grant",
    "Policies",
    "Request",
    "RequestContext",
    "Situation",
    "always_allows",
    "check_arns",
    "cloudtrail_records",
    "denial_text",
    "evaluate",
    "lacking_allows",
    "never_allows",
    "parse_authorization",
    "parse_grants",
    "parse_measurements",
    "parse_requests",
    "pcr_values",
    "record_requests",
    "requests_from_cloudtrail",
    "with_document",
]
