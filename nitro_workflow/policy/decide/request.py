"""The question: who wants to do what to which resource, and in which circumstances.

A context that speaks of attestation has two constructors and no third:
`RequestContext.from_verified` takes the PCRs from a document that was verified,
`RequestContext.what_if` takes whatever the asker says. The answer tells which it rests on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from nitro_workflow.errors import PolicyError
from nitro_workflow.policy.language import Principal, PrincipalKind

if TYPE_CHECKING:
    from nitro_workflow.attestation import AttestationDocument, VerifiedAttestation

__all__ = ["ATTESTATION_PREFIX", "Request", "RequestContext", "pcr_values"]

ATTESTATION_PREFIX = "kms:recipientattestation:"
IMAGE_KEY = "kms:RecipientAttestation:ImageSha384"
Basis = Literal["verified", "what-if"]
Values = Mapping[str, "str | bool | int | float | Sequence[str]"]


def pcr_values(document: AttestationDocument) -> dict[str, str]:
    """Return the condition keys that KMS fills from a document: lower-case hexadecimal PCRs.

    An enclave's give `ImageSha384` (PCR0) and `PCR<n>`, a NitroTPM's give `NitroTPMPCR<n>`.
    Source: conditions-attestation of the KMS guide (docs/reference/formats.md, Condition keys).
    """
    if document.kind == "nitrotpm":
        return {
            f"kms:RecipientAttestation:NitroTPMPCR{i}": v.hex() for i, v in document.pcrs.items()
        }
    values = {f"kms:RecipientAttestation:PCR{i}": v.hex() for i, v in document.pcrs.items()}
    if 0 in document.pcrs:
        values[IMAGE_KEY] = document.pcrs[0].hex()
    return values


@dataclass(frozen=True, slots=True)
class RequestContext:
    """The condition keys of a request. ``values`` maps keys in lower case to lists of strings.

    ``names`` keeps each key as it was written; ``basis`` is where the attestation keys come from.
    """

    values: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict, compare=False)
    basis: Basis = "what-if"
    attested: bool = False
    document: AttestationDocument | None = field(default=None, compare=False, repr=False)

    @classmethod
    def from_verified(
        cls, values: Values, attestation: VerifiedAttestation | None
    ) -> RequestContext:
        """Take the attestation keys from a verified document; None means: the request had none.

        Raises `PolicyError` when ``values`` speaks of attestation itself, or when ``attestation``
        is not what `Verifier.verify` returns.
        """
        spoken = [key for key in values if key.lower().startswith(ATTESTATION_PREFIX)]
        if spoken:
            raise PolicyError(
                f"{spoken[0]} among the plain values",
                expected="attestation keys only from a verified document",
                where="RequestContext.from_verified",
                next="give the VerifiedAttestation; for a question use RequestContext.what_if",
            )
        if attestation is None:
            return _context(values, "verified")
        from nitro_workflow.attestation import VerifiedAttestation

        if not isinstance(attestation, VerifiedAttestation):
            raise PolicyError(
                f"a {type(attestation).__name__}",
                expected="a VerifiedAttestation",
                where="RequestContext.from_verified",
                next="verify the document first: Verifier.aws().verify(…)",
            )
        document = attestation.document
        return _context({**values, **pcr_values(document)}, "verified", document)

    @classmethod
    def what_if(
        cls, values: Values, *, document: AttestationDocument | None = None
    ) -> RequestContext:
        """Take every key as given, and the PCRs of a document that nobody verified.

        >>> RequestContext.what_if({"aws:SecureTransport": True}).values
        {'aws:securetransport': ('true',)}
        """
        extra = pcr_values(document) if document is not None else {}
        return _context({**values, **extra}, "what-if", document)


def _context(
    values: Mapping[str, Any], basis: Basis, document: AttestationDocument | None = None
) -> RequestContext:
    folded: dict[str, tuple[str, ...]] = {}
    names: dict[str, str] = {}
    for key, value in values.items():
        lower = key.lower()
        if lower in folded:
            raise PolicyError(
                f"the key {key!r} twice",
                expected="each key once, whatever its case",
                where="context",
            )
        folded[lower] = (value,) if isinstance(value, str) else _texts(key, value)
        names[lower] = key
    attested = any(key.startswith(ATTESTATION_PREFIX) for key in folded)
    return RequestContext(folded, names, basis, attested, document)


def _texts(key: str, value: Any) -> tuple[str, ...]:
    listed = value if isinstance(value, list | tuple | set | frozenset) else (value,)
    return tuple(_text(key, entry) for entry in listed)


def _text(key: str, value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    raise PolicyError(
        f"a {type(value).__name__}",
        expected="a string, or a list of strings",
        where=f"context, {key}",
        next='write the value as in {"aws:SourceIp": ["203.0.113.7"]}',
    )


@dataclass(frozen=True, slots=True)
class Request:
    """One request. ``resource_account`` owns the resource where its ARN names no account (S3).

    Where neither says it, the resource is the caller's own.
    """

    principal: Principal
    action: str
    resource: str
    resource_account: str = ""
    context: RequestContext = field(default_factory=RequestContext)

    def __post_init__(self) -> None:
        service, colon, operation = self.action.partition(":")
        if not (service and colon and operation) or set("*?") & set(self.action):
            raise PolicyError(
                f"the action {self.action!r}",
                expected='one action, such as "kms:Decrypt"',
                where="action",
            )
        if not self.resource:
            raise PolicyError("no resource", expected='an ARN, or "*"', where="resource")

    @classmethod
    def from_json(cls, value: Any) -> Request:
        """Read ``{"principal", "action", "resource", "resource_account"?, "context"?}``.

        Raises `PolicyError` for missing or unknown members.
        """
        if not isinstance(value, Mapping):
            raise PolicyError(type(value).__name__, expected="a request object", where="request")
        known = ("principal", "action", "resource", "resource_account", "context")
        for name in value:
            if name not in known:
                raise PolicyError(
                    f"the member {name!r}", expected=", ".join(known), where="request"
                )
        for name in known[:4]:
            if not isinstance(value.get(name, "" if name == "resource_account" else None), str):
                found = f"no {name}" if name not in value else repr(value[name])
                raise PolicyError(found, expected="a string", where=f"request, {name}")
        context = value.get("context") or {}
        if not isinstance(context, Mapping):
            raise PolicyError(repr(context), expected="an object", where="request, context")
        return cls(
            Principal.parse(value["principal"]),
            value["action"],
            value["resource"],
            value.get("resource_account", ""),
            RequestContext.what_if(context),
        )

    @property
    def owner(self) -> str:
        """The account that owns the resource."""
        parts = self.resource.split(":", 5)
        account = parts[4] if len(parts) == 6 and parts[0] == "arn" else ""
        return account or self.resource_account or self.principal.account or ""

    def derived_context(self) -> dict[str, tuple[str, ...]]:
        """Return the context with what AWS itself adds about the caller; given values win.

        Source: reference_policies_condition-keys, "Properties of the principal".
        """
        values = _about(self.principal)
        owner = self.owner
        if owner:
            values["aws:resourceaccount"] = (owner,)
        if self.principal.account and self.action[:4].lower() == "kms:":
            values["kms:calleraccount"] = (self.principal.account,)
        values.update(self.context.values)
        return values


_TYPES = {
    PrincipalKind.USER: "User",
    PrincipalKind.ROLE: "AssumedRole",
    PrincipalKind.ASSUMED_ROLE: "AssumedRole",
    PrincipalKind.FEDERATED_USER: "FederatedUser",
    PrincipalKind.ROOT: "Account",
    PrincipalKind.ANONYMOUS: "Anonymous",
}


def _about(principal: Principal) -> dict[str, tuple[str, ...]]:
    values: dict[str, tuple[str, ...]] = {}
    kind = principal.kind
    if kind in _TYPES:
        values["aws:principaltype"] = (_TYPES[kind],)
    if kind is PrincipalKind.SERVICE:
        values["aws:principalisawsservice"] = ("true",)
        values["aws:principalservicename"] = (principal.arn,)
        return values
    if kind is PrincipalKind.ANONYMOUS:
        values["aws:userid"] = ("anonymous",)
    if kind in (PrincipalKind.ANONYMOUS, PrincipalKind.IDENTITY_PROVIDER):
        return values
    values["aws:principalarn"] = (principal.role_arn or principal.arn,)
    values["aws:principalaccount"] = (principal.account or "",)
    values["aws:principalisawsservice"] = ("false",)
    if kind is PrincipalKind.USER:
        values["aws:username"] = (principal.name,)
    elif kind is PrincipalKind.ROOT:
        values["aws:userid"] = (principal.account or "",)
    elif kind is PrincipalKind.FEDERATED_USER:
        values["aws:userid"] = (f"{principal.account}:{principal.name}",)
    return values
