"""What somebody tries who has taken the instance role's credentials: the administrator always can.

Only the conditions of the key policy, and the verification of the document, stand between him and
the data key.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from nitro_workflow.cloud import isolated_session
from nitro_workflow.errors import EnvelopeError, HostError, UntrustedAnswer
from nitro_workflow.lab.attacks.attack import (
    Attack,
    Stopped,
    refused_by_cloud,
    succeeded,
)
from nitro_workflow.lab.attacks.second_cloud import second_cloud
from nitro_workflow.lab.steps.d1_d2_delivery import start_job
from nitro_workflow.lab.steps.p1_p2_keys import CONTEXT
from nitro_workflow.lab.steps.p8_launch import host_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from cryptography.hazmat.primitives.asymmetric import rsa

    from nitro_workflow.cloud import Endpoint
    from nitro_workflow.lab.engine.lab import Lab

__all__ = ["INSTANCE", "instance_session", "taken_credentials"]

WHO: Final = "whoever has the instance role"

# Runs in the instance: what any program there can read from the metadata service.
_TAKE: Final = """
import json, boto3
keys = boto3.Session().get_credentials().get_frozen_credentials()
print(json.dumps({"access_key_id": keys.access_key, "secret_access_key": keys.secret_key,
                  "session_token": keys.token}))
"""


def taken_credentials(lab: Lab) -> dict[str, str]:
    """Return the instance role's credentials, read from IMDSv2 inside the instance."""
    instance = lab.produced("P8", "instance_id")
    done = host_of(lab).run_command(instance, [sys.executable, "-c", _TAKE])
    if done["exit"] != 0:
        raise HostError(
            f"the instance gave no credentials: {done['stderr'][-200:]}",
            expected="the instance role's, from IMDSv2",
            where="parent instance",
            next="run step P8 again",
        )
    return dict(json.loads(done["stdout"]))


def instance_session(lab: Lab, endpoint: Callable[[], Endpoint] | None = None) -> Any:
    """Return a session with the instance role's credentials, as a thief has it."""
    at = endpoint or lab.processes.endpoint
    return isolated_session(at, taken_credentials(lab), party="instance")


def fresh_document(lab: Lab) -> bytes:
    """Return a genuine document of the right enclave that is seconds old: made for a new job."""
    import base64

    said = start_job(lab, "encryption-sdk").evidence("D3")
    return base64.b64decode(said["document"])


def encrypted_key(lab: Lab) -> bytes:
    """Return the encrypted data key, which the instance gets from the bucket."""
    return (lab.path / "owner" / "data-key.encrypted").read_bytes()


def decrypt(lab: Lab, by: str, document: bytes | None, **changes: Any) -> Stopped:
    """Ask KMS to decrypt the data key, with the instance role; expects a refusal."""
    kms = instance_session(lab).client("kms")
    parameters = request_for(lab, document) | changes
    return refused_by_cloud(lab, lambda: kms.decrypt(**parameters), by=by, operation="Decrypt")


def request_for(lab: Lab, document: bytes | None) -> dict[str, Any]:
    """Return Decrypt's parameters; without a document there is no Recipient."""
    recipient = {
        "Recipient": {
            "KeyEncryptionAlgorithm": "RSAES_OAEP_SHA_256",
            "AttestationDocument": document,
        }
    }
    return {
        "KeyId": lab.produced("P1", "key_arn"),
        "CiphertextBlob": encrypted_key(lab),
        "EncryptionContext": dict(CONTEXT),
        **(recipient if document is not None else {}),
    }


@dataclass(frozen=True, slots=True)
class _OwnKey:
    """The attacker's own key pair: what he would have the data key sealed to."""

    private: rsa.RSAPrivateKey
    spki: bytes

    @classmethod
    def make(cls) -> _OwnKey:
        from cryptography.hazmat.primitives.asymmetric import rsa
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

        private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        public = private.public_key()
        return cls(private, public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))


def without_document(lab: Lab) -> Stopped:
    """Decrypt as the parent would, outside the enclave."""
    return decrypt(lab, "KMS, key policy", None)


def changed_document(lab: Lab) -> Stopped:
    """Flip one bit of a genuine document, in its PCR0."""
    from nitro_workflow.attestation import parse_document

    genuine = fresh_document(lab)
    place = genuine.index(parse_document(genuine).pcrs[0])
    changed = genuine[:place] + bytes([genuine[place] ^ 1]) + genuine[place + 1 :]
    return decrypt(lab, "KMS, document", changed)


def swapped_key(lab: Lab) -> Stopped:
    """Put the attacker's public key into a genuine document."""
    from nitro_workflow.attestation import parse_document

    genuine = fresh_document(lab)
    theirs = parse_document(genuine).public_key or b""
    swapped = genuine.replace(theirs, _OwnKey.make().spki)
    if swapped == genuine or len(swapped) != len(genuine):
        raise UntrustedAnswer("no RSA-2048 public key", expected="one", where="the document")
    return decrypt(lab, "KMS, document", swapped)


def other_root(lab: Lab) -> Stopped:
    """Forge a document with the right PCRs under a root of the attacker's own."""
    from nitro_workflow.attestation import HypervisorPki, parse_document

    genuine = parse_document(lab.document())
    instance, now = lab.produced("P8", "instance_id"), datetime.now(UTC)
    issuer = HypervisorPki.create(now).instance(instance, now)
    forged = issuer.issue(
        module_id=genuine.module_id,
        pcrs=genuine.pcrs,
        public_key=_OwnKey.make().spki,
        now=now,
    )
    return decrypt(lab, "KMS, document", forged)


def old_document(lab: Lab) -> Stopped:
    """Use a genuine document after its time: a cloud on a copy of the state allows one second."""
    import time

    document = fresh_document(lab)
    with second_cloud(lab, "--attestation-max-age", "1") as copy:
        time.sleep(2.1)
        kms = isolated_session(copy.endpoint, taken_credentials(lab), party="instance").client(
            "kms"
        )
        return refused_by_cloud(
            lab,
            lambda: kms.decrypt(**request_for(lab, document)),
            by="KMS, document",
            operation="Decrypt",
            find=copy.find_event,
        )


def wrong_context(lab: Lab) -> Stopped:
    """Name another version of the data set, with a genuine document."""
    context = {**CONTEXT, "version": "2"}
    return decrypt(lab, "KMS, key policy", fresh_document(lab), EncryptionContext=context)


def replayed_request(lab: Lab) -> Stopped:
    """Send the enclave's request again: KMS answers, for the enclave's key and nobody else's."""
    from nitro_workflow.cms import open_envelope

    kms = instance_session(lab).client("kms")
    answer = kms.decrypt(**request_for(lab, fresh_document(lab)))
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


def bad_signature(lab: Lab) -> Stopped:
    """Sign a request with a guessed secret key."""
    keys = taken_credentials(lab) | {"secret_access_key": os.urandom(20).hex()}
    session = isolated_session(lab.processes.endpoint, keys, party="instance")
    kms = session.client("kms")
    return refused_by_cloud(
        lab, lambda: kms.decrypt(**request_for(lab, None)), by="SigV4", operation="", find=None
    )


def _row(
    name: str, title: str, what: str, attempt: Callable[[Lab], Stopped], needs: str = "P8"
) -> Attack:
    return Attack(name, title, WHO, what, needs, attempt)


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
        "D3",
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
