"""The language of policies: reading it, and what each element, operator and variable means.

>>> from nitro_workflow.policy.language import Principal, parse_policy
>>> policy = parse_policy({"Statement": {
...     "Effect": "Allow", "Principal": {"AWS": "111122223333"}, "Action": "kms:*",
...     "Resource": "*"}})
>>> policy.statements[0].actions.matches("kms:decrypt")
True
>>> policy.statements[0].principal.grip(Principal.parse("arn:aws:iam::111122223333:user/alice"))
<Grip.ACCOUNT: 1>
"""

from __future__ import annotations

from nitro_workflow.policy.language.attestation_keys import (
    FEEDS,
    HEX_LENGTH,
    PcrKey,
    feeds,
    parse_key,
)
from nitro_workflow.policy.language.conditions import Condition
from nitro_workflow.policy.language.grammar import parse_policy, parse_policy_leniently
from nitro_workflow.policy.language.json_reading import read_json
from nitro_workflow.policy.language.operators import parse_date, parse_network, parse_number
from nitro_workflow.policy.language.placeholders import fill_placeholders, is_placeholder
from nitro_workflow.policy.language.policy_document import KINDS, Policy, PolicyKind, Statement
from nitro_workflow.policy.language.policy_sources import PolicySource, find_policies
from nitro_workflow.policy.language.principals import (
    Grip,
    Principal,
    PrincipalElement,
    PrincipalKind,
    is_unique_id,
)
from nitro_workflow.policy.language.targets import ActionElement
from nitro_workflow.policy.language.variables import Template
from nitro_workflow.policy.language.wildcard import (
    ANY,
    ANY_SEGMENT,
    ONE,
    ONE_SEGMENT,
    Glob,
    literal,
    mark,
)

__all__ = [
    "ANY",
    "ANY_SEGMENT",
    "FEEDS",
    "HEX_LENGTH",
    "KINDS",
    "ONE",
    "ONE_SEGMENT",
    "ActionElement",
    "Condition",
    "Glob",
    "Grip",
    "PcrKey",
    "Policy",
    "PolicyKind",
    "PolicySource",
    "Principal",
    "PrincipalElement",
    "PrincipalKind",
    "Statement",
    "Template",
    "feeds",
    "fill_placeholders",
    "find_policies",
    "is_placeholder",
    "is_unique_id",
    "literal",
    "mark",
    "parse_date",
    "parse_key",
    "parse_network",
    "parse_number",
    "parse_policy",
    "parse_policy_leniently",
    "read_json",
]
