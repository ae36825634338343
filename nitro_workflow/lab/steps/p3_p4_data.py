"""P3 and P4: the data owner encrypts the records in both forms, and uploads them."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from nitro_workflow.atomic import atomic_file
from nitro_workflow.cloud import error_code
from nitro_workflow.errors import LabError, UntrustedAnswer
from nitro_workflow.lab.step_result import Outcome
from nitro_workflow.lab.steps.p1_p2_keys import CONTEXT

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import BinaryIO

    from enclave_image.owner import SealedData
    from nitro_workflow.lab.workbench import Workbench

__all__ = ["ciphertext_holds", "ciphertext_path", "encrypt", "upload"]

SDK_FILE: Final = "customers.csv.esdk"
ENVELOPE_FILE: Final = "customers.csv.envelope"
KEY_FILE: Final = "data-key.encrypted"
PREFIX: Final = "customers/1"
"""Of the objects in the bucket: data set and version, as in the encryption context."""


# -- P3 --------------------------------------------------------------------------------------------


def ciphertext_path(bench: Workbench) -> Path:
    """Return where the Encryption SDK's message is."""
    return bench.path / "owner" / SDK_FILE


def encrypt(bench: Workbench) -> Outcome:
    """Encrypt the records twice: with the AWS Encryption SDK, and by hand with the key of P2.

    IAM: kms:GenerateDataKey (the keyring makes a data key of its own).
    """
    message, envelope = _message(bench), _envelope(bench)
    same = envelope.plaintext_bytes == message.plaintext_bytes
    evidence = {
        "basis": "observed by the data owner",
        "plaintext_bytes": message.plaintext_bytes,
        "encryption_sdk": message.to_json(),
        "envelope": envelope.to_json(),
        "encryption_context": dict(CONTEXT),
        "plaintext_on_disk": "never: the records stream from their source",
    }
    produces = {
        "same_records": same,
        "sdk_bytes": message.ciphertext_bytes,
        "sdk_sha256": message.sha256,
        "envelope_bytes": envelope.ciphertext_bytes,
        "envelope_sha256": envelope.sha256,
    }
    short = f"the envelope form holds fewer records, {envelope.plaintext_bytes} bytes: its one tag"
    return Outcome(evidence, produces, () if same else (f"{short} is checked last",))


def _message(bench: Workbench) -> SealedData:
    """Encrypt with the Encryption SDK, which asks KMS for a data key of its own."""
    from enclave_image.owner import encrypt_message

    kms = bench.parties.session("owner").client("kms")
    key = bench.produced("P1", "key_arn")
    return _seal(
        bench,
        SDK_FILE,
        bench.size,
        lambda source, sink: encrypt_message(
            source, sink, kms=kms, key_arn=key, encryption_context=CONTEXT
        ),
    )


def _envelope(bench: Workbench) -> SealedData:
    """Encrypt by hand with the data key of P2, which leaves this process's memory with it."""
    from enclave_image import ENVELOPE_MAX_BYTES, ENVELOPE_OVERHEAD
    from enclave_image.owner import encrypt_envelope

    # One nonce, one object: the same key is never used again.
    data_key = bench.memory.pop("data_key")
    return _seal(
        bench,
        ENVELOPE_FILE,
        min(bench.size, ENVELOPE_MAX_BYTES - ENVELOPE_OVERHEAD),
        lambda source, sink: encrypt_envelope(
            source, sink, data_key=data_key, encryption_context=CONTEXT
        ),
    )


def ciphertext_holds(bench: Workbench, produced: Mapping[str, Any]) -> bool:
    """Tell whether both ciphertexts are still there with the length that was recorded."""
    owner = bench.path / "owner"
    sizes = {SDK_FILE: produced["sdk_bytes"], ENVELOPE_FILE: produced["envelope_bytes"]}
    return all(
        (owner / name).exists() and (owner / name).stat().st_size == size
        for name, size in sizes.items()
    )


def _seal(
    bench: Workbench, name: str, size: int, encrypt_to: Callable[[Any, BinaryIO], SealedData]
) -> SealedData:
    """Encrypt the records into one file of the owner's, whole or not at all."""
    target = bench.path / "owner" / name
    with (
        _records(bench, size) as source,
        atomic_file(target, mode=0o600, durable=True, failure=LabError) as descriptor,
        os.fdopen(descriptor, "wb", closefd=False) as sink,
    ):
        return encrypt_to(source, sink)


def _records(bench: Workbench, size: int) -> Any:
    """Return the records as a stream: the owner's own file, else the generated ones."""
    from enclave_image.owner import CustomerRecords, open_records

    own = bench.folder.settings().get("csv")
    return open_records(Path(own)) if own else CustomerRecords(seed=bench.seed, size=size)


# -- P4 --------------------------------------------------------------------------------------------


def upload(bench: Workbench) -> Outcome:
    """Put both ciphertexts, and the encrypted data key of the second, into the owner's bucket.

    IAM: s3:CreateBucket, s3:PutBucketVersioning, s3:PutBucketPolicy, s3:PutObject.
    """
    _require_unchanged(bench)
    s3 = bench.parties.session("owner").client("s3")
    bucket, policy = bench.cloud.names.data_bucket, bench.policies.bucket_policy()
    _ensure_bucket(s3, bucket, policy, bench.cloud.region)
    put = {
        name: _put(s3, bucket, bench.path / "owner" / name)
        for name in (SDK_FILE, ENVELOPE_FILE, KEY_FILE)
    }
    evidence = {
        "basis": "observed by the data owner",
        "bucket": bucket,
        "objects": put,
        "versioning": "Enabled",
        "bucket_policy": policy,
    }
    return Outcome(evidence, {"bucket": bucket, "objects": put})


def _require_unchanged(bench: Workbench) -> None:
    """Refuse to upload what is not what P3 wrote."""
    expected = {SDK_FILE: "sdk_sha256", ENVELOPE_FILE: "envelope_sha256"}
    for name, product in expected.items():
        found, recorded = _sha256(bench.path / "owner" / name), bench.produced("P3", product)
        if found != recorded:
            raise LabError(
                f"{name} of SHA-256 {found}",
                expected=f"{recorded}, as step P3 wrote it",
                where="P4",
                next="run step P3 again: it encrypts anew",
            )


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise LabError(
            f"{error.strerror}: {path.name}",
            expected="the file that step P3 wrote",
            where="P4",
            next="run step P3 again: it encrypts anew",
        ) from error


def _ensure_bucket(s3: Any, bucket: str, policy: Mapping[str, Any], region: str) -> None:
    from botocore.exceptions import ClientError

    # us-east-1 alone takes no LocationConstraint (S3 API Reference, CreateBucket).
    place = {"CreateBucketConfiguration": {"LocationConstraint": region}}
    try:
        s3.create_bucket(Bucket=bucket, **({} if region == "us-east-1" else place))
    except ClientError as error:
        if error_code(error) != "BucketAlreadyOwnedByYou":
            raise
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy))


def _put(s3: Any, bucket: str, path: Path) -> dict[str, Any]:
    """Stream one file up; raises `UntrustedAnswer` where the cloud kept no version of it."""
    key = f"{PREFIX}/{path.name}"
    digest = _sha256(path)
    with path.open("rb") as body:
        answer = s3.put_object(Bucket=bucket, Key=key, Body=body)
    version = answer.get("VersionId", "")
    if not version:
        raise UntrustedAnswer(
            f"no version id for {key}",
            expected="a versioned bucket",
            where="P4",
            next="run step P4 again: it turns versioning on",
        )
    return {"key": key, "bytes": path.stat().st_size, "sha256": digest, "version_id": version}
