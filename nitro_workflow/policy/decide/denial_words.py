"""A refusal in AWS's words. They name the kind of policy, never the statement or the PCR.

Source: IAM User Guide, "Troubleshoot access denied error messages"; KMS's own, as public reports of
attested calls that were refused print them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from nitro_workflow.policy.decide.evaluate import Decision

__all__ = ["denial_text"]

_KIND_WORDS: Final[Mapping[str, str]] = {
    "resource": "resource-based policy",
    "identity": "identity-based policy",
    "boundary": "permissions boundary",
    "session": "session policy",
}


def denial_text(principal: str, action: str, resource: str, decision: Decision) -> str:
    """Return AWS's sentence; ``principal`` and ``resource`` are ARNs."""
    text = f"User: {principal} is not authorized to perform: {action} on resource: {resource}"
    if decision.effect == "explicitDeny":
        role = getattr(decision.deciding[0], "role", "resource")
        word = _KIND_WORDS.get(role, "policy")
        article = "an" if word[0] in "aeiou" else "a"
        return f"{text} with an explicit deny in {article} {word}"
    word = _KIND_WORDS.get(decision.lacking[0], "policy")
    return f"{text} because no {word} allows the {action} action"
