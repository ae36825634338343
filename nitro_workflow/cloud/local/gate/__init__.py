"""May this caller do this? One gate for all services, and the record of what it decided.

`Gate` asks `policy` and refuses in AWS's words, `EventLog` keeps one CloudTrail-shaped record a
call, `find_events` looks records up.

>>> statement = '{"Effect": "Deny", "Action": "kms:Decrypt", "Resource": "*"}'
>>> text = '{"Version": "2012-10-17", "Statement": [' + statement + "]}"
>>> parse_cached(text, "identity") is parse_cached(text, "identity")
True
"""

from __future__ import annotations

from nitro_workflow.cloud.local.gate.decision_gate import Gate
from nitro_workflow.cloud.local.gate.decision_records import make_event
from nitro_workflow.cloud.local.gate.departed_principals import (
    Departed,
    name_by_id,
    unknown_principal,
)
from nitro_workflow.cloud.local.gate.policy_cache import check_policy, parse_cached
from nitro_workflow.cloud.local.gate.record_log import EventLog
from nitro_workflow.cloud.local.gate.record_rows import SCHEMA, EventQuery, find_events, upgrade

__all__ = [
    "SCHEMA",
    "Departed",
    "EventLog",
    "EventQuery",
    "Gate",
    "check_policy",
    "find_events",
    "make_event",
    "name_by_id",
    "parse_cached",
    "unknown_principal",
    "upgrade",
]
