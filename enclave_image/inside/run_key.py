"""The enclave's key pair, and data keys from KMS that only this key pair can open (D3 to D7).

The private key lives in OpenSSL's memory for as long as the enclave runs and is never serialised.
A data key passes through immutable Python and OpenSSL objects (the CMS envelope's plaintext, the
Encryption SDK's materials): those copies cannot be cleared, they are only dropped. What we hold
ourselves is a bytearray and is cleared. The enclave's memory is what protects the rest.
"""

from __future__ import annotations

import hashlib
import threading
import time
from typing import TYPE_CHECKING, Any, Protocol

from enclave_image.configuration import MeasuredConfig
from enclave_image.inside.kms_watch import Evidence, KmsWatch
from enclave_image.job_protocol import (
    Credentials,
    b64,
    internal_error,
)
from nitro_workflow.errors import AccessRefused, NitroWorkflowError, ServiceError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric import rsa

__all__ = ["JobKms", "KmsAccess", "Nsm", "RunKey", "kms_failure"]

REPORTED_PCRS = (0, 1, 2, 3, 4, 8)
RSA_BITS = 2048  # what AWS documents (docs/reference/formats.md)


class Nsm(Protocol):
    """What this module needs of the NSM client of `nitro_workflow.enclave`."""

    def attest(
        self,
        *,
        public_key: bytes | None = None,
        user_data: bytes | None = None,
        nonce: bytes | None = None,
    ) -> bytes:
        """Return an attestation document (COSE_Sign1 bytes)."""
        ...

    def describe(self) -> Any:
        """Return the module's description: ``module_id``."""
        ...

    def describe_pcr(self, index: int) -> Any:
        """Return a register: ``value``, 48 bytes."""
        ...


class RunKey:
    """One RSA-2048 key pair for this run; a fresh attestation document whenever one is asked for.

    It is an `Attester`: `nitro_workflow.enclave.attested_clients` asks it once for every try.
    """

    def __init__(self, nsm: Nsm) -> None:
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import rsa

        self._nsm = nsm
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=RSA_BITS)
        self.spki = self._key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        self._device = threading.Lock()
        self._identity = {
            "module_id": nsm.describe().module_id,
            "pcrs": {f"PCR{i}": nsm.describe_pcr(i).value.hex() for i in REPORTED_PCRS},
        }
        self._tries = 0
        self._emit: Evidence | None = None

    def report_to(self, emit: Evidence | None) -> None:
        """Say where evidence of the next documents goes: one job at a time."""
        self._tries = 0
        self._emit = emit

    def document(self) -> tuple[bytes, rsa.RSAPrivateKey]:
        """Return a document made now, and the private key. Raises `NsmError`."""
        document = self._attest(public_key=self.spki)
        self._tries += 1
        if self._emit is not None:
            self._emit("D3", self._evidence(document))
        return document, self._key

    def _evidence(self, document: bytes) -> dict[str, Any]:
        return {
            "document": b64(document),
            "document_sha256": hashlib.sha256(document).hexdigest(),
            "document_bytes": len(document),
            "public_key_sha256": hashlib.sha256(self.spki).hexdigest(),
            "key_bits": RSA_BITS,
            "try": self._tries,
            **self._identity,
            "time": round(time.time(), 3),
        }

    def receipt(self, *, user_data: bytes, nonce: bytes) -> bytes:
        """Return a document over a result: ``user_data`` its digest, ``nonce`` the owner's."""
        return self._attest(public_key=self.spki, user_data=user_data, nonce=nonce)

    def _attest(self, **fields: bytes) -> bytes:
        with self._device:  # the NSM answers one request at a time
            return self._nsm.attest(**fields)


class KmsAccess:
    """Makes attested KMS clients: TLS over vsock to the measured host, nothing else reachable."""

    def __init__(self, config: MeasuredConfig, key: RunKey, transport: Any) -> None:
        import botocore.session

        from nitro_workflow.enclave import attested_session

        self._config = config
        self._transport = transport
        self._session = botocore.session.Session()
        attested_session(self._session, key)

    def client(self, credentials: Credentials, emit: Evidence) -> JobKms:
        """Return a KMS client for one job. What it may ask for is fixed by the measured context."""
        from botocore.config import Config

        from nitro_workflow.enclave import over_vsock

        client = self._session.create_client(
            "kms",
            region_name=self._config.region,
            endpoint_url=f"https://{self._config.kms_host}",
            aws_access_key_id=credentials.access_key_id,
            aws_secret_access_key=credentials.secret_access_key,
            aws_session_token=credentials.session_token,
            config=Config(retries={"mode": "standard", "total_max_attempts": 3}),
        )
        # A connection for each job: what the parent carried of one is not mixed with another's.
        over_vsock(
            client,
            ca_pem=self._config.ca_pem.encode(),
            host=self._config.kms_host,
            port=self._config.kms_port_vsock,
            transport=self._transport,
        )
        watch = KmsWatch(self._config, emit)
        events = client.meta.events
        events.register_first("provide-client-params.kms.*", watch.require_measured)
        events.register_first("before-send.kms.*", watch.note_request)
        events.register_first("after-call.kms.*", watch.record_answer)
        return JobKms(client)


class JobKms:
    """One job's KMS client; remembers why a call failed.

    The Encryption SDK keeps only the text of what its keyring's client raised
    (docs/reference/formats.md, Libraries).
    """

    def __init__(self, client: Any) -> None:
        self._client = client
        self.failure: Exception | None = None

    def decrypt(self, **params: Any) -> dict[str, Any]:
        """Call KMS's Decrypt."""
        try:
            answer: dict[str, Any] = self._client.decrypt(**params)
        except Exception as error:
            self.failure = error
            raise
        return answer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)


def kms_failure(error: BaseException) -> NitroWorkflowError:
    """Return a failed KMS call as an error of the package's tree, with KMS's own reason."""
    from botocore.exceptions import BotoCoreError, ClientError

    if isinstance(error, NitroWorkflowError):
        return error
    if isinstance(error, ClientError):
        return _client_error(error)
    if not isinstance(error, BotoCoreError):
        return internal_error(error)
    return ServiceError(
        f"KMS was not reached ({type(error).__name__})",
        expected="an answer through the parent's vsock proxy",
        where="D6, the proxy on vsock 3:8000",
        next="the administrator checks that the vsock proxy runs and allows the KMS host",
        code="KmsUnreachable",
    )


def _client_error(error: Any) -> NitroWorkflowError:
    answer = error.response.get("Error", {})
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 400)
    kind = AccessRefused if status < 500 else ServiceError
    return kind(
        str(answer.get("Message") or "KMS gave no reason")[:2048],
        expected="KMS to let this image, this role and this encryption context Decrypt",
        where="D4, KMS",
        next="compare the image's PCRs and the context with the key policy; see CloudTrail's event",
        code=str(answer.get("Code") or "KmsError")[:128],
    )
