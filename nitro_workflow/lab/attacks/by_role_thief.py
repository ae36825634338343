"""What somebody tries who has taken the instance role's credentials: the administrator always can.

Only the conditions of the key policy, and the verification of the document, stand between them and
the data key.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from nitro_workflow.errors import EnvelopeError, HostError, UntrustedAnswer
from nitro_workflow.lab.attacks.attack import (
    Attack,
    Stopped,
    refused_by_cloud,
    succeeded,
)
from nitro_workflow.lab.evidence import decision_lookup
from nitro_workflow.lab.steps import CONTEXT, start_job

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric import rsa

    from nitro_workflow.lab.workbench import Workbench

__all__ = ["INSTANCE", "fresh_document", "instance_session", "taken_credentials"]

WHO: Final = "whoever has the instance role"

# Runs in the instance: what any program there can read from the metadata service.
_TAKE: Final = """
import json, boto3
keys = boto3.Session().get_credentials().get_frozen_credentials()
print(json.dumps({"access_key_id": keys.access_key, "secret_access_key": keys.secret_key,
                  "session_token": keys.token}))
"""


def taken_credentials(bench: Workbench) -> dict[str, str]:
    """Return the instance role's credentials, read from IMDSv2 inside the instance."""
    instance = bench.produced("P8", "instance_id")
    done = bench.host.run_command(instance, [sys.executable, "-c", _TAKE])
    if done["exit"] != 0:
        raise HostError(
            f"the instance gave no credentials: {done['stderr'][-200:]}",
            expected="the instance role's, from IMDSv2",
            where="parent instance",
            next="run step P8 again",
        )
    return dict(json.loads(done["stdout"]))


def instance_session(bench: Workbench) -> Any:
    """Return a session with the instance role's credentials, as a thief has it."""
    return bench.cloud.session_with(taken_credentials(bench), party="instance")


def fresh_document(bench: Workbench) -> bytes:
    """Return a genuine document of the right enclave that is seconds old: made for a new job."""
    import base64

    said = start_job(bench, "encryption-sdk").evidence("D3")
    return base64.b64decode(said["document"])


def encrypted_key(bench: Workbench) -> bytes:
    """Return the encrypted data key, which the instance gets from the bucket."""
    return (bench.path / "owner" / "data-key.encrypted").read_bytes()


def decrypt(bench: Workbench, by: str, document: bytes | None, **changes: Any) -> Stopped:
    """Ask KMS to decrypt the data key, with the instance role; expects a refusal."""
    kms = instance_session(bench).client("kms")
    parameters = request_for(bench, document) | changes
    return refused_by_cloud(bench, lambda: kms.decrypt(**parameters), by=by, operation="Decrypt")


def request_for(bench: Workbench, document: bytes | None) -> dict[str, Any]:
    """Return Decrypt's parameters; without a document there is no Recipient."""
    recipient = {
        "Recipient": {
            "KeyEncryptionAlgorithm": "RSAES_OAEP_SHA_256",
            "AttestationDocument": document,
        }
    }
    return {
        "KeyId": bench.produced("P1", "key_arn"),
        "CiphertextBlob": encrypted_key(bench),
        "EncryptionContext": dict(CONTEXT),
        **(recipient if document is not None else {}),
    }


@dataclass(frozen=True, slots=True)
class _OwnKey:
    """The attacker's own key pair: what they would have the data key sealed to."""

    private: rsa.RSAPrivateKey
    spki: bytes

    @classmethod
    def make(cls) -> _OwnKey:
        from cryptography.hazmat.primitives.asymmetric import rsa
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

        private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        public = private.public_key()
        return cls(private, public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))


def without_document(bench: Workbench) -> Stopped:
    """Decrypt as the parent would, outside the enclave."""
    return decrypt(bench, "KMS, key policy", None)


def changed_document(bench: Workbench) -> Stopped:
    """Flip one bit of a genuine document, in its PCR0."""
    from nitro_workflow.attestation import parse_document

    genuine = fresh_document(bench)
    place = genuine.index(parse_document(genuine).pcrs[0])
    changed = genuine[:place] + bytes([genuine[place] ^ 1]) + genuine[place + 1 :]
    return decrypt(bench, "KMS, document", changed)


