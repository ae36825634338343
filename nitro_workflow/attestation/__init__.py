"""What does this document say, and should I believe it? Nitro attestation documents.

`parse_document` reads without trust; `Verifier` believes documents of one root, at a time that is
given; `Verifier.explain` reports every check. `ChannelVerifier` is for services without KMS,
`from_key_policy` and `from_measurements` read expected PCRs, `HypervisorPki` makes documents as a
hypervisor does, `build_pack` those that verifiers are tested with. Names are imported when they are
used.

>>> from datetime import UTC, datetime
>>> from nitro_workflow.attestation import Expected, HypervisorPki, Verifier, exactly
>>> now = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
>>> pki = HypervisorPki.create(now)
>>> module = "i-0123456789abcdef0-enc0123456789abcdef"
>>> document = pki.instance("i-0123456789abcdef0", now).issue(
...     module_id=module, pcrs={0: bytes([1]) * 48}, nonce=b"caller's nonce", now=now
... )
>>> verifier = Verifier.local(pki.root_der)
>>> expected = Expected(nonce=b"caller's nonce", pcrs=exactly({0: bytes([1]) * 48}, "release 1"))
>>> verified = verifier.verify(document, at=now, expected=expected)
>>> verified.matched, verified.document.instance_id
('release 1', 'i-0123456789abcdef0')
>>> Verifier.aws().explain(document, at=now).failed
('root',)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nitro_workflow.lazy import lazy_names

if TYPE_CHECKING:
    from nitro_workflow.attestation.certificate import CertificateRecord, parse_certificate
    from nitro_workflow.attestation.channel import (
        ChannelVerifier,
        bound_to_public_key,
        bound_to_user_data,
        channel_digest,
    )
    from nitro_workflow.attestation.document import (
        AttestationDocument,
        FieldSpan,
    )
    from nitro_workflow.attestation.document_text import (
        fields_json,
        plain,
        render_document,
        render_report,
        render_row,
    )
    from nitro_workflow.attestation.expectations import (
        Expected,
        from_key_policy,
        from_measurements,
        parse_pcr,
    )
    from nitro_workflow.attestation.inputs import (
        MAX_INPUT_BYTES,
        decode_input,
    )
    from nitro_workflow.attestation.issue import (
        HypervisorPki,
        InstanceIssuer,
    )
    from nitro_workflow.attestation.pack import (
        PUBLISHED_AT,
        PackDocument,
        build_pack,
        pack_files,
    )
    from nitro_workflow.attestation.parse import (
        Reading,
        parse_document,
    )
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
    from nitro_workflow.attestation.roots import (
        AWS_ROOT_FINGERPRINT,
        aws_root,
        parse_root,
    )
    from nitro_workflow.attestation.verification_report import (
        Report,
        StepOutcome,
        VerifiedAttestation,
    )
    from nitro_workflow.attestation.verification_steps import (
        STEPS,
    )
    from nitro_workflow.attestation.verify import (
        At,
        Verifier,
    )

_HOMES = {
    "AWS_ROOT_FINGERPRINT": "roots",
    "MAX_INPUT_BYTES": "inputs",
    "PUBLISHED_AT": "pack",
    "STEPS": "verification_steps",
    "At": "verify",
    "AttestationDocument": "document",
    "CertificateRecord": "certificate",
    "ChannelVerifier": "channel",
    "Expected": "expectations",
    "FieldSpan": "document",
    "HypervisorPki": "issue",
    "InstanceIssuer": "issue",
    "PackDocument": "pack",
    "PcrExpectation": "pcrs",
    "Reading": "parse",
    "Report": "verification_report",
    "StepOutcome": "verification_report",
    "VerifiedAttestation": "verification_report",
    "Verifier": "verify",
    "all_of": "pcrs",
    "any_of": "pcrs",
    "aws_root": "roots",
    "bound_to_public_key": "channel",
    "bound_to_user_data": "channel",
    "build_pack": "pack",
    "channel_digest": "channel",
    "decode_input": "inputs",
    "exactly": "pcrs",
    "fields_json": "document_text",
    "from_key_policy": "expectations",
    "from_measurements": "expectations",
    "one_of_values": "pcrs",
    "pack_files": "pack",
    "parse_certificate": "certificate",
    "parse_document": "parse",
    "parse_pcr": "expectations",
    "parse_root": "roots",
    "pcr3": "pcrs",
    "pcr4": "pcrs",
    "pcr8": "pcrs",
    "plain": "document_text",
    "render_document": "document_text",
    "render_report": "document_text",
    "render_row": "document_text",
}

__all__ = [
    "AWS_ROOT_FINGERPRINT",
    "MAX_INPUT_BYTES",
    "PUBLISHED_AT",
    "STEPS",
    "At",
    "AttestationDocument",
    "CertificateRecord",
    "ChannelVerifier",
    "Expected",
    "FieldSpan",
    "HypervisorPki",
    "InstanceIssuer",
    "PackDocument",
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
    "build_pack",
    "channel_digest",
    "decode_input",
    "exactly",
    "fields_json",
    "from_key_policy",
    "from_measurements",
    "one_of_values",
    "pack_files",
    "parse_certificate",
    "parse_document",
    "parse_pcr",
    "parse_root",
    "pcr3",
    "pcr4",
    "pcr8",
    "plain",
    "render_document",
    "render_report",
    "render_row",
]

__getattr__ = lazy_names(__name__, _HOMES)
