"""The sixteen causes to choose from: what each would show, and which evidence tells it apart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

__all__ = ["CAUSES", "Cause"]


@dataclass(frozen=True, slots=True)
class Cause:
    """``means``: the cause in words. ``would``: what one would see. ``command``: where."""

    name: str
    means: str
    would: str
    command: str


_SIXTEEN: Final = (
    Cause(
        "rebuilt-image",
        "the image was built again; the policy has the old PCR0",
        "the PCR0 that runs would be another than the policy's, from the first digit on",
        "nitro-cli describe-eif",
    ),
    Cause(
        "debug-mode",
        "the enclave runs in debug mode",
        "PCR0, PCR1 and PCR2 in the document would be zeros",
        "attestation show",
    ),
    Cause(
        "unsigned-image",
        "the policy asks for PCR8, and the image is not signed",
        "the policy would name PCR8, and the document's PCR8 would be zeros",
        "kms get-key-policy",
    ),
    Cause(
        "wrong-role",
        "the program has another role's credentials",
        "the caller's role would not be the Principal of the Allow",
        "sts get-caller-identity",
    ),
    Cause(
        "capitals",
        "the policy writes a PCR in capitals, under an operator that minds them",
        "the policy would hold A to F under StringEquals",
        "kms get-key-policy",
    ),
    Cause(
        "no-recipient",
        "the request carries no attestation document",
        "the request from the enclave would have no Recipient",
        "client request",
    ),
    Cause(
        "ifexists-deny",
        "a Deny with IfExists was taken for an exception",
        "the Deny's operator would end in IfExists, and the caller would have no enclave",
        "kms get-key-policy",
    ),
    Cause(
        "stale-document",
        "a document was kept, and used again after its time",
        "the document's timestamp would be well before the request's date",
        "attestation show",
    ),
    Cause(
        "skewed-clock",
        "the signer's clock is wrong",
        "KMS would speak of the signature and of three times, not of a policy",
        "date",
    ),
    Cause(
        "wrong-context",
        "the request names another encryption context than the data were bound to",
        "the context of the request would differ from that of GenerateDataKey",
        "cloudtrail generate-data-key",
    ),
    Cause(
        "swapped-envelope",
        "the answer is opened with a key that was not in its document",
        "KMS would have answered 200, and the envelope would name another key than the opener",
        "envelope show",
    ),
    Cause(
        "two-denys",
        "two Denys, of which one always applies",
        "the policy would hold two Denys that want different values of one PCR",
        "kms get-key-policy",
    ),
    Cause(
        "misspelt-key",
        "a condition key is misspelt",
        "the policy would hold a key that is not in AWS's list, such as PCR00",
        "kms get-key-policy",
    ),
    Cause(
        "other-key",
        "the request names another KMS key",
        "KeyId in the request would not be the key whose policy you read",
        "client request",
    ),
    Cause(
        "no-iam-permission",
        "the role's own IAM policy does not allow kms:Decrypt",
        "the message would say: because no identity-based policy allows",
        "sts get-caller-identity",
    ),
    Cause(
        "expired-credentials",
        "the role's temporary credentials have run out",
        "the code would be ExpiredTokenException, before any policy is looked at",
        "sts get-caller-identity",
    ),
)

CAUSES: Final[Mapping[str, Cause]] = {one.name: one for one in _SIXTEEN}
"""Name → cause; a case has one of twelve of them."""