def swapped_key(bench: Workbench) -> Stopped:
    """Put the attacker's public key into a genuine document."""
    from nitro_workflow.attestation import parse_document

    genuine = fresh_document(bench)
    theirs = parse_document(genuine).public_key or b""
    swapped = genuine.replace(theirs, _OwnKey.make().spki)
    if swapped == genuine or len(swapped) != len(genuine):
        raise UntrustedAnswer("no RSA-2048 public key", expected="one", where="the document")
    return decrypt(bench, "KMS, document", swapped)


def other_root(bench: Workbench) -> Stopped:
    """Forge a document with the right PCRs under a root of the attacker's own."""
    from nitro_workflow.attestation import HypervisorPki, parse_document

    genuine = parse_document(fresh_document(bench))
    instance, now = bench.produced("P8", "instance_id"), datetime.now(UTC)
    issuer = HypervisorPki.create(now).instance(instance, now)
    forged = issuer.issue(
        module_id=genuine.module_id,
        pcrs=genuine.pcrs,
        public_key=_OwnKey.make().spki,
        now=now,
    )
    return decrypt(bench, "KMS, document", forged)


def old_document(bench: Workbench) -> Stopped:
    """Use a genuine document after its time: a cloud on a copy of the state allows one second."""
    import time

    document = fresh_document(bench)
    with bench.cloud.with_document_age(1) as copy:
        time.sleep(2.1)
        kms = copy.session_with(taken_credentials(bench), party="instance").client("kms")
        trail = copy.operator(copy.accounts.compute).client("cloudtrail")
        return refused_by_cloud(
            bench,
            lambda: kms.decrypt(**request_for(bench, document)),
            by="KMS, document",
            operation="Decrypt",
            find=lambda operation, wanted: decision_lookup.find_in(
                trail, operation, wanted, copy.trail
            ),
        )


def wrong_context(bench: Workbench) -> Stopped:
    """Name another version of the data set, with a genuine document."""
    context = {**CONTEXT, "version": "2"}
    return decrypt(bench, "KMS, key policy", fresh_document(bench), EncryptionContext=context)


def replayed_request(bench: Workbench) -> Stopped:
    """Send the enclave's request again: KMS answers, for the enclave's key and nobody else's."""
    from nitro_workflow.cms import open_envelope

    kms = instance_session(bench).client("kms")
    answer = kms.decrypt(**request_for(bench, fresh_document(bench)))
    if answer.get("Plaintext"):
        raise succeeded("KMS Decrypt")
    try:
        open_envelope(answer["CiphertextForRecipient"], _OwnKey.make().private)
    except EnvelopeError as error:
        return Stopped(
            "useless",
            "the envelope",
            f"KMS answered; the envelope does not open: {error.found}",
            "nothing to do: only the enclave has the private key, and it never leaves",
            error.code,
        )
    raise succeeded("the envelope")


def bad_signature(bench: Workbench) -> Stopped:
    """Sign a request with a guessed secret key."""
    keys = taken_credentials(bench) | {"secret_access_key": os.urandom(20).hex()}
    kms = bench.cloud.session_with(keys, party="instance").client("kms")
    return refused_by_cloud(
        bench, lambda: kms.decrypt(**request_for(bench, None)), by="SigV4", operation="", find=None
    )


_row: Final = partial(Attack, needs="P8", party=WHO)

INSTANCE: Final = (
    _row(
        "decrypt-without-document",
        "Decrypt outside the enclave",
        "kms:Decrypt, no Recipient",
        without_document,
    ),
    _row(
        "decrypt-changed-document",
        "Decrypt with one bit of the document changed",
        "kms:Decrypt, PCR0 changed",
        changed_document,
    ),
    _row(
        "decrypt-swapped-key",
        "Put an own public key into a genuine document",
        "kms:Decrypt, public_key replaced",
        swapped_key,
    ),
    _row(
        "decrypt-other-root",
        "Forge a document under another root",
        "kms:Decrypt, right PCRs, wrong root",
        other_root,
    ),
    _row(
        "decrypt-old-document",
        "Use a genuine document after its time",
        "kms:Decrypt, document past the age limit",
        old_document,
    ),
    _row(
        "decrypt-wrong-context",
        "Decrypt under another encryption context",
        "kms:Decrypt, version 2",
        wrong_context,
    ),
    _row(
        "replayed-request",
        "Send the enclave's request again",
        "kms:Decrypt, genuine document",
        replayed_request,
    ),
    _row(
        "bad-signature", "Sign with a guessed secret key", "kms:Decrypt, bad SigV4", bad_signature
    ),
)
