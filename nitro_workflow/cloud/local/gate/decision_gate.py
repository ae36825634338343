"""The gate: may this caller do this? One door for all services; `policy` decides.

The gate gathers the policies that bear on the request, asks `policy.evaluate`, leaves the decision
with its explanation in the call's trail, and refuses in AWS's words.

Source: AWS IAM User Guide, "Troubleshoot access denied error messages".
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from nitro_workflow.cloud.local.auth import identity_documents
from nitro_workflow.cloud.local.call import Call, Caller, Decided, ServiceFault
from nitro_workflow.cloud.local.gate.explanations import Explainer
from nitro_workflow.cloud.local.gate.policy_cache import parse_cached
from nitro_workflow.cloud.local.protocol import write_time
from nitro_workflow.cloud.local.store import Store

if TYPE_CHECKING:
    from nitro_workflow.attestation import AttestationDocument, VerifiedAttestation
    from nitro_workflow.policy import Decision, Grant, Policies, Policy, Request

__all__ = ["Gate"]

Values = Mapping[str, str | Sequence[str]]
# What AWS's own side may do without a policy: the hypervisor reads the record of its instance.
_SERVICE_MAY = {"ec2.amazonaws.com": frozenset({"ec2:DescribeInstances", "iam:GetInstanceProfile"})}
_CODES = {
    "kms": ("AccessDeniedException", 400),
    "cloudtrail": ("AccessDeniedException", 400),
    "servicequotas": ("AccessDeniedException", 400),
    "ssm": ("AccessDeniedException", 400),
    "ec2": ("UnauthorizedOperation", 403),
}
# AWS KMS Developer Guide, "CloudTrail events for attested requests": PCR0 has its own name.
_RECIPIENT = {0: "attestationDocumentEnclaveImageDigest"} | {
    index: f"attestationDocumentEnclavePCR{index}" for index in (1, 2, 3, 4, 8)
}


@dataclass(frozen=True, slots=True)
class Gate:
    """Decides for all services, from what IAM's records say of the caller."""

    store: Store
    explainer: Explainer = field(default_factory=Explainer)

    def parse(self, text: str, kind: str) -> Policy:
        """Return the parsed policy, as `parse_cached`."""
        return parse_cached(text, kind)

    def authorize(
        self,
        call: Call,
        action: str,
        resource: str,
        *,
        resource_account: str,
        resource_policy: Policy | None = None,
        grants: Sequence[Grant] = (),
        context: Values | None = None,
        attestation: VerifiedAttestation | None = None,
    ) -> None:
        """Return where the caller may, and record the decision either way.

        `attestation` is a document that was verified: its PCRs become condition keys and the
        record's ``recipient``.

        Raises `ServiceFault`: the service's access-denied code with AWS's text.
        """
        _name_resource(call, resource, resource_account)
        if attestation is not None:
            call.trail.recipient.update(recipient_of(attestation.document))
        if call.caller.is_service and action in _SERVICE_MAY.get(call.caller.arn, ()):
            call.trail.decisions.append(_service_decision(action, resource))
            return
        request = _request(call, action, resource, resource_account, context or {}, attestation)
        policies = self._policies(call.caller, resource_policy, grants)
        decision = self._decide(call, request, policies)
        if not decision.allowed:
            from nitro_workflow.policy import denial_text

            code, status = _CODES.get(call.service, ("AccessDenied", 403))
            text = denial_text(call.caller.arn, action, resource, decision)
            raise ServiceFault(code, _in_words_of(call.service, text, resource), status)

    def would_allow(
        self,
        call: Call,
        action: str,
        resource: str,
        *,
        resource_account: str,
        resource_policy: Policy | None = None,
        grants: Sequence[Grant] = (),
        context: Values | None = None,
    ) -> bool:
        """Answer the same question without a record: for lock-out checks and what to reveal."""
        from nitro_workflow.policy import evaluate

        request = _request(call, action, resource, resource_account, context or {}, None)
        return evaluate(request, self._policies(call.caller, resource_policy, grants)).allowed

    def _policies(
        self, caller: Caller, resource: Policy | None, grants: Sequence[Grant]
    ) -> Policies:
        from nitro_workflow.policy import Policies

        documents, boundary = self._documents(caller)
        return Policies(
            resource=resource,
            identity=tuple(parse_cached(text, "identity") for text in documents),
            boundary=parse_cached(boundary, "boundary") if boundary else None,
            session=parse_cached(caller.session_policy, "session")
            if caller.session_policy
            else None,
            grants=tuple(grants),
        )

    def _documents(self, caller: Caller) -> tuple[Sequence[str], str | None]:
        """Return the texts of the caller's identity policies, and of its boundary."""
        entity = caller.entity_arn
        return self.store.cached(
            ("policies", entity), lambda db: identity_documents(db, entity), weigh=_weight
        )

    def weight(self, caller: Caller) -> int:
        """Return how many characters of policy have to be looked at for each call of the caller."""
        return _weight(self._documents(caller)) + len(caller.session_policy)

    def _decide(self, call: Call, request: Request, policies: Policies) -> Decision:
        from nitro_workflow.policy import evaluate

        decision = evaluate(request, policies)
        call.trail.decisions.append(_decided(request, policies, decision, self.explainer))
        return decision


