"""Both forms of the ciphertext, opened as streams (D8). Plaintext goes to one function only.

`feed` is given authenticated bytes only. The Encryption SDK's frames have a tag each and go through
as they come. The envelope form has one tag, which comes last: its plaintext is held in memory until
that has verified, and is therefore small. Processing it earlier would be an oracle: how fast the
enclave reads on tells whether changed ciphertext still decrypts to a CSV.

A message may still be cut or continued after a good frame, so nothing derived from its content may
leave before `open_stream` has returned, and `feed` itself never raises; see `query`.
"""

from __future__ import annotations

import hashlib
import io
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from enclave_image.configuration import MeasuredConfig
from enclave_image.inside.run_key import JobKms, kms_failure
from enclave_image.job_protocol import FRAME_LENGTH, JobRequest, canonical_json
from nitro_workflow.errors import FrameError, NitroWorkflowError, UntrustedAnswer

__all__ = ["NONCE_LENGTH", "TAG_LENGTH", "DeclaredInput", "OpenedInput", "open_stream"]

NONCE_LENGTH = 12
TAG_LENGTH = 16
BLOCK_LENGTH = 16  # AES
DATA_KEY_LENGTH = 32
MAX_DATA_KEYS = 1
SUITE = "AES_256_GCM_HKDF_SHA512_COMMIT_KEY"


class _Reader(Protocol):
    def read(self, size: int = -1, /) -> bytes: ...


