"""Make any boto3 KMS client attested, through botocore's public events.

What happens to one call::

    provide-client-params   Recipient joins the parameters (a caller's own is left alone)
    before-sign             every try, retries included, gets a document made for it
    after-call              CiphertextForRecipient is opened, and Plaintext stands where it does
                            without an enclave, so that an unmodified Encryption SDK goes on

It fails closed: an answer in clear, without an envelope, sealed to another key or of the wrong
length raises `UntrustedAnswer`, and no part of it is returned.
"""

from __future__ import annotations

import base64
import json
import os
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from nitro_workflow.enclave.botocore_events import events_of
from nitro_workflow.enclave.kms_refusals import note_refusals
from nitro_workflow.errors import EnvelopeError, UntrustedAnswer

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric import rsa

__all__ = ["OPERATIONS", "Attester", "NsmAttester", "attested", "attested_session"]

# The five operations of KMS's API model that take a Recipient -> the member that stays empty then.
OPERATIONS: Mapping[str, str] = {
    "Decrypt": "Plaintext",
    "DeriveSharedSecret": "SharedSecret",
    "GenerateDataKey": "Plaintext",
    "GenerateDataKeyPair": "PrivateKeyPlaintext",
    "GenerateRandom": "Plaintext",
}
KEY_ENCRYPTION_ALGORITHM = "RSAES_OAEP_SHA_256"
# The key pair's size in bits: what AWS documents for `public_key` (docs/reference/formats.md).
KEY_BITS = 2048
NONCE_BYTES = 32

_EMITTER_ID = "nitro-workflow-attested"
_STATE = "nitro_workflow_attested"
# Stands in the parameters until `before-sign`: should that hook be lost, KMS refuses it.
_PLACEHOLDER = b"a document is made for every try"

_Client = TypeVar("_Client")


class Attester(Protocol):
    """What `attested` needs: a fresh document and the private key of the public key in it."""

    def document(self) -> tuple[bytes, rsa.RSAPrivateKey]:
        """Return ``(attestation document, private key)``; called once for every try."""


class _Nsm(Protocol):
    def attest(
        self,
        *,
        public_key: bytes | None = None,
        user_data: bytes | None = None,
        nonce: bytes | None = None,
    ) -> bytes: ...


class NsmAttester:
    """An `Attester` on the Nitro Security Module; safe to share between threads.

    Make it with `one_key_pair_per_run` or `new_key_pair_per_call`. Each document carries a nonce of
    32 random bytes, so that no two are alike.
    """

    def __init__(self, nsm: _Nsm, next_key: Callable[[], rsa.RSAPrivateKey]) -> None:
        self._nsm = nsm
        self._next_key = next_key
        self._lock = threading.Lock()

    @classmethod
    def one_key_pair_per_run(cls, nsm: _Nsm) -> NsmAttester:
        """Make one RSA-2048 pair now, and use it for as long as this process lives."""
        key = _new_key()
        return cls(nsm, lambda: key)

    @classmethod
    def new_key_pair_per_call(cls, nsm: _Nsm) -> NsmAttester:
        """Make an RSA-2048 pair for every try: 50 ms each, and no key outlives its answer."""
        return cls(nsm, _new_key)

    def document(self) -> tuple[bytes, rsa.RSAPrivateKey]:
        """Return a document made now, and its private key.

        Raises `NsmError`: the NSM refused.
        """
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

        key = self._next_key()
        spki = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        with self._lock:  # one device, one request at a time
            return self._nsm.attest(public_key=spki, nonce=os.urandom(NONCE_BYTES)), key


def _new_key() -> rsa.RSAPrivateKey:
    from cryptography.hazmat.primitives.asymmetric import rsa

    return rsa.generate_private_key(public_exponent=65537, key_size=KEY_BITS)


def attested(client: _Client, attester: Attester) -> _Client:
    """Make this boto3 (or botocore) KMS client attested, and return it.

    Five operations change: Decrypt, DeriveSharedSecret, GenerateDataKey, GenerateDataKeyPair and
    GenerateRandom. A call that already carries ``Recipient`` is left alone. Calling twice with the
    same client replaces the attester.

    Raises, from the client's methods:
        UntrustedAnswer: KMS's answer, or what answered in its place, must not be believed.

    ::

        kms = attested(boto3.client("kms"), NsmAttester.one_key_pair_per_run(open_nsm()))
        kms.decrypt(CiphertextBlob=blob, KeyId=key_arn)["Plaintext"]
    """
    _register(events_of(client), attester)
    note_refusals(client)
    return client


