"""Opening a key policy: a request that it lets through, to edit; and who can, as its own view."""

from __future__ import annotations

import json

from nitro_workflow.errors import PolicyError
from nitro_workflow.policy import (
    KEY_ARN,
    Policies,
    Policy,
    Principal,
    Request,
    analyse,
    find_policies,
    parse_policy_leniently,
)
from nitro_workflow.widgets.drawing import Head
from nitro_workflow.widgets.inspectors.policy_inquiry import Inquiry, inquire, make_reach
from nitro_workflow.widgets.inspectors.policy_model import PolicyModel
from nitro_workflow.widgets.opened import Ask, Opened
from nitro_workflow.widgets.recognising import Recognised

__all__ = ["open_policy"]


def open_policy(found: Recognised, _ask: Ask) -> Opened:
    """Return the view of a key policy; ``view.who_can`` is what it lets happen at all."""
    try:
        text = json.dumps(found.value).encode()
        source = find_policies(text, where=found.name or "key policy")[0].policy
        parsed = parse_policy_leniently(source, name="key policy")
    except PolicyError as error:
        return Opened(_unreadable(error))
    asked = _inquiry(parsed)
    related = {"who_can": lambda: Opened(make_reach(parsed))}
    return Opened(asked.model({}), {"decide": asked.answer}, related)


def _inquiry(parsed: Policy) -> Inquiry:
    """Return the plainest request that gets through, as if the callers' own policies allow all."""
    for way in analyse(parsed).ways:
        if way.witness is not None:
            return inquire(way.witness.request, way.witness.policies, example=True)
    owner = Principal.parse(f"arn:aws:iam::{KEY_ARN.split(':')[4]}:root")
    return inquire(Request(owner, "kms:Decrypt", KEY_ARN), Policies(parsed))


def _unreadable(error: PolicyError) -> PolicyModel:
    head = Head("Key policy", f"Not readable as a policy: {error.found}", "bad",
                f"Expected {error.expected}; at {error.where}.", error.next or "")  # fmt: skip
    return PolicyModel(head, (), ())