def _weight(documents: tuple[Sequence[str], str | None]) -> int:
    texts, boundary = documents
    return sum(map(len, texts)) + len(boundary or "")


def _request(
    call: Call,
    action: str,
    resource: str,
    account: str,
    context: Values,
    attestation: VerifiedAttestation | None,
) -> Request:
    from nitro_workflow.policy import Principal, Request, RequestContext

    caller = call.caller
    principal = Principal.parse(caller.arn, role_arn=caller.entity_arn or None)
    values: dict[str, str | Sequence[str]] = {
        "aws:CurrentTime": write_time(call.now, "iso8601"),
        "aws:RequestedRegion": call.region,
        "aws:EpochTime": write_time(call.now, "unixTimestamp"),
        "aws:SecureTransport": "true" if call.secure else "false",
        "aws:SourceIp": call.source_ip or "127.0.0.1",
        "aws:UserAgent": call.user_agent,
        "aws:userid": caller.principal_id,
        **{f"aws:PrincipalTag/{key}": value for key, value in caller.tags.items()},
        **context,
    }
    verified = RequestContext.from_verified(values, attestation)
    return Request(principal, action, resource, account, verified)


def _decided(
    request: Request, policies: Policies, decision: Decision, explainer: Explainer
) -> Decided:
    record: dict[str, Any] = {
        "decision": decision.effect,
        "action": request.action,
        "resource": request.resource,
        "deciding": [item.to_json() for item in decision.deciding],
        "basis": request.context.basis,
    }
    # An ordinary call is allowed again and again for the same reason: its statements are enough.
    # What was refused, and what was attested, is explained in full.
    if decision.allowed and not request.context.attested:
        return Decided(record, lambda: {"summary": f"allowed by {_named(decision)}"})
    return Decided(record, lambda: explainer.explain(request, policies).fields())


def _named(decision: Decision) -> str:
    names = []
    for item in decision.deciding:
        fields = item.to_json()
        statement = f"{fields.get('policy', 'grant')}, statement {fields.get('statement', '-')}"
        names.append(f"grant {item.grant_id}" if hasattr(item, "grant_id") else statement)
    return "; ".join(names) or "being the account's root"


def _service_decision(action: str, resource: str) -> Decided:
    summary = "AWS's own side reads the record of its instance"
    record = {"decision": "allowed", "action": action, "resource": resource, "summary": summary}
    return Decided(record)


def _name_resource(call: Call, arn: str, account: str) -> None:
    if arn.startswith("arn:"):
        call.trail.resources.append({"ARN": arn, "accountId": account})


def _in_words_of(service: str, text: str, resource: str) -> str:
    """Return the sentence as EC2 and S3 write it; the other services write it as it is."""
    if service == "ec2":
        return f"You are not authorized to perform this operation. {text}"
    return text.replace(f": {resource}", f': "{resource}"', 1) if service == "s3" else text


def recipient_of(document: AttestationDocument) -> dict[str, str]:
    """Return CloudTrail's ``recipient``: the module and the PCRs, base64 of the raw 48 bytes."""
    fields = {"attestationDocumentModuleId": document.module_id}
    for index, name in _RECIPIENT.items():
        if index in document.pcrs:
            fields[name] = base64.b64encode(document.pcrs[index]).decode()
    return fields