def attested_session(session: _Client, attester: Attester) -> _Client:
    """Make attested every KMS client that this botocore (or boto3) session makes from now on.

    Returns the session.

    For libraries that make their clients themselves, as the Encryption SDK's legacy master key
    providers do (``botocore_session=``). Clients made before are not changed.
    """
    _register(events_of(session), attester)
    note_refusals(session)
    return session


def _register(events: Any, attester: Attester) -> None:
    hooks = _Hooks(attester)
    for operation in OPERATIONS:
        for event, handler in (
            ("provide-client-params", hooks.add_recipient),
            ("before-sign", hooks.put_fresh_document),
            ("after-call", hooks.open_answer),
        ):
            name, identity = f"{event}.kms.{operation}", f"{_EMITTER_ID}-{event}-{operation}"
            # botocore keeps the first handler of an id; the last attester is the one that counts.
            events.unregister(name, unique_id=identity)
            events.register(name, handler, unique_id=identity)


class _Hooks:
    """The three handlers. What belongs to one call lives in its context: thread-safe."""

    def __init__(self, attester: Attester) -> None:
        self._attester = attester

    def add_recipient(
        self, params: Mapping[str, Any], context: dict[str, Any], **_: Any
    ) -> dict[str, Any] | None:
        if params.get("Recipient") is not None:
            context[_STATE] = None
            return None
        context[_STATE] = {"params": params, "key": None}
        recipient = {
            "KeyEncryptionAlgorithm": KEY_ENCRYPTION_ALGORITHM,
            "AttestationDocument": _PLACEHOLDER,
        }
        return {**params, "Recipient": recipient}

    def put_fresh_document(self, request: Any, operation_name: str = "", **_: Any) -> None:
        state = _state_of(request.context, operation_name)
        if state is None:
            return
        document, state["key"] = self._attester.document()
        request.data = _with_document(request.data, document, operation_name)

    def open_answer(
        self,
        http_response: Any,
        parsed: dict[str, Any],
        model: Any,
        context: dict[str, Any],
        **_: Any,
    ) -> None:
        state = _state_of(context, model.name)
        if state is None or http_response.status_code >= 300:
            return
        try:
            plaintext = _open(model.name, parsed, state)
        except BaseException:
            # A caller who catches the exception finds nothing to go on with.
            parsed.clear()
            raise
        parsed[OPERATIONS[model.name]] = plaintext


def _state_of(context: Mapping[str, Any], operation: str) -> dict[str, Any] | None:
    """Return the call's state, or None where the caller brought a Recipient of their own."""
    if _STATE not in context:
        raise UntrustedAnswer(
            "a call that got no Recipient",
            expected="botocore's provide-client-params event to reach `attested`",
            where=f"kms:{operation}",
            next="remove the other handler that answers provide-client-params",
        )
    state: dict[str, Any] | None = context[_STATE]
    return state


def _with_document(body: Any, document: bytes, operation: str) -> bytes:
    """Put the document into KMS's JSON request in the placeholder's place."""
    try:
        members = json.loads(body)
        recipient = members["Recipient"]
        recipient["AttestationDocument"] = base64.b64encode(document).decode()
    except (ValueError, TypeError, KeyError) as error:
        raise UntrustedAnswer(
            "a request body that is not KMS's JSON with a Recipient",
            expected="what provide-client-params made, as application/x-amz-json-1.1",
            where=f"kms:{operation}",
            next="look for another handler of provide-client-params that answers before this one",
        ) from error
    return json.dumps(members).encode()


def _open(operation: str, parsed: dict[str, Any], state: Mapping[str, Any]) -> bytes:
    """Check the answer and open its envelope."""
    from nitro_workflow import cms
    from nitro_workflow.enclave import kms_answers

    envelope = parsed.pop("CiphertextForRecipient", None)
    if parsed.get(OPERATIONS[operation]):
        raise _untrusted(operation, f"{OPERATIONS[operation]} in clear", "an empty one")
    if not envelope or state["key"] is None:
        raise _untrusted(operation, "no CiphertextForRecipient", "an envelope for this enclave")
    try:
        plaintext = cms.open_envelope(envelope, state["key"])
    except EnvelopeError as error:
        raise _untrusted(operation, error.found, error.expected) from error
    wrong = kms_answers.find_fault(operation, state["params"], parsed, plaintext)
    if wrong:
        raise _untrusted(operation, *wrong)
    return plaintext


def _untrusted(operation: str, found: str, expected: str) -> UntrustedAnswer:
    return UntrustedAnswer(
        found,
        expected=expected,
        where=f"answer to kms:{operation}",
        next="this is not KMS as AWS documents it: check the endpoint and the CA that are trusted",
    )
