"""The enclave itself, running: what it is, and that it alone opens what KMS seals."""

from __future__ import annotations

import hashlib
import shutil
import struct
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from nitro_workflow.attestation import Expected, from_measurements
from nitro_workflow.errors import VerificationError

PROJECT = Path(__file__).parents[1]
IMAGE = PROJECT / "build" / "opener.eif"
PORT = 7
FRESH = timedelta(minutes=5)


def receive(stream) -> bytes:
    (size,) = struct.unpack(">I", stream.read(4))
    return stream.read(size)


def open_inside(enclave, kms, made) -> bytes:
    """Play the parent: carry the document to KMS, and KMS's envelope to the enclave."""
    with enclave.connect(PORT) as connection, connection.makefile("rwb") as stream:
        document = receive(stream)
        envelope = kms.decrypt(
            CiphertextBlob=made.ciphertext,
            KeyId=made.key_arn,
            Recipient={
                "KeyEncryptionAlgorithm": "RSAES_OAEP_SHA_256",
                "AttestationDocument": document,
            },
        )["CiphertextForRecipient"]
        stream.write(struct.pack(">I", len(envelope)) + envelope)
        stream.flush()
        return receive(stream)


def document_of(enclave) -> bytes:
    with enclave.connect(PORT) as connection, connection.makefile("rb") as stream:
        return receive(stream)


@pytest.fixture
def parent(nitro_enclave, role):
    """Yield KMS as the enclave's parent has it."""
    kms = role(nitro_enclave.cloud, "enclave-parent").client("kms")
    yield kms
    kms.close()


@pytest.fixture
def changed(tmp_path) -> Path:
    """Return an image of the same program with one file more."""
    folder = tmp_path / "enclave"
    shutil.copytree(PROJECT / "enclave", folder)
    (folder / "backdoor").write_text("another file")
    dockerfile = folder / "Dockerfile"
    dockerfile.write_text(dockerfile.read_text() + "COPY backdoor /backdoor\n")
    command = ["nitro-cli", "build-enclave", "--docker-dir", str(folder)]
    command += ["--docker-uri", "opener:changed", "--output-file", str(tmp_path / "changed.eif")]
    subprocess.run(command, check=True, capture_output=True)
    return tmp_path / "changed.eif"


def test_it_attests_what_was_committed(nitro_enclave, measurements):
    document = document_of(nitro_enclave(IMAGE))
    expected = Expected(pcrs=from_measurements(measurements, "committed"), max_age=FRESH)
    verified = nitro_enclave.verifier.verify(document, at=datetime.now(UTC), expected=expected)
    assert verified.matched == "committed"


def test_it_decrypts(nitro_enclave, parent, secret):
    made = secret(nitro_enclave.cloud)
    assert (
        open_inside(nitro_enclave(IMAGE), parent, made) == hashlib.sha256(made.plaintext).digest()
    )


def test_a_changed_image_does_not(nitro_enclave, parent, secret, changed, measurements):
    made, enclave = secret(nitro_enclave.cloud), nitro_enclave(changed)
    assert enclave.measurements["PCR0"] != measurements["PCR0"]
    with pytest.raises(ClientError, match="AccessDenied"):
        open_inside(enclave, parent, made)


def test_debug_mode_does_not(nitro_enclave, parent, secret):
    made, enclave = secret(nitro_enclave.cloud), nitro_enclave(IMAGE, debug=True)
    with pytest.raises(ClientError, match="AccessDenied"):
        open_inside(enclave, parent, made)
    assert "listening on vsock port 7" in enclave.console()
    with pytest.raises(VerificationError, match="debug"):
        nitro_enclave.verifier.verify(document_of(enclave), at=datetime.now(UTC))