class DeclaredInput:
    """Exactly ``size`` bytes of a chunk stream, counted and hashed; `read` never returns short.

    Raises `FrameError` when the stream ends early, goes on, or its deadline has passed.
    """

    def __init__(self, source: _Reader, size: int, expired: threading.Event) -> None:
        self._source = source
        self.size = size
        self._expired = expired
        self._left = size
        self._hash = hashlib.sha256()

    def readable(self) -> bool:
        """Return True: the Encryption SDK asks."""
        return True

    def read(self, count: int | None = -1) -> bytes:
        """Return ``count`` bytes, fewer only where the declared size ends."""
        wanted = self._left if count is None or count < 0 else min(count, self._left)
        parts = []
        while wanted:
            part = self._source.read(wanted)
            if not part:
                raise self._refuse(f"the end after {self.size - self._left} bytes")
            self._hash.update(part)
            self._left -= len(part)
            wanted -= len(part)
            parts.append(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def finish(self) -> str:
        """Require that all was read and nothing follows; return its SHA-256 in hex."""
        if self._left:
            raise UntrustedAnswer(
                f"{self._left} bytes after the message's last frame",
                expected="a message that ends where its object ends",
                where="D8",
                next="put the object again as it was encrypted",
            )
        if self._source.read(1):
            raise self._refuse("more bytes")
        return self._hash.hexdigest()

    def _refuse(self, found: str) -> FrameError:
        late = self._expired.is_set()
        return FrameError(
            "the job's deadline passed" if late else found,
            expected=f"exactly {self.size} bytes, as declared, in time",
            where="D2, the ciphertext stream",
            next="send the job again with the size of the object",
            code="DeadlineError" if late else "",
        )


@dataclass(frozen=True, slots=True)
class OpenedInput:
    """What may be said of an input that verified to its end. Lengths in bytes."""

    input_sha256: str
    evidence: Mapping[str, Any]


def open_stream(
    request: JobRequest,
    config: MeasuredConfig,
    kms: JobKms,
    source: DeclaredInput,
    feed: Callable[[bytes], None],
) -> OpenedInput:
    """Decrypt the whole stream into ``feed``; return only when its last tag has verified.

    Raises `UntrustedAnswer` (tampered, cut, other context, other suite, no commitment),
    `AccessRefused` with KMS's reason, `FrameError` (the stream), `ServiceError` (no KMS).
    """
    try:
        if request.form == "encryption-sdk":
            return _open_message(config, kms, source, feed)
        return _open_envelope(request, config, kms, source, feed)
    except NitroWorkflowError:
        raise
    except Exception as error:
        if kms.failure is not None:
            raise kms_failure(kms.failure) from None
        raise _tampered(request.form) from error


def _tampered(form: str) -> UntrustedAnswer:
    return UntrustedAnswer(
        "ciphertext that does not verify",
        expected="the bytes that the data owner encrypted, all of them and in order",
        where=f"D8, {form}",
        next="compare the object's digest with the owner's record; fetch the recorded version",
    )


def _open_message(
    config: MeasuredConfig, kms: JobKms, source: DeclaredInput, feed: Callable[[bytes], None]
) -> OpenedInput:
    import aws_encryption_sdk
    from aws_encryption_sdk.identifiers import CommitmentPolicy

    client = aws_encryption_sdk.EncryptionSDKClient(
        commitment_policy=CommitmentPolicy.REQUIRE_ENCRYPT_REQUIRE_DECRYPT,
        max_encrypted_data_keys=MAX_DATA_KEYS,
    )
    # The context is required twice, each time exactly: before KMS is asked (`keys`), and of the
    # authenticated header below. The SDK's own parameter would refuse without saying why.
    expected, total = dict(config.encryption_context), 0
    stream = client.stream(
        mode="decrypt-unsigned",
        source=source,
        keyring=_keyring(config, kms),
        max_body_length=FRAME_LENGTH,
    )
    try:
        _require_header(stream.header, expected)
        while chunk := stream.read(FRAME_LENGTH):
            total += len(chunk)
            feed(chunk)
        frames = stream.last_sequence_number
    finally:
        # Not its own `close`, which raises where the message was not read to its end, and again
        # when Python drops the stream (docs/reference/formats.md, Libraries).
        io.IOBase.close(stream)
    digest = source.finish()
    return OpenedInput(
        digest, _evidence(config, "encryption-sdk", source.size, total, digest, frames)
    )


def _keyring(config: MeasuredConfig, kms: JobKms) -> Any:
    from aws_cryptographic_material_providers.mpl import AwsCryptographicMaterialProviders
    from aws_cryptographic_material_providers.mpl.config import MaterialProvidersConfig
    from aws_cryptographic_material_providers.mpl.models import CreateAwsKmsKeyringInput

    providers = AwsCryptographicMaterialProviders(config=MaterialProvidersConfig())
    return providers.create_aws_kms_keyring(
        CreateAwsKmsKeyringInput(kms_key_id=config.key_arn, kms_client=kms)
    )


def _require_header(header: Any, expected: Mapping[str, str]) -> None:
    """Hold the authenticated header against what was measured; exactly, nothing more or less."""
    found = (header.algorithm.name, dict(header.encryption_context), header.frame_length)
    if found != (SUITE, dict(expected), FRAME_LENGTH):
        raise UntrustedAnswer(
            "a message of another suite, encryption context or frame length",
            expected=f"{SUITE}, the measured context, frames of {FRAME_LENGTH} bytes",
            where="D8, the message's header",
            next="encrypt as P3 does",
            code="ContextMismatch",
        )


def _open_envelope(
    request: JobRequest,
    config: MeasuredConfig,
    kms: JobKms,
    source: DeclaredInput,
    feed: Callable[[bytes], None],
) -> OpenedInput:
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    key = _data_key(request, config, kms)
    try:
        nonce = source.read(NONCE_LENGTH)
        decryptor = Cipher(algorithms.AES256(key), modes.GCM(nonce)).decryptor()
    finally:
        key[:] = bytes(len(key))
    decryptor.authenticate_additional_data(canonical_json(dict(config.encryption_context)))
    total = source.size - NONCE_LENGTH - TAG_LENGTH
    plaintext = bytearray(total + BLOCK_LENGTH - 1)  # update_into asks for the room of one block
    view = memoryview(plaintext)
    try:
        _decrypt_into(view, total, decryptor, source)
        tag = source.read(TAG_LENGTH)
        digest = source.finish()
        decryptor.finalize_with_tag(tag)
        for at in range(0, total, FRAME_LENGTH):
            feed(bytes(view[at : min(at + FRAME_LENGTH, total)]))
    finally:
        _clear(view)
    return OpenedInput(digest, _evidence(config, "envelope", source.size, total, digest, 1))


def _decrypt_into(view: memoryview, total: int, decryptor: Any, source: DeclaredInput) -> None:
    at = 0
    while at < total:
        chunk = source.read(min(total - at, FRAME_LENGTH))
        decryptor.update_into(chunk, view[at:])
        at += len(chunk)


def _clear(view: memoryview) -> None:
    nothing = bytes(FRAME_LENGTH)
    for at in range(0, len(view), FRAME_LENGTH):
        part = view[at : at + FRAME_LENGTH]
        part[:] = nothing[: len(part)]


def _data_key(request: JobRequest, config: MeasuredConfig, kms: JobKms) -> bytearray:
    answer = kms.decrypt(
        CiphertextBlob=request.encrypted_key,
        KeyId=config.key_arn,
        EncryptionContext=dict(config.encryption_context),
    )
    key = bytearray(answer.pop("Plaintext"))
    if len(key) != DATA_KEY_LENGTH:
        raise UntrustedAnswer(
            f"a data key of {len(key)} bytes",
            expected=f"{DATA_KEY_LENGTH} bytes (AES-256)",
            where="D7",
            next="the data owner makes the data key with KeySpec AES_256",
        )
    return key


def _evidence(
    config: MeasuredConfig, form: str, size: int, plaintext: int, digest: str, frames: int
) -> dict[str, Any]:
    return {
        "form": form,
        "input_bytes": size,
        "input_sha256": digest,
        "plaintext_bytes": plaintext,
        "frames": frames,
        "suite": SUITE if form == "encryption-sdk" else "AES-256-GCM",
        "commitment": form == "encryption-sdk",
        "encryption_context": dict(config.encryption_context),
        "context_ok": True,
    }
