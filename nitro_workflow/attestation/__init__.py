"""What does this document say, and should I believe it? Nitro attestation documents.

`parse_document` reads without trust; `Verifier` believes documents of one root, at a time that is
given; `Verifier.explain` reports every check. `ChannelVerifier` is for services without KMS,
`expectations` reads PCRs from policies and JSON, `issue` makes documents as a hypervisor does.

>>> from datetime import UTC, datetime
>>> from nitro_workflow.attestation import Verifier, exactly
>>> from nitro_workflow.attestation.issue import HypervisorPki
>>> now = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
>>> pki = HypervisorPki.create(now)
>>> module = "i-0123456789abcdef0-enc0123456789abcdef"
>>> document = pki.instance("i-0123456789abcdef0", now).issue(
...     module_id=module, pcrs={0: bytes([1]) * 48}, nonce=b"caller's nonce", now=now
... )
>>> verifier = Verifier.local(pki.root_der)
>>> verified = verifier.verify(
...     document, at=now, nonce=b"caller's nonce", pcrs=exactly({0: bytes([1]) * 48}, "release 1")
... )
>>> verified.matched, verified.document.instance_id
('release 1', 'i-0123456789abcdef0')
>>> Verifier.aws().explain(document, at=now).failed
('root',)
"""

from __future__ import annotations

from nitro_workflow.attestation.channel import (
    ChannelVerifier,
    bound_to_public_key,
    bound_to_user_data,
    channel_digest,
)
from nitro_workflow.attestation.document import AttestationDocument, FieldSpan
from nitro_workflow.attestation.inputs import decode_input
from nitro_workflow.attestation.parse import Reading, parse_document
from nitro_workflow.attestation.pcrs import (
    PcrExpectation,
    all_of,
    any_of,
    exactly,
    one_of_values,
    pcr3,
    pcr4,
    pcr8,
)
from nitro_workflow.attestation.roots import AWS_ROOT_FINGERPRINT, aws_root
from nitro_workflow.attestation.verification_report import Report, StepOutcome, VerifiedAttestation
from nitro_workflow.attestation.verification_steps import STEPS
from nitro_workflow.attestation.verify import Verifier

__all__ = [
    "AWS_ROOT_FINGERPRINT",
    "STEPS",
    "AttestationDocument",
    "ChannelVerifier",
    "FieldSpan",
    "PcrExpectation",
    "Reading",
    "Report",
    "StepOutcome",
    "VerifiedAttestation",
    "Verifier",
    "all_of",
    "any_of",
    "aws_root",
    "bound_to_public_key",
    "bound_to_user_data",
    "channel_digest",
    "decode_input",
    "exactly",
    "one_of_values",
    "parse_document",
    "pcr3",
    "pcr4",
    "pcr8",
]
