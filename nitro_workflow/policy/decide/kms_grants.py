"""KMS grants: permissions beside the key policy, with constraints on the encryption context.

Source: the KMS guide's grants and create-grant-overview pages, CreateGrant's API reference.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from nitro_workflow.errors import PolicyError
from nitro_workflow.policy.language import Grip, Principal, PrincipalElement

__all__ = ["GRANT_OPERATIONS", "Grant"]

GRANT_OPERATIONS = (
    "CreateGrant", "Decrypt", "DeriveSharedSecret", "DescribeKey", "Encrypt", "GenerateDataKey",
    "GenerateDataKeyPair", "GenerateDataKeyPairWithoutPlaintext", "GenerateDataKeyWithoutPlaintext",
    "GenerateMac", "GetPublicKey", "ReEncryptFrom", "ReEncryptTo", "RetireGrant", "Sign", "Verify",
    "VerifyMac",
)  # fmt: skip
_CONTEXT_PREFIX = "kms:encryptioncontext:"


@dataclass(frozen=True, slots=True)
class Grant:
    """One grant on the key of the request.

    ``equals`` and ``subset`` are its constraints on the encryption context, None where it has none.
    """

    grantee: str
    operations: tuple[str, ...]
    grant_id: str = ""
    name: str = ""
    equals: Mapping[str, str] | None = None
    subset: Mapping[str, str] | None = None
    _folded: frozenset[str] = field(init=False, compare=False, repr=False)
    element: PrincipalElement = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        unknown = [name for name in self.operations if name not in GRANT_OPERATIONS]
        if unknown or not self.operations:
            raise PolicyError(
                f"the grant operation {unknown[0]!r}" if unknown else "no operations",
                expected=", ".join(GRANT_OPERATIONS),
                where="grant",
            )
        folded = frozenset(f"kms:{name}".lower() for name in self.operations)
        service = self.grantee.endswith(".amazonaws.com")
        element = PrincipalElement((("Service" if service else "AWS", self.grantee),))
        object.__setattr__(self, "_folded", folded)
        object.__setattr__(self, "element", element)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Grant:
        """Read an entry of ListGrants' answer."""
        constraints = value.get("Constraints") or {}
        return cls(
            value.get("GranteePrincipal", ""),
            tuple(value.get("Operations") or ()),
            value.get("GrantId", ""),
            value.get("Name", ""),
            constraints.get("EncryptionContextEquals"),
            constraints.get("EncryptionContextSubset"),
        )

    def covers(self, action: str) -> bool:
        """Say whether the grant is for an action, given in lower case."""
        return action in self._folded

    def names(self, principal: Principal) -> Grip:
        """Return how the grant holds the caller, whatever they ask for."""
        return self.element.grip(principal)

    def grip(self, principal: Principal, action: str, context: Mapping[str, Sequence[str]]) -> Grip:
        """Return how the grant holds the caller for an action given in lower case."""
        if not self.covers(action) or not self._constraints_hold(context):
            return Grip.NONE
        return self.names(principal)

    def _constraints_hold(self, context: Mapping[str, Sequence[str]]) -> bool:
        found = {
            key[len(_CONTEXT_PREFIX) :]: values[0]
            for key, values in context.items()
            if key.startswith(_CONTEXT_PREFIX) and values
        }
        if self.equals is not None and found != _folded_keys(self.equals):
            return False
        return self.subset is None or _folded_keys(self.subset).items() <= found.items()

    @property
    def label(self) -> str:
        """How a person finds it."""
        return f"grant “{self.name}”" if self.name else f"grant {self.grant_id or 'without id'}"

    def to_json(self) -> dict[str, Any]:
        """Return ``{"grant", "grantee", "operations", "constraints"}``."""
        constraints = {
            "EncryptionContextEquals": self.equals,
            "EncryptionContextSubset": self.subset,
        }
        return {
            "grant": self.grant_id,
            "grantee": self.grantee,
            "operations": list(self.operations),
            "constraints": {key: dict(v) for key, v in constraints.items() if v is not None},
        }


def _folded_keys(pairs: Mapping[str, str]) -> dict[str, str]:
    # Condition keys ignore case, so a request's context has lost the case of its names here.
    return {key.lower(): value for key, value in pairs.items()}
