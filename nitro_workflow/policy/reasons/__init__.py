"""The reasons of a decision: every statement looked at, the nearest one, the cause, what to do.

>>> from nitro_workflow.policy.decide import Policies, Request
>>> from nitro_workflow.policy.language import Principal
>>> from nitro_workflow.policy.reasons import explain, render_explanation
>>> caller = Principal.parse("arn:aws:iam::111122223333:user/alice")
>>> explanation = explain(Request(caller, "s3:GetObject", "arn:aws:s3:::b/x"), Policies())
>>> render_explanation(explanation).splitlines()[0]
'DENIED: nothing allows it (implicitDeny)'
"""

from __future__ import annotations

from nitro_workflow.policy.reasons.cause import Cause
from nitro_workflow.policy.reasons.explanation import Explanation, explain
from nitro_workflow.policy.reasons.explanation_text import render_explanation
from nitro_workflow.policy.reasons.outcomes import StatementCheck, StatementOutcome

__all__ = [
    "Cause",
    "Explanation",
    "StatementCheck",
    "StatementOutcome",
    "explain",
    "render_explanation",
]
