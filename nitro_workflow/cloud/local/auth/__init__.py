"""Who makes a request: Signature Version 4, access keys, session tokens, IAM's records.

`read_claim` says what a request claims of itself, `identify` whose key that is, `prove` whether the
signature holds; `fault_of` puts a refusal into the service's own words.

>>> from nitro_workflow.cloud.local.protocol import RawRequest
>>> read_claim(RawRequest("GET", "/bucket/key", "", {"host": "localhost"})) is None
True
>>> fault_of(SignatureFault("unknown_key", "no such key"), "rest-xml").code
'InvalidAccessKeyId'
"""

from __future__ import annotations

from nitro_workflow.cloud.local.auth.authenticate import Claimed, fault_of, identify, prove
from nitro_workflow.cloud.local.auth.identities import (
    SCHEMA,
    identity_documents,
    new_id,
    principal_exists,
)
from nitro_workflow.cloud.local.auth.session_tokens import Session, make_session, new_secret
from nitro_workflow.cloud.local.auth.sigv4 import (
    UNSIGNED,
    Claim,
    SignatureFault,
    read_claim,
    signing_key,
)

__all__ = [
    "SCHEMA",
    "UNSIGNED",
    "Claim",
    "Claimed",
    "Session",
    "SignatureFault",
    "fault_of",
    "identify",
    "identity_documents",
    "make_session",
    "new_id",
    "new_secret",
    "principal_exists",
    "prove",
    "read_claim",
    "signing_key",
]
