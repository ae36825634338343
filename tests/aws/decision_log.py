"""Every decision of a stand-in, whole: so that it can be taken again without one permission.

The stand-in's cloud is another process; a `sitecustomize` on its PYTHONPATH, put there by the test,
has its gate write each request with the policy of what it asks for.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from unittest import mock

from nitro_workflow.lab.processes import background
from nitro_workflow.policy import (
    Policies,
    Principal,
    Request,
    RequestContext,
    evaluate,
    parse_policy,
)

__all__ = ["Asked", "decisions_of", "logged_decisions"]

_WRITER = """
import json, os, sys
if "cloud" in sys.orig_argv or any("serve" in word for word in sys.orig_argv):
    from nitro_workflow.cloud.local.gate import decision_gate
    decide = decision_gate.Gate._decide

    def written(gate, call, request, policies):
        decision = decide(gate, call, request, policies)
        line = {
            "operation": call.operation, "effect": decision.effect,
            "principal": call.caller.arn, "role": call.caller.entity_arn or "",
            "action": request.action, "resource": request.resource,
            "account": request.resource_account,
            "context": {name: list(value) for name, value in request.context.values.items()},
            "policy": policies.resource.to_json() if policies.resource else None,
            "grants": len(policies.grants),
        }
        file = os.open(os.environ["NITRO_DECISIONS"], os.O_WRONLY | os.O_APPEND)
        os.write(file, (json.dumps(line) + chr(10)).encode())  # at once: other threads write, too
        os.close(file)
        return decision

    decision_gate.Gate._decide = written
"""


@dataclass(frozen=True)
class Asked:
    """One request that a role made, and the step in which it was made."""

    step: str
    role: str
    operation: str
    effect: str
    request: Request = field(repr=False)
    resource: Any = field(repr=False)

    def knowing(self, **more: str) -> Asked:
        """Return the request with these condition keys where the stand-in gave none."""
        known = {name.lower(): value for name, value in more.items()}
        context = RequestContext.what_if({**known, **self.request.context.values})
        return replace(self, request=replace(self.request, context=context))

    def allowed_by(self, identity: Any) -> bool:
        """Tell what our evaluator says with this identity policy in the role's place."""
        policies = Policies(resource=self.resource, identity=(identity,))
        return evaluate(self.request, policies).allowed


@contextlib.contextmanager
def logged_decisions(folder: Path) -> Iterator[Path]:
    """Have clouds that start in this block write their decisions; yield the file."""
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(_WRITER)
    file = folder / "decisions.jsonl"
    file.touch()
    real = background.isolated_environment

    def environment() -> dict[str, str]:
        return {**real(), "PYTHONPATH": str(folder), "NITRO_DECISIONS": str(file)}

    with mock.patch.object(background, "isolated_environment", environment):
        yield file


def decisions_of(file: Path) -> Iterator[Asked]:
    """Yield the requests in order; lines ``{"step": …}``, written by the test, say which step."""
    step = ""
    for text in file.read_text().splitlines():
        line = json.loads(text)
        if "step" in line:
            step = line["step"]
            continue
        if not line["role"]:
            continue
        request = Request(
            Principal.parse(line["principal"], role_arn=line["role"]),
            line["action"],
            line["resource"],
            line["account"],
            RequestContext.what_if(line["context"]),
        )
        kind = "trust" if line["action"].startswith("sts:") else "resource"
        resource = parse_policy(json.dumps(line["policy"]), kind=kind) if line["policy"] else None
        assert not line["grants"], "a decision that rests on a grant cannot be taken again here"
        yield Asked(step, line["role"], line["operation"], line["effect"], request, resource)
